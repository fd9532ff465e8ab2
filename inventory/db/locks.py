"""Locks that are no rows."""

from __future__ import annotations

from django.db import connection


def lock(name: str) -> None:
    """Wait until no other transaction has this lock, and keep it until this one ends.

    SQLite runs one write transaction at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
