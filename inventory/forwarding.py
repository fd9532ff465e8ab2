"""Copies events to the log `inventory.events`, which `EVENTS_LOG` leads to a file or to syslog.

Triggers write events, so no process knows of all. This finds those that were committed since the last time: each
once, or twice if the process dies meanwhile. On PostgreSQL, an event whose count grew comes again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from inventory.models import EventPosition, EventStream
from inventory.rest.resources import get_resource_type

logger = logging.getLogger("inventory.events")

#: No transaction takes as long as this.
LONGEST = timedelta(days=1)

#: PostgreSQL: the id that every transaction before it has ended.
_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
#: Whether the transaction that wrote a row began at the first of two ids or later, and before the second.
_BETWEEN = "age(inventory_eventstream.xmin) BETWEEN age(%s::text::xid8::xid) + 1 AND age(%s::text::xid8::xid)"


@transaction.atomic
def forward_events() -> None:
    """Log the events since the last call. The first one begins with those that come after it.

    The position stays if the log can't be written; see `inventory.logs.Strict`.
    """
    row, now = EventPosition.objects.select_for_update().first(), timezone.now()
    if row is None:
        EventPosition.objects.create(position=_end(), moved_on=now)
        return
    end = _end()
    for event in shown(_between(row, end)):
        logger.info("%s", orjson.dumps(event).decode())
    EventPosition.objects.update(position=end, moved_on=now)


def shown(events: QuerySet[EventStream]) -> Iterator[dict[str, Any]]:
    """Events with the attributes that the API shows."""
    attributes = get_resource_type("event_streams").columns
    yield from events.values("id", *attributes).iterator()


def _end() -> int:
    """The position behind all events that are there for good."""
    if connection.vendor != "postgresql":  # one writer at a time, so ids are in the order of the commits
        return EventStream.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON)
        [horizon] = cursor.fetchone()
    return int(horizon)


def _between(row: EventPosition, end: int) -> QuerySet[Any]:
    """The events behind the position of a row up to another one, in their order."""
    events = EventStream.objects.order_by("pk")
    if connection.vendor != "postgresql":
        return events.filter(pk__gt=row.position, pk__lte=end)
    written = RawSQL(_BETWEEN, [end, row.position], output_field=BooleanField())  # nosec B611  # noqa: S611
    return events.filter(written, timestamp__gt=row.moved_on - LONGEST)
