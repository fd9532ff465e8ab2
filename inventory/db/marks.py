"""Marks on owners whose rows were written, made by triggers for every writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db import connection, models
from django.db.models.expressions import RawSQL

from inventory.db.triggers import TriggerOperation

#: The statements that create the triggers, by vendor. Within one transaction, an owner is marked once. Whatever
#: others have marked may be worked off before this transaction is visible to them.
_MAKE = {
    "postgresql": (
        """
        CREATE FUNCTION {table}_marks() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {mark};
            IF TG_OP = 'UPDATE' THEN
                {mark_before};
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER {table}_marks_insert AFTER INSERT ON {table}
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_marks()
        """,
        """
        CREATE TRIGGER {table}_marks_delete AFTER DELETE ON {table}
        REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_marks()
        """,
        """
        CREATE TRIGGER {table}_marks_update AFTER UPDATE ON {table}
        REFERENCING NEW TABLE AS changed OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION {table}_marks()
        """,
    ),
    "sqlite": (
        "CREATE TRIGGER {table}_marks_insert AFTER INSERT ON {table} BEGIN {mark_new}; END",
        "CREATE TRIGGER {table}_marks_delete AFTER DELETE ON {table} BEGIN {mark_old}; END",
        "CREATE TRIGGER {table}_marks_update AFTER UPDATE ON {table} BEGIN {mark_new}; {mark_old}; END",
    ),
}
#: A set operation is hashed, whatever PostgreSQL believes of the size of the table.
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
_DROP = {
    "postgresql": ("DROP FUNCTION IF EXISTS {table}_marks CASCADE",),
    "sqlite": tuple(f"DROP TRIGGER IF EXISTS {{table}}_marks_{on}" for on in ("insert", "delete", "update")),
}


class MarkOwners(TriggerOperation):
    """Mark owners of written rows in the table `marks`, whose columns are `owner` and `transaction`.

    `owners` is SQL that selects their ids from `{changed}`, which has the `columns` of the written rows.
    """

    def __init__(self, model: str, marks: str, owner: str, owners: str, columns: Sequence[str]) -> None:
        super().__init__(model)
        self.marks, self.owner, self.owners, self.columns = marks, owner, owners, columns

    def create(self, vendor: str, table: str) -> Iterator[str]:
        filled = {
            "mark": self._mark(vendor, "changed"),
            "mark_before": self._mark(vendor, "before"),
            "mark_new": self._mark(vendor, self._row("NEW")),
            "mark_old": self._mark(vendor, self._row("OLD")),
        }
        yield from self.drop(vendor, table)
        yield from (statement.format(table=table, **filled) for statement in _MAKE[vendor])

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        return (statement.format(table=table) for statement in _DROP[vendor])

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
