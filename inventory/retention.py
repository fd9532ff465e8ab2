"""How long events are kept."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from inventory.db.bulk import among
from inventory.models import EventRetention, EventStream

#: Events deleted in one statement, few enough that others don't wait.
BATCH = 10_000
#: The database judges by its own clock, which may be behind.
CLOCKS_DIFFER = timedelta(minutes=5)


def prune_events() -> None:
    """Tell the database for how long to keep events (`EVENTS_RETENTION`), and delete those that are older."""
    days = settings.EVENTS_RETENTION.days
    if not EventRetention.objects.filter(days=days).exists():
        EventRetention.objects.update_or_create(pk=1, defaults={"days": days})
    cutoff = timezone.now() - settings.EVENTS_RETENTION - CLOCKS_DIFFER
    old = EventStream.objects.filter(timestamp__lt=cutoff).order_by("timestamp")
    while pks := list(old.values_list("pk", flat=True)[:BATCH]):
        EventStream.objects.filter(pk__in=among(pks)).delete()
