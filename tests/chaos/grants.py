"""Whether who has a grant changed nothing outside of it, and nothing while it was taken away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from inventory.models import CloudTenant, EventStream, Task
from secgroups.models import SecurityGroup
from tests.chaos.events import PORTCULLIS, TYPES

#: How long after its event the end of a grant may take to be there.
COMMITTED = timedelta(seconds=1)


def judge_grants(userid: str, tenant: CloudTenant) -> Iterator[str]:
    """What is wrong with what this user did, whose only grant was on this tenant."""
    events = EventStream.objects.filter(username=userid, event_type__in=TYPES.values())
    for event in events.exclude(cloud_tenant_id=tenant.pk):
        yield f"event {event.pk} ({event.message}) is of {userid}, and not of tenant {tenant}"
    begun_or_cancelled = Q(started_on__isnull=False) | Q(context_data__has_key="cancelled")
    refused = Q(parent__isnull=False, state=Task.State.FINISHED) & ~begun_or_cancelled
    tasks = Task.objects.filter(userid=userid).exclude(queue="").exclude(refused)
    tasks = tasks.select_related("vm").order_by("pk")
    if not (tasks and events):
        yield f"{userid} changed nothing, so what the grant is for was not judged"
    groups = set(SecurityGroup.objects.filter(cloud_tenant=tenant).values_list("ems_ref", flat=True))
    for task in tasks:
        group = task.context_data["security_group"]["ems_ref"]
        if group not in groups or task.vm is None or task.vm.cloud_tenant_id != tenant.pk:
            yield f"task {task.pk} ({task}) was accepted of {userid}, and is not of tenant {tenant}"
    for task in begun_without_right(userid):
        if task.status != Task.Status.ERROR and not task.message.startswith("Nothing to do"):
            yield f"task {task.pk} ended after its right was taken: {task.message}"
        for event in events.filter(task_id=task.pk, source=PORTCULLIS):
            yield f"event {event.pk} ({event.message}) is of task {task.pk}, whose right was taken before"


def begun_without_right(userid: str) -> list[Task]:
    """The tasks that began and ended while the user had no grant."""
    held = list(_held())
    return [
        task
        for task in Task.objects.filter(userid=userid, started_on__isnull=False).exclude(queue="").order_by("pk")
        if not any(
            given < task.updated_on and task.started_on < taken + COMMITTED  # type: ignore[operator]
            for given, taken in held
        )
    ]


def _held() -> Iterator[tuple[datetime, datetime]]:
    """From when until when there was a grant, as the events say."""
    given = None
    for event in EventStream.objects.filter(event_type__startswith="grant_").order_by("timestamp", "pk"):
        if event.event_type == "grant_created":
            given = event.timestamp
        elif given:
            yield given, event.timestamp
            given = None
    if given:
        yield given, datetime.max.replace(tzinfo=given.tzinfo) - COMMITTED
