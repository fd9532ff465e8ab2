"""What `settings.DATABASES` names as the engine: `base.DatabaseWrapper` is where Django looks for it."""

from __future__ import annotations

import select
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from psycopg.adapt import AdaptersMap, Buffer

#: For how many seconds after a `SELECT 1` a connection is believed to be good while the server says nothing.
TRUSTED = 1.0


class TimeLoader(BaseTzLoader):
    """A time by one call of C; Django's own loader takes ten times as long, and a page has thousands of them.

    What Python can't hold or the session shows in another time zone is left to that.
    """

    timezone = UTC

    def load(self, data: Buffer) -> datetime:
        try:
            loaded = datetime.fromisoformat(str(data, "ascii"))
        except ValueError:
            loaded = None
        if loaded is None or loaded.tzinfo is not UTC:
            loaded = super().load(data)
        return loaded


@cache
def _with_our_loader(context: AdaptersMap) -> AdaptersMap:
    adapters = AdaptersMap(context)
    adapters.register_loader("timestamptz", TimeLoader)
    return adapters


class DatabaseWrapper(base.DatabaseWrapper):
    """A kept connection is asked once a second, not in each request, whether it is still good.

    A server that ends a connection says so, and then something is there to be read; what ends without a word
    is found by asking, where the last answer is older than `TRUSTED`.
    """

    _asked_at = float("-inf")

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
        reading = select.poll()
        reading.register(self.connection.fileno(), select.POLLIN)
        return not reading.poll(0)
