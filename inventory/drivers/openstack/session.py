"""The HTTP session of a connection to OpenStack: certificates, timeouts and limits on answers."""

from __future__ import annotations

import weakref

import requests
from keystoneauth1.session import Session

from inventory.drivers.adapters import GuardedAdapter
from inventory.drivers.endpoints import authority_file, check_url, is_loopback
from inventory.drivers.exceptions import CloudRefused, CredentialsRefused
from inventory.drivers.values import Connection


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
    # `requests` takes a timeout of connecting and one of reading
    keystone.timeout = connection.connect_timeout, connection.timeout  # type: ignore[assignment]
    if authority:
        weakref.finalize(keystone, authority.close)
    return keystone
