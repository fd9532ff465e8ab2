"""Not waiting for locks, where what would be written is not worth it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

#: In milliseconds.
SHORT = 200


@contextmanager
def impatient() -> Iterator[None]:
    """Let SQLite, which has one writer at a time, raise `OperationalError` soon if somebody else writes."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        [usual] = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {SHORT}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")
