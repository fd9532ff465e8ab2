"""Reads of which each request makes the same: Django makes their SQL once, which takes longer than running it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.db.models.expressions import Expression
from django.db.models.sql.compiler import SQLCompiler


class Slot(Expression):
    """Where a prepared read takes the value of this name, which is given as the database has it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


class Prepared:
    """A queryset with slots, which is made and compiled at its first use; each call fills them and reads the rows.

    A call returns in a list what the queryset would yield: instances, tuples or values.
    """

    def __init__(self, make: Callable[[], QuerySet[Any]]) -> None:
        self._make = make

    def __call__(self, **values: Any) -> list[Any]:
        prepared, compiled, sql, parameters = self._compiled
        filled = tuple(values[one.name] if isinstance(one, Slot) else one for one in parameters)
        rows, compiler = prepared.all(), copy(compiled)
        compiler.connection = connections[rows.db]  # that of this thread
        compiler.as_sql = lambda *args, **kwargs: (sql, filled)  # type: ignore[method-assign]
        rows.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]
        return list(rows)

    @cached_property
    def _compiled(self) -> tuple[QuerySet[Any], SQLCompiler, str, tuple[Any, ...]]:
        rows = self._make()
        compiler = rows.query.get_compiler(rows.db)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        compiler.get_converters = lambda expressions: converters
        return rows, compiler, sql, tuple(parameters)
