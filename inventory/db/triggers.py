"""Database triggers and functions in migrations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

#: SQLite's time, as Django stores it.
SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
#: What the function of PostgreSQL's triggers calls the rows that a statement has written.
_WRITTEN = {
    "INSERT": "REFERENCING NEW TABLE AS changed",
    "DELETE": "REFERENCING OLD TABLE AS changed",
    "UPDATE": "REFERENCING NEW TABLE AS changed OLD TABLE AS before",
    "TRUNCATE": "",
}


class Triggers(NamedTuple):
    """The SQL of triggers of one `kind` on a table.

    PostgreSQL's share a function. SQLite's run once for each row, and have their own statements.
    """

    table: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.table}_{self.kind}"

    def function(self, body: str, declare: str = "", settings: str = "") -> str:
        """PostgreSQL's function, which `TG_OP` tells why it runs. It runs with these `settings` (`SET`)."""
        declared = f"DECLARE {declare}" if declare else ""
        return f"""
            CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql {settings} AS $$
            {declared} BEGIN {body} RETURN NULL; END $$
        """

    def for_statements(self, *events: str) -> Iterator[str]:
        """PostgreSQL's triggers after statements, whose rows are in `changed`, and `before` with those of old."""
        for event in events:
            yield f"""
                CREATE TRIGGER {self.name}_{event.lower()} AFTER {event} ON {self.table}
                {_WRITTEN[event]} FOR EACH STATEMENT EXECUTE FUNCTION {self.name}()
            """

    def for_updates_of(self, columns: Sequence[str]) -> str:
        """PostgreSQL's trigger after an UPDATE of each row in which one of these columns differs.

        A trigger for statements would store both versions of every updated row.
        """
        return f"{self._after_update_of(columns, 'IS DISTINCT FROM')} EXECUTE FUNCTION {self.name}()"

    def on_sqlite(
        self, event: str, body: str, columns: Sequence[str] = (), when: str = "TRUE", time: str = "AFTER"
    ) -> str:
        """SQLite's trigger at this `time`; of an UPDATE, after it if one of the `columns` differs."""
        if columns:
            return f"{self._after_update_of(columns, 'IS NOT', when)} BEGIN {body}; END"
        condition = f"{time} {event} ON {self.table} WHEN {when}"
        return f"CREATE TRIGGER {self.name}_{event.lower()} {condition} BEGIN {body}; END"

    def _after_update_of(self, columns: Sequence[str], differs: str, when: str = "TRUE") -> str:
        old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
        return f"""
            CREATE TRIGGER {self.name}_update AFTER UPDATE OF {", ".join(columns)} ON {self.table}
            FOR EACH ROW WHEN (({old}) {differs} ({new}) AND {when})
        """

    def dropped(self, vendor: str) -> Iterator[str]:
        """Drop them all, if they exist."""
        if vendor == "postgresql":
            yield f"DROP FUNCTION IF EXISTS {self.name} CASCADE"
        else:
            for event in ("insert", "delete", "update"):
                yield f"DROP TRIGGER IF EXISTS {self.name}_{event}"


class TriggerOperation(Operation, ABC):
    """Create triggers on the table of a model, or functions that read it. Reversed, drop them.

    A later migration can repeat it with other arguments, so `create` also drops existing triggers. A model of
    another app has its label, `app.Model`.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model: str) -> None:
        self.model = model

    @abstractmethod
    def create(self, vendor: str, table: str) -> Iterable[str]:
        """The statements that create or replace the triggers or functions."""

    @abstractmethod
    def drop(self, vendor: str, table: str) -> Iterable[str]:
        """The statements that drop the triggers or functions, if they exist."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Do nothing, because neither triggers nor functions change the state of models."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        _execute(schema_editor, self._table(app_label, to_state), self.create)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        _execute(schema_editor, self._table(app_label, from_state), self.drop)

    def _table(self, app_label: str, state: ProjectState) -> str:
        label = self.model if "." in self.model else f"{app_label}.{self.model}"
        table: str = state.apps.get_model(label)._meta.db_table
        return table


def _execute(
    schema_editor: BaseDatabaseSchemaEditor, table: str, statements: Callable[[str, str], Iterable[str]]
) -> None:
    for statement in statements(schema_editor.connection.vendor, table):
        schema_editor.execute(statement, params=None)
