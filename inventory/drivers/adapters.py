"""Connections of `requests` with limits on answers."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from inventory.drivers.answers import check_size
from inventory.drivers.pools import guarded
from inventory.drivers.values import Connection

#: How much of a compressed answer to decompress at a time, because it may grow a thousandfold.
CHUNK = 16 * 1024


class GuardedAdapter(HTTPAdapter):
    """`requests` connections with guarded answers, including their decompressed size."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._guard(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        is_known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not is_known:
            self._guard(manager)
        return manager

    def _guard(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = guarded(manager.pool_classes_by_scheme, self._connection)

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request and read the answer. `requests` would read it later, without a limit."""
        response = super().send(*args, **kwargs)
        content = bytearray()
        try:
            for chunk in response.iter_content(CHUNK):
                content += chunk
                check_size(len(content), self._connection)
        finally:
            response.close()
        response._content = bytes(content)
        return response
