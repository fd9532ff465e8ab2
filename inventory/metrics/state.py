"""What the database knows, read when somebody asks, in few statements that don't grow with the inventory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.models import BooleanField, Case, Count, Min, Q, Sum, When
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inventory import health, overdue
from inventory.models import EventStream, Lease, Provider, Tally, Task

#: Maximum number of unfinished tasks that are looked at. If there are more, the numbers are too small.
MAX_TASKS = 100_000

STATES: Mapping[str, Q] = {
    "queued": Q(state=Task.State.QUEUED),
    "running": Q(state=Task.State.ACTIVE, next_attempt_on=None),
    "retrying": Q(state=Task.State.ACTIVE, next_attempt_on__isnull=False),
}


class StateCollector(Collector):
    """Reads the state of the installation. Every web server reports the same."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("portcullis_database_up", "Whether the database answered.")
        try:
            metrics = [*_tasks(), *_work(), *_providers(), *_resources()]
        except (DatabaseError, InterfaceError):
            metrics = []
        up.add_metric([], bool(metrics))
        yield up
        yield from metrics


def _tasks() -> Iterator[Metric]:
    waiting = GaugeMetricFamily("portcullis_tasks", "Unfinished tasks.", labels=["kind", "state"])
    oldest = GaugeMetricFamily(
        "portcullis_oldest_queued_task_seconds",
        "Age of the oldest task that no worker has begun.",
        labels=["kind"],
    )
    of_kind = {kind: Q(queue__startswith=f"{kind}/") for kind in settings.TASK_HANDLERS}
    counts = {
        f"{kind}_{state}": Count("queue", filter=rows & condition)
        for kind, rows in of_kind.items()
        for state, condition in STATES.items()
    }
    ages = {f"{kind}_oldest": Min("created_on", filter=rows & STATES["queued"]) for kind, rows in of_kind.items()}
    columns = ("queue", "state", "next_attempt_on", "created_on")
    rows = Task.objects.unfinished().order_by().values(*columns)[:MAX_TASKS]
    numbers = rows.aggregate(**counts, **ages)
    now = timezone.now()
    for kind in of_kind:
        for state in STATES:
            waiting.add_metric([kind, state], numbers[f"{kind}_{state}"])
        since = numbers[f"{kind}_oldest"]
        oldest.add_metric([kind], max((now - since).total_seconds(), 0) if since else 0)
    yield from (waiting, oldest)


def _work() -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "portcullis_tasks_without_worker",
        f"Unfinished tasks that are older than {health.GRACE.seconds} s and have no worker.",
        overdue.tasks(health.GRACE).order_by()[:MAX_TASKS].count(),
    )
    yield GaugeMetricFamily(
        "portcullis_refreshes_overdue",
        f"Providers whose refresh has been due for {health.GRACE.seconds} s and is not queued.",
        overdue.refreshes(health.GRACE).count(),
    )
    yield GaugeMetricFamily(
        "portcullis_leases", "Queues that a worker works on.", Lease.objects.filter(ends_on__gte=Now()).count()
    )
    yield GaugeMetricFamily(
        "portcullis_refresh_interval_seconds",
        "How often a provider is refreshed; 0 for never.",
        max(settings.REFRESH_INTERVAL.total_seconds(), 0),
    )


def _providers() -> Iterator[Metric]:
    """Of enabled providers. One that was never refreshed is as old as its row."""
    labels = ["vendor", "provider"]
    age = GaugeMetricFamily(
        "portcullis_provider_refresh_age_seconds", "Time since the last full refresh began.", labels=labels
    )
    failing = GaugeMetricFamily(
        "portcullis_provider_refresh_failing", "Whether the last full refresh failed.", labels=labels
    )
    is_failing = Case(When(last_refresh_error=None, then=False), default=True, output_field=BooleanField())
    rows = Provider.objects.enabled().order_by("pk").annotate(failing=is_failing)
    now = timezone.now()
    columns = ("vendor", "name", "created_on", "last_refresh_date", "failing")
    for vendor, name, created_on, refreshed_on, fails in rows.values_list(*columns):
        age.add_metric([vendor, name], max((now - (refreshed_on or created_on)).total_seconds(), 0))
        failing.add_metric([vendor, name], fails)
    yield from (age, failing)


def _resources() -> Iterator[Metric]:
    resources = GaugeMetricFamily(
        "portcullis_provider_resources",
        "Resources in the inventory.",
        labels=["vendor", "provider", "resource"],
    )
    tallies = Tally.objects.filter(provider__connected=True, cloud_tenant=None)
    tallies = tallies.exclude(table=EventStream._meta.db_table)
    columns = ("provider__vendor", "provider__name", "table")
    for vendor, name, table, number in tallies.order_by().values_list(*columns).annotate(total=Sum("number")):
        resources.add_metric([vendor, name, _names().get(table, table)], number)
    yield resources


@cache
def _names() -> dict[str, str]:
    """What the rows of each table are called: `security groups` as `security_groups`."""
    return {
        model._meta.db_table: str(model._meta.verbose_name_plural).lower().replace(" ", "_")
        for model in apps.get_models()
        if not model._meta.proxy
    }
