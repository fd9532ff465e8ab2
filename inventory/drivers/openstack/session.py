"""The HTTP session of a connection to OpenStack: certificates, timeouts and limits on answers."""

from __future__ import annotations

import weakref
from typing import Any

import requests
from keystoneauth1.session import Session
from requests.adapters import HTTPAdapter

from inventory.drivers.answers import check_size
from inventory.drivers.endpoints import authority_file, check_url, is_loopback
from inventory.drivers.exceptions import CloudRefused, CredentialsRefused
from inventory.drivers.pools import guarded
from inventory.drivers.values import Connection

#: Timeout to connect, in seconds.
CONNECT_TIMEOUT = 5.0
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


def _nothing_else(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


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
    # For loopback, ignore the environment. Its proxies lead off this machine, and its certificates and passwords
    # are for other hosts.
    http.trust_env = not is_loopback(connection.url)
    # Requests have a token, or the credentials in their body. Without this, `requests` would add passwords for the
    # host that it finds in ~/.netrc, or in an address of the catalog.
    http.auth = _nothing_else
    keystone = Session(
        session=http,
        verify=authority.name if authority else connection.verify_ssl,
        redirect=False,
        app_name="Portcullis",
    )
    keystone.timeout = (CONNECT_TIMEOUT, connection.timeout)  # type: ignore[assignment]  # requests takes the two
    if authority:
        weakref.finalize(keystone, authority.close)
    return keystone
