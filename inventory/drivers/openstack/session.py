"""The HTTP of one connection to OpenStack: whom it trusts, how long it waits, what it takes for an answer."""

from __future__ import annotations

import weakref
from typing import Any

import requests
from keystoneauth1.session import Session
from requests.adapters import HTTPAdapter

from inventory.drivers.answers import check_size, guarded
from inventory.drivers.endpoints import authority_file, check_url, is_loopback
from inventory.drivers.exceptions import CloudRefused, CredentialsRefused
from inventory.drivers.values import Connection

#: To connect, in seconds.
CONNECT_TIMEOUT = 5.0
#: How much of a compressed answer is unpacked at a time: it may be a thousand times as much.
CHUNK = 16 * 1024


class GuardedAdapter(HTTPAdapter):
    """The connections of `requests`, with answers that are guarded, also against what they unpack to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._guard(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            self._guard(manager)
        return manager

    def _guard(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = guarded(manager.pool_classes_by_scheme, self._connection)

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer with its whole content, which `requests` reads later and without a limit otherwise."""
        answer = super().send(*args, **kwargs)
        content = bytearray()
        try:
            for chunk in answer.iter_content(CHUNK):
                content += chunk
                check_size(len(content), self._connection)
        finally:
            answer.close()
        answer._content = bytes(content)
        return answer


def session(connection: Connection) -> Session:
    if not (connection.userid and connection.password):
        raise CredentialsRefused("The provider has no user (userid) or no password.")
    if not connection.url:
        raise CloudRefused("The provider has no address. Set the URL or the host name of Keystone.")
    check_url(connection.url, "Keystone")
    authority = authority_file(connection.certificate_authority) if connection.verify_ssl else None
    http = requests.Session()
    for scheme in ("http://", "https://"):
        http.mount(scheme, GuardedAdapter(connection))
    # Off, it neither looks for proxies, which lead away from this machine, nor for certificates and passwords.
    http.trust_env = not is_loopback(connection.url)
    made = Session(
        session=http,
        verify=authority.name if authority else connection.verify_ssl,
        redirect=False,
        app_name="Portcullis",
    )
    made.timeout = (CONNECT_TIMEOUT, connection.timeout)  # type: ignore[assignment]  # requests takes the two
    if authority:
        weakref.finalize(made, authority.close)
    return made
