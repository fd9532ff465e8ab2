"""What `inventory/db/` rests on that Django and psycopg do not document: a release may change it.

Each test says what is expected of Django alone, so that one that fails names what has to follow.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import django
import psycopg
import pytest
from django.db import connections, models
from django.db.backends.postgresql import base, operations
from django.db.models import Count, Exists, F, OuterRef, QuerySet
from django.db.models.expressions import Col, Expression
from django.db.models.lookups import Exact
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.where import AND

from inventory.models import Provider, Vm
from tests.cast import Cast


def expects(holds: object, of_django: str, where: str) -> None:
    """Fail in words for whoever brings in another release."""
    if not holds:
        pytest.fail(
            f"Django {django.get_version()}: {of_django} no longer holds. inventory/db/{where} rests on it."
        )


class Marker(Expression):
    """A parameter that no database knows."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


def compiler_of(rows: QuerySet[Any, Any]) -> SQLCompiler:
    return rows.query.get_compiler(rows.db)


@pytest.mark.django_db
class TestCompiledQueries:
    def test_parameters_of_an_expression_come_back_as_they_are(self) -> None:
        marker = Marker()
        _, parameters = compiler_of(Vm.objects.filter(name=marker).values_list("pk")).as_sql()
        expects(marker in parameters, "SQLCompiler.as_sql() hands an expression's parameters on", "statements.py")

    def test_converters_are_by_the_position_of_the_column(self) -> None:
        compiler = compiler_of(Provider.objects.values_list("pk", "credentials"))
        compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        expects([*converters] == [1], "SQLCompiler.get_converters() gives {position: ...}", "statements.py")
        [row] = compiler.apply_converters([(7, None)], converters)
        expects(list(row) == [7, None], "SQLCompiler.apply_converters() takes rows and those", "statements.py")

    def test_instances_are_made_of_what_the_compiler_fetches(self, cast: Cast) -> None:
        rows = Vm.objects.filter(pk=cast.production.single.pk).select_related("provider")
        compiler = compiler_of(rows)
        chunks: list[list[Any]] = []
        execute: Callable[..., Any] = compiler.execute_sql

        def fetched(*args: Any, **kwargs: Any) -> list[list[Any]]:
            chunks.extend(map(list, execute(*args, **kwargs)))
            return chunks

        compiler.execute_sql = fetched  # type: ignore[method-assign]
        rows.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]
        made = list(rows)
        said = "ModelIterable asks its query for a compiler and that for chunks of rows"
        expects(
            chunks and made == [cast.production.single] and made[0].provider == cast.acme, said, "statements.py"
        )

    def test_a_compiler_keeps_its_connection_in_an_attribute(self) -> None:
        compiler = compiler_of(Vm.objects.all())
        said = "SQLCompiler.connection is the connection that values are converted for"
        expects(vars(compiler).get("connection") is connections["default"], said, "statements.py")


class TestInspection:
    def conditions(self, rows: QuerySet[Any, Any]) -> list[Any]:
        where = rows.query.where
        expects(
            where.connector == AND and not where.negated, "Query.where is an AND of conditions", "inspection.py"
        )
        return list(where.children)

    def test_an_equality_is_a_lookup_of_a_column(self) -> None:
        [condition] = self.conditions(Vm.objects.filter(provider_id=3))
        holds = isinstance(condition, Exact) and isinstance(condition.lhs, Col) and condition.rhs == 3
        expects(holds, "a filter is Exact(Col, value) in Query.where.children", "inspection.py")
        expects(condition.lhs.target.attname == "provider_id", "Col.target is the field", "inspection.py")

    def test_a_join_counts_its_tables(self) -> None:
        [alone, joined] = (
            sum(map(bool, rows.query.alias_refcount.values()))
            for rows in (Vm.objects.filter(name="a"), Vm.objects.filter(provider__name="a"))
        )
        expects((alone, joined) == (1, 2), "Query.alias_refcount counts the tables in use", "inspection.py")

    def test_what_is_grouped_sliced_or_combined_says_so(self) -> None:
        rows = Vm.objects.order_by()
        grouped = rows.values("name").annotate(n=Count("pk")).query
        holds = grouped.group_by is not None and rows.query.group_by is None
        expects(holds, "Query.group_by is None without a GROUP BY", "inspection.py")
        holds = rows[:1].query.is_sliced and rows.union(rows).query.combinator and rows.distinct().query.distinct
        expects(holds, "is_sliced, combinator and distinct are attributes of a Query", "inspection.py")


@pytest.mark.django_db
def test_a_subquery_names_the_one_column_that_it_selects() -> None:
    inner = Vm.objects.filter(provider=OuterRef("pk")).values_list("name")
    expects(
        [*(inner.query.selected or {})] == ["name"], "Query.selected has the columns by name", "expressions.py"
    )


@pytest.mark.django_db
def test_a_lookup_takes_an_expression_for_its_left_side() -> None:
    sql, _ = compiler_of(Vm.objects.filter(Exact(F("name"), "a"), Exists(Vm.objects.all()))).as_sql()
    expects('"name" = ' in sql, "a lookup can be a condition of its own", "conditions.py")


def test_what_the_backend_for_postgresql_overrides_is_there() -> None:
    names = {
        base.DatabaseWrapper: (
            "init_connection_state",
            "get_connection_params",
            "is_usable",
            "close_if_health_check_failed",
            "_prepare_cursor",
        ),
        operations.DatabaseOperations: ("last_executed_query", "compose_sql"),
    }
    for owner, methods in names.items():
        for name in methods:
            expects(callable(getattr(owner, name, None)), f"{owner.__qualname__}.{name}()", "postgresql/base.py")
    [_, *arguments] = inspect.signature(operations.DatabaseOperations.last_executed_query).parameters
    expects(
        arguments == ["cursor", "sql", "params"], "last_executed_query(cursor, sql, params)", "postgresql/base.py"
    )


def test_psycopg_prepares_by_a_threshold_of_the_connection() -> None:
    cursor = base.ServerBindingCursor
    expects(
        issubclass(cursor, psycopg.Cursor), "ServerBindingCursor binds values at the server", "postgresql/base.py"
    )
    threshold = psycopg.Connection.prepare_threshold
    expects(isinstance(threshold, property), "Connection.prepare_threshold can be set", "postgresql/base.py")


def test_a_field_says_how_it_is_stored_and_read() -> None:
    names = ("get_db_prep_save", "pre_save", "get_default", "has_default", "db_type")
    missing = [name for name in names if not callable(getattr(models.Field, name, None))]
    expects(not missing, f"Field has {', '.join(names)}", "bulk.py")
