"""Row counts, maintained by triggers for every writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inventory.db.triggers import TriggerOperation

#: The table of `inventory.models.Tally`.
_TALLY = "inventory_tally"

#: The statements that create the triggers, by vendor. `{columns}` are the columns that a table is tallied by.
#: `{old}` and `{new}` are their values in the written row. `{is_old}` and `{is_new}` match the tally's rows with
#: these values.
_MAKE = {
    # A statement appends one row for each provider that it wrote to. Updates have a trigger for each row, which
    # only runs if a column changed. A trigger for statements would store both versions of every updated row.
    "postgresql": (
        """
        CREATE FUNCTION {table}_tally() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            CASE TG_OP
            WHEN 'INSERT' THEN
                INSERT INTO {tally} ("table", {columns}, number)
                SELECT '{table}', {columns}, count(*) FROM changed GROUP BY {columns};
            WHEN 'DELETE' THEN
                INSERT INTO {tally} ("table", {columns}, number)
                SELECT '{table}', {columns}, -count(*) FROM changed GROUP BY {columns};
            WHEN 'UPDATE' THEN
                INSERT INTO {tally} ("table", {columns}, number)
                VALUES ('{table}', {old}, -1), ('{table}', {new}, 1);
            WHEN 'TRUNCATE' THEN
                DELETE FROM {tally} WHERE "table" = '{table}';
            END CASE;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER {table}_tally_insert AFTER INSERT ON {table}
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_tally()
        """,
        """
        CREATE TRIGGER {table}_tally_delete AFTER DELETE ON {table}
        REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_tally()
        """,
        """
        CREATE TRIGGER {table}_tally_update AFTER UPDATE OF {columns} ON {table}
        FOR EACH ROW WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION {table}_tally()
        """,
        """
        CREATE TRIGGER {table}_tally_truncate AFTER TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_tally()
        """,
    ),
    # SQLite has one writer at a time, so it counts in one row. The row may be missing after `flush`.
    "sqlite": (
        "CREATE TRIGGER {table}_tally_insert AFTER INSERT ON {table} BEGIN {add}; END",
        "CREATE TRIGGER {table}_tally_delete AFTER DELETE ON {table} BEGIN {subtract}; END",
        """
        CREATE TRIGGER {table}_tally_update AFTER UPDATE OF {columns} ON {table}
        WHEN ({old}) IS NOT ({new}) BEGIN {subtract}; {add}; END
        """,
    ),
}
_ADD = """
    INSERT INTO {tally} ("table", {columns}, number)
    SELECT '{table}', {new}, 0 WHERE NOT EXISTS (SELECT 1 FROM {tally} WHERE {is_new});
    UPDATE {tally} SET number = number + 1 WHERE {is_new}
"""
_SUBTRACT = "UPDATE {tally} SET number = number - 1 WHERE {is_old}"
_COUNT = """
    INSERT INTO {tally} ("table", {columns}, number)
    SELECT '{table}', {columns}, count(*) FROM {table} GROUP BY {columns}
"""
_FORGET = "DELETE FROM {tally} WHERE \"table\" = '{table}'"
_DROP = {
    "postgresql": ("DROP FUNCTION IF EXISTS {table}_tally CASCADE",),
    "sqlite": tuple(f"DROP TRIGGER IF EXISTS {{table}}_tally_{on}" for on in ("insert", "delete", "update")),
}


class KeepTally(TriggerOperation):
    """Count the rows of a table, and maintain the count. `by` are columns that `Tally` has too."""

    def __init__(self, model: str, by: Sequence[str] = ("provider_id",)) -> None:
        super().__init__(model)
        self.by = by

    def create(self, vendor: str, table: str) -> Iterator[str]:
        return self._filled(table, *_DROP[vendor], _FORGET, *_MAKE[vendor], _COUNT)

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        return self._filled(table, *_DROP[vendor], _FORGET)

    def describe(self) -> str:
        return f"Keep how many rows {self.model} has"

    def _filled(self, table: str, *statements: str) -> Iterator[str]:
        return (_filled(statement, table, self.by) for statement in statements)


def _filled(statement: str, table: str, by: Sequence[str]) -> str:
    def values(row: str) -> str:
        return ", ".join(f"{row}.{column}" for column in by)

    def same(row: str) -> str:
        return " AND ".join([f"\"table\" = '{table}'", *(f"{column} IS {row}.{column}" for column in by)])

    names = {"tally": _TALLY, "table": table, "columns": ", ".join(by)}
    names |= {"old": values("OLD"), "new": values("NEW"), "is_old": same("OLD"), "is_new": same("NEW")}
    return statement.format(**names, add=_ADD.format(**names), subtract=_SUBTRACT.format(**names))
