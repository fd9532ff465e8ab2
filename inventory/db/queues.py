"""The number of tasks that wait in a queue, as the statement sees it that adds to them."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.db.triggers import TriggerOperation

#: Expressions for the number of unfinished tasks in a queue, by vendor. PostgreSQL also locks the queue until the
#: transaction ends. SQLite runs one write transaction at a time anyway.
WAITING = {
    "postgresql": "inventory_task_waiting(%s)",
    "sqlite": "(SELECT count(*) FROM inventory_task WHERE queue = %s AND NOT state = 'Finished')",
}


_MAKE = """
    CREATE OR REPLACE FUNCTION {table}_waiting(wanted text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
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
            yield _MAKE.format(table=table)

    def drop(self, vendor: str, table: str) -> Iterable[str]:
        if vendor == "postgresql":
            yield f"DROP FUNCTION IF EXISTS {table}_waiting(text)"
