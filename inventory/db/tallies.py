"""Row counts, maintained by triggers for every writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inventory.db.triggers import TriggerOperation, Triggers

#: The table of `inventory.models.Tally`.
_TALLY = "inventory_tally"

#: The column of the tenant, in the tally and in the tables that are also counted by tenant.
_TENANT = "cloud_tenant_id"

#: The function of PostgreSQL's triggers. A statement appends one row for each provider that it wrote to, and one
#: for each tenant. `{columns}` are the tally's columns, and `{own}` those of the table. `{old}` and `{new}` are
#: their values in the written row.
_FUNCTION = """
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO {tally} ("table", {columns}, number)
        SELECT '{table}', {own}, count(*) FROM changed {grouped};
    WHEN 'DELETE' THEN
        INSERT INTO {tally} ("table", {columns}, number)
        SELECT '{table}', {own}, -count(*) FROM changed {grouped};
    WHEN 'UPDATE' THEN
        INSERT INTO {tally} ("table", {columns}, number)
        SELECT '{table}', {own}, sum(number) FROM (VALUES ({old}, -1), ({new}, 1)) AS changed ({own}, number)
        {grouped} AND sum(number) <> 0;
    WHEN 'TRUNCATE' THEN
        DELETE FROM {tally} WHERE "table" = '{table}';
    END CASE;
"""
#: SQLite has one writer at a time, so it counts in one row. The row may be missing after `flush`.
#: `{is_old}` and `{is_new}` match the tally's rows with the written row's values. Rows count if they fulfil
#: `{counts}`, and a written one if it fulfils `{new_counts}`.
_ADD = """
    INSERT INTO {tally} ("table", {columns}, number)
    SELECT '{table}', {new}, 0 WHERE {new_counts} AND NOT EXISTS (SELECT 1 FROM {tally} WHERE {is_new});
    UPDATE {tally} SET number = number + 1 WHERE {is_new}
"""
_SUBTRACT = "UPDATE {tally} SET number = number - 1 WHERE {is_old}"
_COUNT = """
    INSERT INTO {tally} ("table", {columns}, number)
    SELECT '{table}', {own}, count(*) FROM {table} WHERE {counts} GROUP BY {own}
"""
_FORGET = "DELETE FROM {tally} WHERE \"table\" = '{table}'"


class KeepTally(TriggerOperation):
    """Count the rows of a table, and maintain the count. `by` are columns that `Tally` has too.

    If the table calls some differently, `by` maps those of the tally to those of the table. With `by_tenant`, each
    row with a tenant is counted once more, in a row of the tally that has this tenant.
    """

    def __init__(
        self, model: str, by: Sequence[str] | Mapping[str, str] = ("provider_id",), *, by_tenant: bool = False
    ) -> None:
        super().__init__(model)
        self.by = by
        self.by_tenant = by_tenant
        self._columns = dict(by) if isinstance(by, Mapping) else dict(zip(by, by, strict=True))

    def create(self, vendor: str, table: str) -> Iterator[str]:
        triggers = Triggers(table, "tally")
        yield from self.drop(vendor, table)
        watched = [*self._columns.values(), *([_TENANT] if self.by_tenant else [])]
        if vendor == "postgresql":
            yield triggers.function(_FUNCTION.format(**self._names(table, self.by_tenant), grouped=self._grouped))
            yield from triggers.for_statements("INSERT", "DELETE", "TRUNCATE")
            yield triggers.for_updates_of(watched)
        else:
            add, subtract = self._filled(_ADD, table), self._filled(_SUBTRACT, table)
            yield triggers.on_sqlite("INSERT", "; ".join(add))
            yield triggers.on_sqlite("DELETE", "; ".join(subtract))
            yield triggers.on_sqlite("UPDATE", "; ".join([*subtract, *add]), watched)
        yield from self._filled(_COUNT, table)

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        yield from Triggers(table, "tally").dropped(vendor)
        yield _FORGET.format(tally=_TALLY, table=table)

    def describe(self) -> str:
        return f"Keep how many rows {self.model} has"

    @property
    def _grouped(self) -> str:
        """PostgreSQL's groups of rows: those of a provider, and those of a tenant unless they have none."""
        own = ", ".join(self._columns.values())
        if not self.by_tenant:
            return f"GROUP BY {own} HAVING TRUE"
        has_tenant = f"(grouping({_TENANT}) = 1 OR {_TENANT} IS NOT NULL)"
        return f"GROUP BY GROUPING SETS (({own}), ({own}, {_TENANT})) HAVING {has_tenant}"

    def _filled(self, statement: str, table: str) -> list[str]:
        """The statement for the rows of providers, and if need be for those of tenants."""
        return [
            statement.format(**self._names(table, of_tenant))
            for of_tenant in ((False, True) if self.by_tenant else (False,))
        ]

    def _names(self, table: str, of_tenant: bool) -> dict[str, str]:
        columns = self._columns | ({_TENANT: _TENANT} if of_tenant else {})

        def values(row: str) -> str:
            return ", ".join(f"{row}.{own}" for own in columns.values())

        def same(row: str) -> str:
            # `=` does not take a missing tenant for the null of the rows of providers.
            tenant = [f"{_TENANT} = {row}.{_TENANT}" if of_tenant else f"{_TENANT} IS NULL"]
            conditions = (f"{column} IS {row}.{own}" for column, own in self._columns.items())
            return " AND ".join([f"\"table\" = '{table}'", *conditions, *(tenant if self.by_tenant else [])])

        return {
            "tally": _TALLY,
            "table": table,
            "columns": ", ".join(columns),
            "own": ", ".join(columns.values()),
            "old": values("OLD"),
            "new": values("NEW"),
            "is_old": same("OLD"),
            "is_new": same("NEW"),
            "new_counts": f"NEW.{_TENANT} IS NOT NULL" if of_tenant else "TRUE",
            "counts": f"{_TENANT} IS NOT NULL" if of_tenant else "TRUE",
        }
