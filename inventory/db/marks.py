"""Marks on owners whose rows were written, made by triggers for every writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db import connection, models
from django.db.models.expressions import RawSQL

from inventory.db.triggers import TriggerOperation, Triggers

#: Within one transaction, an owner is marked once. Whatever others have marked may be worked off before this
#: transaction is visible to them. A set operation is hashed, whatever PostgreSQL believes of the table's size.
_MARK = """
    INSERT INTO {marks} ({owner}, transaction)
    SELECT owner, txid_current() FROM (
        {owners} EXCEPT SELECT {owner} FROM {marks} WHERE transaction = txid_current()
    ) AS owners (owner)
"""
#: SQLite has one writer at a time, and names no columns of a subquery.
_MARK_ON_SQLITE = """
    INSERT INTO {marks} ({owner}, "transaction")
    SELECT owner, 0 FROM (SELECT NULL AS owner WHERE 0 UNION {owners})
    WHERE NOT EXISTS (SELECT 1 FROM {marks} AS known WHERE known.{owner} = owner)
"""
_TRANSACTION = {"postgresql": "txid_current()", "sqlite": "0"}


class MarkOwners(TriggerOperation):
    """Mark owners of written rows in the table `marks`, whose columns are `owner` and `transaction`.

    `owners` is SQL that selects their ids from `{changed}`, which has the `columns` of the written rows.
    """

    def __init__(self, model: str, marks: str, owner: str, owners: str, columns: Sequence[str]) -> None:
        super().__init__(model)
        self.marks, self.owner, self.owners, self.columns = marks, owner, owners, columns

    def create(self, vendor: str, table: str) -> Iterator[str]:
        triggers = Triggers(table, "marks")
        yield from self.drop(vendor, table)
        if vendor == "postgresql":
            changed, before = self._mark(vendor, "changed"), self._mark(vendor, "before")
            yield triggers.function(f"{changed}; IF TG_OP = 'UPDATE' THEN {before}; END IF;")
            yield from triggers.for_statements("INSERT", "DELETE", "UPDATE")
        else:
            new, old = self._mark(vendor, self._row("NEW")), self._mark(vendor, self._row("OLD"))
            yield triggers.on_sqlite("INSERT", new)
            yield triggers.on_sqlite("DELETE", old)
            yield triggers.on_sqlite("UPDATE", f"{new}; {old}")

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        return Triggers(table, "marks").dropped(vendor)

    def describe(self) -> str:
        return f"Mark the owners of rows of {self.model}"

    def _mark(self, vendor: str, changed: str) -> str:
        mark = _MARK if vendor == "postgresql" else _MARK_ON_SQLITE
        return mark.format(
            marks=self.marks,
            owner=self.owner,
            owners=self.owners.format(changed=changed),
        )

    def _row(self, version: str) -> str:
        return f"(SELECT {', '.join(f'{version}.{column} AS {column}' for column in self.columns)})"


def marked_by_this_transaction() -> models.Q:
    """Marks of this transaction. On SQLite, they are all."""
    return models.Q(transaction=RawSQL(_TRANSACTION[connection.vendor], []))  # nosec B611 # noqa: S611 - no values
