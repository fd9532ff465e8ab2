"""What `settings.DATABASES` names as the engine: `base.DatabaseWrapper` is where Django looks for it."""

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

#: For how many seconds after a `SELECT 1` a connection is believed to be good while the server says nothing.
TRUSTED = 1.0

_of_psycopg = cast("type[Loader]", psycopg.adapters.get_loader(base.TIMESTAMPTZ_OID, Format.TEXT))


class TimeLoader(BaseTzLoader):
    """psycopg's own loader, which is C and in a session in UTC makes what Django wants.

    Django's is Python and called for each value, of which a page has thousands.
    """

    timezone = UTC  # which Django asks before it uses one

    def __new__(cls, oid: int, context: AdaptContext | None = None) -> Any:
        return _of_psycopg(oid, context)


@cache
def _with_our_loader(context: AdaptersMap) -> AdaptersMap:
    adapters = AdaptersMap(context)
    adapters.register_loader("timestamptz", TimeLoader)
    return adapters


class DatabaseOperations(operations.DatabaseOperations):
    """What is shown of a query has its values also where those went to the server beside it."""

    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        if isinstance(cursor, base.ServerBindingCursor):
            return str(self.compose_sql(sql, params))
        return super().last_executed_query(cursor, sql, params)


class DatabaseWrapper(base.DatabaseWrapper):
    """A kept connection is asked once a second, not in each request, whether it is still good.

    A server that ends a connection says so, and then something is there to be read; what ends without a word
    is found by asking, where the last answer is older than `TRUSTED`.
    """

    ops_class = DatabaseOperations
    _asked_at = float("-inf")
    _is_direct = False

    def init_connection_state(self) -> None:
        """Learn whether a pooler stands between, which gives each transaction the connection that is free.

        It tells its clients of a process that no server has.
        """
        super().init_connection_state()
        with self.connection.cursor() as cursor:
            [pid] = cursor.execute("SELECT pg_backend_pid()").fetchone()
        self._is_direct = pid == self.connection.info.backend_pid

    @contextmanager
    def planned_cursor(self) -> Iterator[Any]:
        """A cursor of whose statements PostgreSQL keeps what it made of them, where the connection stays ours.

        Only of these: psycopg would remember the text of each other statement, however long, should it come again.
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
