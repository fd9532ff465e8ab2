"""The engine in `settings.DATABASES`. Django requires `DatabaseWrapper` in a module called `base`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.sqlite3 import base, schema
from django.db.models import Model

_TRIGGERS = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND instr(lower(sql), lower(%s)) ORDER BY rowid"
)


class SchemaEditor(schema.DatabaseSchemaEditor):
    """Rebuilds a table with its triggers, and those of other tables that write to it.

    SQLite would drop its own together with the old table, and refuse to rename the new one because of the others.
    """

    def _remake_table(self, model: type[Model], *args: Any, **kwargs: Any) -> None:
        with self._without_triggers(model._meta.db_table):
            super()._remake_table(model, *args, **kwargs)  # type: ignore[misc]  # private

    @contextmanager
    def _without_triggers(self, table: str) -> Iterator[None]:
        with self.connection.cursor() as cursor:
            cursor.execute(_TRIGGERS, [table])
            triggers = cursor.fetchall()
        for name, _ in triggers:
            self.execute(f"DROP TRIGGER {self.quote_name(name)}", params=None)
        yield
        for _, sql in triggers:
            self.execute(sql, params=None)


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = SchemaEditor
