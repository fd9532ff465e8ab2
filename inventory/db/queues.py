"""The number of tasks that wait in a queue, as the statement sees it that adds to them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from inventory.db.triggers import TriggerOperation

#: Expressions for the number of unfinished tasks in a queue, by vendor. PostgreSQL also locks the queue until the
#: transaction ends. SQLite runs one write transaction at a time anyway.
WAITING = {
    "postgresql": "inventory_task_waiting(%s)",
    "sqlite": "(SELECT count(*) FROM inventory_task WHERE queue = %s AND NOT state = 'Finished')",
}

#: The key of PostgreSQL's lock that requests share which lock one queue.
_EVERY_QUEUE = 0x506F7274


def lock_queues() -> None:
    """Lock every queue for other requests, until this transaction ends.

    A lock for each of ten thousand queues would not fit into PostgreSQL's memory for locks.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_EVERY_QUEUE])


_MAKE = """
    CREATE OR REPLACE FUNCTION {table}_waiting(wanted text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared({every});
        PERFORM pg_advisory_xact_lock(hashtextextended(wanted, 0));
        RETURN (SELECT count(*) FROM {table} WHERE queue = wanted AND NOT state = 'Finished');
    END $$
    """


class CountWaiting(TriggerOperation):
    """The function in `WAITING`, for the table of tasks.

    A statement does not see what others commit while it waits for the lock. Each statement of a volatile function
    does, so it counts correctly, and its caller inserts in the same round trip.
    """

    def create(self, vendor: str, table: str) -> Iterable[str]:
        if vendor == "postgresql":
            yield _MAKE.format(table=table, every=_EVERY_QUEUE)

    def drop(self, vendor: str, table: str) -> Iterable[str]:
        if vendor == "postgresql":
            yield f"DROP FUNCTION IF EXISTS {table}_waiting(text)"
