"""Work that is overdue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from inventory.models import Lease, Provider, Task


def tasks(min_age: timedelta) -> QuerySet[Any]:
    """Unfinished tasks that are older than this and have no worker."""
    leased = Lease.objects.filter(ends_on__gte=Now()).values("queue")
    unfinished = Task.objects.may_run().filter(created_on__lt=timezone.now() - min_age)
    return unfinished.exclude(queue="").exclude(queue__in=leased)


def deletions() -> list[Provider]:
    """Disconnected providers whose deletion task has failed."""
    tasks = Task.objects.deletions()
    providers = Provider.objects.deleted().defer("credentials")
    return [provider for provider in providers if not tasks.of_queue(f"providers/{provider.pk}").exists()]


def refreshes(grace: timedelta = timedelta()) -> QuerySet[Any]:
    """Enabled providers whose refresh has been due for so long (`REFRESH_INTERVAL`), and is not queued."""
    if settings.REFRESH_INTERVAL.total_seconds() <= 0:
        return Provider.objects.none()
    cutoff = timezone.now() - settings.REFRESH_INTERVAL - grace
    queued = Task.objects.unfinished().filter(queue__startswith="providers/", provider__isnull=False)
    return (
        Provider.objects.enabled()
        .filter(Q(last_refresh_date=None) | Q(last_refresh_date__lt=cutoff))
        .exclude(pk__in=queued.values("provider"))
    )
