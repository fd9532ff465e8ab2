"""Row counts, maintained by triggers for every writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inventory.db.triggers import TriggerOperation, Triggers

#: The table of `inventory.models.Tally`.
_TALLY = "inventory_tally"

#: The function of PostgreSQL's triggers. A statement appends one row for each provider that it wrote to.
#: `{columns}` are the tally's columns, and `{own}` those of the table. `{old}` and `{new}` are their values in the
#: written row.
#: `{is_old}` and `{is_new}` match the tally's rows with these values.
_FUNCTION = """
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO {tally} ("table", {columns}, number)
        SELECT '{table}', {own}, count(*) FROM changed GROUP BY {own};
    WHEN 'DELETE' THEN
        INSERT INTO {tally} ("table", {columns}, number)
        SELECT '{table}', {own}, -count(*) FROM changed GROUP BY {own};
    WHEN 'UPDATE' THEN
        INSERT INTO {tally} ("table", {columns}, number)
        VALUES ('{table}', {old}, -1), ('{table}', {new}, 1);
    WHEN 'TRUNCATE' THEN
        DELETE FROM {tally} WHERE "table" = '{table}';
    END CASE;
"""
#: SQLite has one writer at a time, so it counts in one row. The row may be missing after `flush`.
_ADD = """
    INSERT INTO {tally} ("table", {columns}, number)
    SELECT '{table}', {new}, 0 WHERE NOT EXISTS (SELECT 1 FROM {tally} WHERE {is_new});
    UPDATE {tally} SET number = number + 1 WHERE {is_new}
"""
_SUBTRACT = "UPDATE {tally} SET number = number - 1 WHERE {is_old}"
_COUNT = """
    INSERT INTO {tally} ("table", {columns}, number)
    SELECT '{table}', {own}, count(*) FROM {table} GROUP BY {own}
"""
_FORGET = "DELETE FROM {tally} WHERE \"table\" = '{table}'"


class KeepTally(TriggerOperation):
    """Count the rows of a table, and maintain the count. `by` are columns that `Tally` has too.

    If the table calls some differently, `by` maps those of the tally to those of the table.
    """

    def __init__(self, model: str, by: Sequence[str] | Mapping[str, str] = ("provider_id",)) -> None:
        super().__init__(model)
        self.by = by
        self._columns = dict(by) if isinstance(by, Mapping) else dict(zip(by, by, strict=True))

    def create(self, vendor: str, table: str) -> Iterator[str]:
        triggers = Triggers(table, "tally")
        yield from self.drop(vendor, table)
        if vendor == "postgresql":
            yield triggers.function(self._filled(_FUNCTION, table))
            yield from triggers.for_statements("INSERT", "DELETE", "TRUNCATE")
            yield triggers.for_updates_of([*self._columns.values()])
        else:
            add, subtract = self._filled(_ADD, table), self._filled(_SUBTRACT, table)
            yield triggers.on_sqlite("INSERT", add)
            yield triggers.on_sqlite("DELETE", subtract)
            yield triggers.on_sqlite("UPDATE", f"{subtract}; {add}", [*self._columns.values()])
        yield self._filled(_COUNT, table)

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        yield from Triggers(table, "tally").dropped(vendor)
        yield self._filled(_FORGET, table)

    def describe(self) -> str:
        return f"Keep how many rows {self.model} has"

    def _filled(self, statement: str, table: str) -> str:
        def values(row: str) -> str:
            return ", ".join(f"{row}.{own}" for own in self._columns.values())

        def same(row: str) -> str:
            columns = (f"{column} IS {row}.{own}" for column, own in self._columns.items())
            return " AND ".join([f"\"table\" = '{table}'", *columns])

        names = {"tally": _TALLY, "table": table, "columns": ", ".join(self._columns)}
        names["own"] = ", ".join(self._columns.values())
        names |= {"old": values("OLD"), "new": values("NEW"), "is_old": same("OLD"), "is_new": same("NEW")}
        return statement.format(**names)
