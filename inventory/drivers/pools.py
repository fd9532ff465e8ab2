"""The HTTP connections of all clouds: only to allowed addresses, and with guarded answers.

Both SDKs use urllib3. Its connections open their socket in `_new_conn`, which is private: it resolves the host in
`_dns_host` and connects to what it finds. Here the host is resolved once and checked, and `_new_conn` is given one
address after the other, so nothing is connected to that was not checked. `tests/inventory/drivers/test_pools.py`
says what this rests on.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from inventory.drivers.addresses import EVERY_NETWORK, Networks
from inventory.drivers.answers import GuardedResponse
from inventory.drivers.deadline import seconds_left
from inventory.drivers.values import Connection

#: A timeout of 0 would mean not to wait, in seconds.
_SHORTEST = 0.001


class CheckedConnection:
    """Connects to the allowed addresses of its host, in their order. Raises `AddressRefused` if there are none.

    A proxy belongs to whoever runs Portcullis. The setting does not apply to its address, only what never is
    allowed.
    """

    networks: Networks
    host: str
    port: int
    proxy: Any
    #: To connect, in seconds. Both SDKs set it before each request.
    timeout: float
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        name, networks = self._dns_host, EVERY_NETWORK if self.proxy else self.networks
        try:
            addresses = networks.allowed_among(self.host, _resolve(name, self.port))
        except OSError as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        *others, last = addresses
        try:
            for address in others:
                with suppress(ConnectTimeoutError, NewConnectionError):
                    return self._open(address)
            return self._open(last)
        finally:
            self._dns_host = name  # the name that a certificate has to be for

    def _open(self, address: str) -> socket.socket:
        self._dns_host = address
        self.timeout = min(self.timeout, max(seconds_left(), _SHORTEST))
        opened: socket.socket = super()._new_conn()  # type: ignore[misc]
        return opened


class CheckedPool:
    """Checks what a proxy is asked for, as far as that is known here: the proxy resolves names itself."""

    networks: Networks
    host: str
    port: int
    proxy: Any

    def urlopen(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if self.proxy:
            self._check_target(urlsplit(url).hostname or self.host)
        return super().urlopen(method, url, *args, **kwargs)  # type: ignore[misc]

    def _check_target(self, host: str) -> None:
        try:
            addresses = _resolve(host, self.port)
        except OSError:
            return  # a name that only the proxy knows
        self.networks.allowed_among(host, addresses)


def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises `OSError` if it has none."""
    try:
        answers = socket.getaddrinfo(host.strip("[]"), port, allowed_gai_family(), socket.SOCK_STREAM)
    except UnicodeError as error:  # a name that can't be
        raise OSError(str(error)) from error
    return [str(address[0]) for *_, address in answers]


def guarded(pools: Mapping[str, type[Any]], connection: Connection) -> dict[str, type[Any]]:
    """urllib3's classes of connection pools by scheme, for the connections of one cloud."""
    return {scheme: _guarded(pool, connection) for scheme, pool in pools.items()}


def _guarded(pool: type[Any], connection: Connection) -> type[Any]:
    networks = {"networks": connection.networks}
    response = {"response_class": partial(GuardedResponse, connection)}
    opened = pool.ConnectionCls
    connections = type(opened.__name__, (CheckedConnection, opened), networks | response)
    return type(pool.__name__, (CheckedPool, pool), networks | {"ConnectionCls": connections})
