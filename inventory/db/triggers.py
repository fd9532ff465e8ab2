"""Database triggers and functions in migrations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class TriggerOperation(Operation, ABC):
    """Create triggers on the table of a model, or functions that read it. Reversed, drop them.

    On SQLite, Django alters a table by recreating it, without its triggers. Such a migration must end with this
    operation again, so `create` also drops existing triggers.
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
        table: str = state.apps.get_model(app_label, self.model)._meta.db_table
        return table


def _execute(
    schema_editor: BaseDatabaseSchemaEditor, table: str, statements: Callable[[str, str], Iterable[str]]
) -> None:
    for statement in statements(schema_editor.connection.vendor, table):
        schema_editor.execute(statement, params=None)
