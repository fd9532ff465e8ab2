"""What our backend for PostgreSQL does otherwise than Django's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import DataError, connection

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="is about PostgreSQL"),
]


@pytest.fixture
def other() -> Iterator[psycopg.Connection[Any]]:
    """Another connection to the same server."""
    parameters = connection.get_connection_params()
    with psycopg.connect(
        **{
            name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters
        },
        autocommit=True,
    ) as connected:
        yield connected


def selected(expression: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("micro", [0, 1, 100_000, 123_456])
@pytest.mark.parametrize("year", [1, 1999, 9999])
def test_times_are_those_that_were_written(micro: int, year: int) -> None:
    written = datetime(year, 12, 31, 23, 59, 59, micro, UTC)
    loaded = selected(f"'{written.isoformat()}'::timestamptz")
    assert loaded == written
    assert loaded.tzinfo is UTC
    assert selected("NULL::timestamptz") is None


@pytest.mark.parametrize("beyond", ["infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00+00"])
def test_a_time_that_python_cannot_hold_is_an_error(beyond: str) -> None:
    with pytest.raises(DataError):
        selected(f"'{beyond}'::timestamptz")


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_not_usable(other: psycopg.Connection[Any]) -> None:
    connection.ensure_connection()
    assert connection.is_usable()
    other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
    assert not connection.is_usable()
    connection.close()


def test_a_connection_that_was_asked_a_moment_ago_is_not_asked_again(other: psycopg.Connection[Any]) -> None:
    pid = selected("pg_backend_pid()")

    def asked() -> Any:
        return other.execute("SELECT query_start FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()

    connection._asked_at = time.monotonic() + 60  # so that no second passes here
    first = asked()
    assert connection.is_usable()
    assert asked() == first
    connection._asked_at = float("-inf")
    assert connection.is_usable()
    assert asked() != first


def prepared(wrapper: Any) -> list[str]:
    """What is prepared on a connection after a cursor of each kind has read something."""
    for cursor in (wrapper.planned_cursor, wrapper.cursor):
        with cursor() as reading:
            reading.execute("SELECT %s::int + 1", [7])
            assert reading.fetchone() == (8,)
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%int + 1'")
        return [statement for (statement,) in cursor.fetchall()]


@pytest.fixture
def another() -> Iterator[Any]:
    """Another connection as Django makes them."""
    wrapper = connection.copy()
    yield wrapper
    wrapper.close()


def test_only_what_is_planned_is_prepared(another: Any) -> None:
    assert prepared(another) == ["SELECT $1::int + 1"]
    assert another.connection.prepare_threshold is None


def test_behind_a_pooler_nothing_is_prepared(another: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 0)
    assert prepared(another) == []
