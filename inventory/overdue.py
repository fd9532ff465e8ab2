"""Work that is overdue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from inventory.models import Lease, Provider, Task


def tasks(since: timedelta) -> QuerySet[Any]:
    """Unfinished tasks that are older than this and have no worker."""
    held = Lease.objects.filter(ends_on__gte=Now()).values("queue")
    return Task.objects.unfinished().filter(created_on__lt=timezone.now() - since).exclude(queue__in=held)


def deletions() -> list[Provider]:
    """Disconnected providers whose deletion task has failed."""
    tasks = Task.objects.deletions()
    deleted = Provider.objects.deleted().defer("credentials")
    return [provider for provider in deleted if not tasks.of_queue(f"providers/{provider.pk}").exists()]


def refreshes(since: timedelta = timedelta()) -> QuerySet[Any]:
    """Enabled providers whose refresh has been due for so long (`REFRESH_INTERVAL`), and is not queued."""
    if settings.REFRESH_INTERVAL.total_seconds() <= 0:
        return Provider.objects.none()
    due = timezone.now() - settings.REFRESH_INTERVAL - since
    queued = Task.objects.unfinished().filter(queue__startswith="providers/", provider__isnull=False)
    return (
        Provider.objects.enabled()
        .filter(Q(last_refresh_date=None) | Q(last_refresh_date__lt=due))
        .exclude(pk__in=queued.values("provider"))
    )
