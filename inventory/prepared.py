"""Reads of which each request makes the same: Django makes their SQL once, which takes longer than running it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet
from django.db.models.expressions import Expression
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler


def itself(value: Any) -> Any:
    return value


class Slot(Expression):
    """Where a prepared read takes the value of this name: as the database has it, or as `shown` makes it."""

    def __init__(self, name: str, shown: Callable[[Any], Any] = itself) -> None:
        super().__init__()
        self.name = name
        self.shown = shown

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and (other.name, other.shown) == (self.name, self.shown)

    def __hash__(self) -> int:
        return hash(self.name)


def shown(value: Any, how: Callable[[Any], Any]) -> Any:
    """A parameter as the database is to have it, also where a slot stands for it."""
    return Slot(value.name, how) if isinstance(value, Slot) else how(value)


class _Compiled(NamedTuple):
    database: str
    sql: str
    parameters: Sequence[Any]
    query: Query
    converters: dict[int, Any]


class Prepared:
    """A `values_list()` with slots, which is made and compiled at its first use; each call fills them.

    With `planned` PostgreSQL keeps its plan too. That suits reads by a key, of which each is like the other; for
    what leads to one row here and to a million there it would take the plan of neither.
    """

    def __init__(self, make: Callable[[], QuerySet[Any, Any]], *, planned: bool = True) -> None:
        self._make = make
        self._planned = planned

    def __call__(self, **values: Any) -> Iterable[Sequence[Any]]:
        """The rows, as tuples."""
        if (compiled := self._compiled) is None:
            return []
        filled = [one.shown(values[one.name]) if isinstance(one, Slot) else one for one in compiled.parameters]
        connection = connections[compiled.database]
        # Only our backend for PostgreSQL can tell one from the other.
        cursor = getattr(connection, "planned_cursor", connection.cursor) if self._planned else connection.cursor
        with cursor() as reading:
            reading.execute(compiled.sql, filled)
            rows: list[Sequence[Any]] = reading.fetchall()
        if not compiled.converters:
            return rows
        converted: Iterable[Sequence[Any]] = compiled.query.get_compiler(connection=connection).apply_converters(
            rows, compiled.converters
        )
        return converted

    @cached_property
    def _compiled(self) -> _Compiled | None:
        """None for what no row can be."""
        rows = self._make()
        compiler = rows.query.get_compiler(rows.db)
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            return None
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        return _Compiled(rows.db, sql, parameters, rows.query, converters)
