"""Queries that are compiled once and run with different values, because compiling takes longer than running."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet
from django.db.models.expressions import Expression
from django.db.models.sql.compiler import SQLCompiler


def unchanged(value: Any) -> Any:
    return value


class Param(Expression):
    """The place of a named value in a compiled query. `adapt` converts the value."""

    def __init__(self, name: str, adapt: Callable[[Any], Any] = unchanged) -> None:
        super().__init__()
        self.name = name
        self.adapt = adapt

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Param) and (other.name, other.adapt) == (self.name, self.adapt)

    def __hash__(self) -> int:
        return hash(self.name)


def adapt_param(value: Any, adapt: Callable[[Any], Any]) -> Any:
    """Convert a parameter for the database, or a `Param` in its place."""
    return Param(value.name, adapt) if isinstance(value, Param) else adapt(value)


def planned_cursor(connection: Any) -> Any:
    """A cursor for statements whose plan PostgreSQL should cache. Other databases use normal cursors."""
    return getattr(connection, "planned_cursor", connection.cursor)()


class _Compiled(NamedTuple):
    rows: QuerySet[Any, Any]
    compiler: SQLCompiler
    sql: str
    parameters: Sequence[Any]
    converters: dict[int, Any]


class CompiledQuery:
    """A queryset with `Param`s. It is compiled at its first use, and each call passes values.

    With `planned`, PostgreSQL also keeps its plan, which it makes without the values. That suits reads by key. A
    query that may match one row or a million needs a new plan each time.
    """

    def __init__(self, make: Callable[[], QuerySet[Any, Any]], *, planned: bool = True) -> None:
        self._make = make
        self._planned = planned

    def __call__(self, **values: Any) -> Iterable[Sequence[Any]]:
        """The rows of a `values_list()`, as tuples."""
        if (compiled := self._compiled) is None:
            return []
        connection = connections[compiled.rows.db]
        rows = self._fetched(compiled, connection, values)
        if not compiled.converters:
            return rows
        converted: Iterable[Sequence[Any]] = _of(connection, compiled).apply_converters(rows, compiled.converters)
        return converted

    def instances(self, **values: Any) -> list[Any]:
        """The instances of a queryset, with their joined relations."""
        if (compiled := self._compiled) is None:
            return []
        connection = connections[compiled.rows.db]
        fetched = self._fetched(compiled, connection, values)
        rows, compiler = compiled.rows.all(), _of(connection, compiled)
        compiler.execute_sql = lambda *args, **kwargs: [fetched]  # type: ignore[method-assign, assignment]
        rows.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]
        return list(rows)

    def _fetched(self, compiled: _Compiled, connection: Any, values: Mapping[str, Any]) -> list[Sequence[Any]]:
        params = [
            param.adapt(values[param.name]) if isinstance(param, Param) else param for param in compiled.parameters
        ]
        with planned_cursor(connection) if self._planned else connection.cursor() as cursor:
            cursor.execute(compiled.sql, params)
            rows: list[Sequence[Any]] = cursor.fetchall()
        return rows

    @cached_property
    def _compiled(self) -> _Compiled | None:
        """None if no row can match."""
        rows = self._make()
        compiler = rows.query.get_compiler(rows.db)
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            return None
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        compiler.connection = None  # it belongs to this thread, and must not outlive it
        return _Compiled(rows, compiler, sql, parameters, converters)


def _of(connection: Any, compiled: _Compiled) -> SQLCompiler:
    """A copy of the compiler for this connection, with the converters that are already known."""
    compiler = copy(compiled.compiler)
    compiler.connection = connection
    compiler.get_converters = lambda expressions: compiled.converters  # type: ignore[method-assign]
    return compiler
