"""Times between events, whatever the clock says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from inventory.db.event_guard import GuardEvents
from inventory.models import EventStream

#: Before every time that `moment` returns.
BEGINNING = timezone.now() - timedelta(hours=1)
#: SQLite stores milliseconds.
_STEP = timedelta(milliseconds=2)


def moment() -> datetime:
    """A time after every event until now and before every later one.

    For this, the events until now get other times, in the order of their ids and long enough ago.
    """
    events = list(EventStream.objects.order_by("pk"))
    for event in events:
        event.timestamp = BEGINNING + event.pk * _STEP
    with unguarded_events(connection):
        EventStream.objects.bulk_update(events, ["timestamp"])
    latest = events[-1].timestamp + _STEP / 2
    assert latest < timezone.now(), "Tests have written too many events."
    return latest


@contextmanager
def unguarded_events(connection: Any) -> Iterator[None]:
    """Let events be changed and deleted, in one transaction."""
    operation = GuardEvents("EventStream", [column.column for column in EventStream._meta.fields])
    table = EventStream._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        for sql in operation.drop(connection.vendor, table):
            cursor.execute(sql)
        yield
        for sql in operation.create(connection.vendor, table):
            cursor.execute(sql)
