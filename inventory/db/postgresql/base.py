"""The engine in `settings.DATABASES`. Django requires `DatabaseWrapper` in a module called `base`."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import cache
from typing import Any, cast

import psycopg
from django.db.backends.postgresql import base, operations
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from psycopg.abc import AdaptContext, Loader
from psycopg.adapt import AdaptersMap
from psycopg.pq import Format

#: For how long a connection is trusted after a `SELECT 1` unless the server sends something, in seconds.
TRUSTED = 1.0

_of_psycopg = cast("type[Loader]", psycopg.adapters.get_loader(base.TIMESTAMPTZ_OID, Format.TEXT))


class TimeLoader(BaseTzLoader):
    """Makes psycopg's own loader, which is written in C and returns the right values if the session uses UTC.

    Django's loader is written in Python and called for each of the thousands of values of a page.
    """

    timezone = UTC  # Django checks it before it registers its own loader

    def __new__(cls, oid: int, context: AdaptContext | None = None) -> Any:
        return _of_psycopg(oid, context)


@cache
def _with_our_loader(context: AdaptersMap) -> AdaptersMap:
    adapters = AdaptersMap(context)
    adapters.register_loader("timestamptz", TimeLoader)
    return adapters


class DatabaseOperations(operations.DatabaseOperations):
    """Shows queries with their values, even if these were sent to the server separately."""

    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        if isinstance(cursor, base.ServerBindingCursor):
            return str(self.compose_sql(sql, params))
        return super().last_executed_query(cursor, sql, params)


class DatabaseWrapper(base.DatabaseWrapper):
    """Checks a persistent connection once a second at most, instead of once a request.

    If the server closes the connection, there is something to read from it. If the connection breaks silently, the
    next check finds out, at most `TRUSTED` seconds after the last one.
    """

    ops_class = DatabaseOperations
    _asked_at = float("-inf")
    _is_direct = False

    def init_connection_state(self) -> None:
        """Detect a connection pooler, which may use another server connection for each transaction.

        A pooler reports a process id to its clients that differs from the server's.
        """
        super().init_connection_state()
        with self.connection.cursor() as cursor:
            [pid] = cursor.execute("SELECT pg_backend_pid()").fetchone()
        self._is_direct = pid == self.connection.info.backend_pid

    @contextmanager
    def planned_cursor(self) -> Iterator[Any]:
        """A cursor for prepared statements, unless a pooler may switch the connection.

        Other cursors don't prepare statements, because psycopg would keep the text of each, however long.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        connection = self.connection
        with self.wrap_database_errors:
            server_cursor = base.ServerBindingCursor(connection)  # type: ignore[call-arg]
            cursor = self._prepare_cursor(server_cursor)  # type: ignore[attr-defined]
        connection.prepare_threshold = 0 if self._is_direct else None
        try:
            with cursor:
                yield cursor
        finally:
            connection.prepare_threshold = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if self.timezone is UTC:
            params["context"] = _with_our_loader(params["context"])
        return params

    def is_usable(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at < TRUSTED and not self.errors_occurred and self._is_quiet():
            return True
        self._asked_at = now
        return bool(super().is_usable())

    def _is_quiet(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poller = select.poll()
        poller.register(self.connection.fileno(), select.POLLIN)
        return not poller.poll(0)
