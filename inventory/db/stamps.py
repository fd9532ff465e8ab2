"""Stamps on owners whose rows were written, made by triggers for every writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inventory.db.triggers import TriggerOperation, Triggers

#: By vendor, a number that no other stamp has.
_RANDOM = {
    "postgresql": "(random() * 9007199254740991)::bigint",
    "sqlite": "abs(random() % 9007199254740991)",
}
#: SQLite names no columns of a subquery.
_STAMP = """
    INSERT INTO {stamps} ({owner}, stamp)
    SELECT owner, {random} FROM (SELECT NULL AS owner WHERE 1 = 0 UNION {owners}) AS owners
"""
#: The function of PostgreSQL's triggers.
_FUNCTION = """
    CASE TG_OP
    WHEN 'UPDATE' THEN
        {lock_new} {updated};
    WHEN 'INSERT' THEN
        {lock_changed} {written};
    WHEN 'DELETE' THEN
        {written};
    WHEN 'TRUNCATE' THEN
        DELETE FROM {stamps};
    END CASE;
"""


class StampOwners(TriggerOperation):
    """Stamp the owners of rows that are inserted or deleted, or whose `columns` change, in the table `stamps`.

    PostgreSQL's writers only append stamps, so they never wait for each other. SQLite has one writer at a time, so
    a stamp replaces the one before. `owners` is SQL that selects the ids of owners from `{changed}`, which has the
    `columns` of the written rows, and their ids. With `only_updates`, no row has an owner when it is inserted or
    deleted. PostgreSQL first runs `lock`, which also has `{changed}`: rows that are inserted, or were updated.
    """

    def __init__(
        self,
        model: str,
        stamps: str,
        owner: str,
        owners: str,
        columns: Sequence[str],
        lock: str = "",
        *,
        only_updates: bool = False,
    ) -> None:
        super().__init__(model)
        self.stamps, self.owner, self.owners, self.columns = stamps, owner, owners, columns
        self.lock, self.only_updates = lock, only_updates

    def create(self, vendor: str, table: str) -> Iterator[str]:
        triggers = Triggers(table, "stamps")
        yield from self.drop(vendor, table)
        events = () if self.only_updates else ("INSERT", "DELETE", "TRUNCATE")
        new, old = self._row("NEW"), self._row("OLD")
        updated = self._stamp(vendor, f"({old} UNION ALL {new})")
        if vendor == "postgresql":
            yield triggers.function(
                _FUNCTION.format(
                    lock_new=self._lock(f"({new})"),
                    updated=updated,
                    lock_changed=self._lock("changed"),
                    written=self._stamp(vendor, "changed"),
                    stamps=self.stamps,
                )
            )
            yield triggers.for_updates_of(self.columns)
            yield from triggers.for_statements(*events)
        else:
            yield triggers.on_sqlite("UPDATE", updated, self.columns)
            for event, row in zip(events, (new, old), strict=False):
                yield triggers.on_sqlite(event, self._stamp(vendor, f"({row})"))
        if events:
            yield self._added(vendor, table)  # to what is there already

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        return Triggers(table, "stamps").dropped(vendor)

    def describe(self) -> str:
        return f"Stamp the owners of rows of {self.model}"

    def _stamp(self, vendor: str, changed: str) -> str:
        added = self._added(vendor, changed)
        if vendor == "postgresql":
            return added
        owners = self.owners.format(changed=changed)
        return f"DELETE FROM {self.stamps} WHERE {self.owner} IN ({owners}); {added}"  # nosec B608  # noqa: S608 - names

    def _lock(self, changed: str) -> str:
        return f"{self.lock.format(changed=changed)};" if self.lock else ""

    def _added(self, vendor: str, changed: str) -> str:
        owners = self.owners.format(changed=changed)
        return _STAMP.format(stamps=self.stamps, owner=self.owner, owners=owners, random=_RANDOM[vendor])

    def _row(self, version: str) -> str:
        return f"SELECT {', '.join(f'{version}.{column} AS {column}' for column in ('id', *self.columns))}"
