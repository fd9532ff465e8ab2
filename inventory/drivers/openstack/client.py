"""OpenStack's APIs as one connection sees them: what the machine's environment and files say is not looked at.

The only module, with `errors`, that imports openstacksdk, and so the one that the driver imports late. Answers are
taken as the JSON that they are: resources of the SDK cost ten times as much, and an inventory has many.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from copy import copy
from functools import lru_cache, partial
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from openstack.connection import Connection as Sdk

from inventory.drivers.endpoints import authority_file, check_url, is_loopback
from inventory.drivers.failures import CloudRefused, CredentialsRefused
from inventory.drivers.openstack.errors import cloud_errors, raise_for
from inventory.drivers.pace import AT_ONCE, Pace
from inventory.drivers.values import Connection

Service = Literal["identity", "compute", "network"]

#: To connect, in seconds.
CONNECT_TIMEOUT = 5.0
#: Resources in one page: what Nova gives at most unless its operator allows more.
PAGE_SIZE = 1000
#: Of Nova: a server has its description and the name of its flavor. In every release since Pike (2017).
COMPUTE_VERSION = "2.47"
#: The domain, and the project, of those who name none.
DEFAULT_DOMAIN, DEFAULT_PROJECT = "default", "admin"


class Client:
    """The APIs of one project's view; safe to share between threads. Raises nothing but `CloudError`."""

    _pace = AT_ONCE

    def __init__(self, connection: Connection) -> None:
        self._session = _session(connection)
        self._keystone = _keystone(connection)
        with cloud_errors():
            self._session.auth = _login(self._session, connection)
            self._sdk = Sdk(session=self._session, region_name=connection.region)
            self.project_ref: str = self._session.get_project_id() or ""
            catalog = self._session.auth.get_access(self._session).service_catalog
            network = catalog.endpoint_data_for("network", interface="public", region_name=connection.region)
            self.region: str | None = network.region_name

    def at(self, pace: Pace) -> Self:
        """The same login, at this pace."""
        paced = copy(self)
        paced._pace = pace
        return paced

    def get(self, service: Service, path: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a request that changes nothing."""
        answer: dict[str, Any] = self._request(service, "GET", path, params=parameters).json()
        return answer

    def read(self, service: Service, path: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """What all pages of a list have under `key`."""
        parameters = {"limit": PAGE_SIZE, **parameters}
        while True:
            page = self.get(service, path, **parameters)
            yield from page[key]
            links = page.get(f"{key}_links") or ()
            following = next((link["href"] for link in links if link["rel"] == "next"), None)
            if not following or not page[key]:
                return
            # Of the address only the marker: behind a proxy its host may be one that nobody can reach.
            parameters["marker"] = dict(parse_qsl(urlsplit(following).query))["marker"]

    def write(
        self, method: Literal["POST", "PUT", "DELETE"], path: str, body: Any = None, **headers: str
    ) -> tuple[dict[str, Any], str | None]:
        """Change something at Neutron, with a request that is sent once; its answer and its id."""
        answer = self._request("network", method, path, json=body, headers=headers)
        return (answer.json() if answer.content else {}), answer.headers.get("X-Openstack-Request-Id")

    def own_project(self) -> Mapping[str, Any]:
        """The project that these credentials are scoped to."""
        with cloud_errors():
            projects = _reachable(self._session, self._keystone)
        nameless = {"id": self.project_ref, "name": self.project_ref}
        return next((project for project in projects if project["id"] == self.project_ref), nameless)

    def _request(self, service: Service, method: str, path: str, **options: Any) -> requests.Response:
        action = f"{method} {service}/{path.strip('/').partition('/')[0]}"
        return self._pace.send(action, partial(self._send, service, method, path, options))

    def _send(self, service: Service, method: str, path: str, options: Mapping[str, Any]) -> requests.Response:
        version = {"microversion": COMPUTE_VERSION} if service == "compute" else {}
        with cloud_errors():
            # No repetition here: who asks has its own patience, and a write may have been done.
            answer: requests.Response = getattr(self._sdk, service).request(
                path, method, connect_retries=0, **version, **options
            )
        raise_for(answer)
        return answer


@lru_cache(maxsize=128)
def client(connection: Connection) -> Client:
    """The client of a connection, one for the whole process: logging in and discovery are five requests."""
    return Client(connection)


def _session(connection: Connection) -> Session:
    if not (connection.userid and connection.password):
        raise CredentialsRefused("The provider has no user (userid) or no password.")
    if not connection.url:
        raise CloudRefused("The provider has no address: give the url or the hostname of Keystone.")
    check_url(connection.url, "Keystone")
    authority = authority_file(connection.certificate_authority) if connection.verify_ssl else None
    http = requests.Session()
    # Off, it neither looks for proxies, which lead away from this machine, nor for certificates and passwords.
    http.trust_env = not is_loopback(connection.url)
    session = Session(
        session=http,
        verify=authority.name if authority else connection.verify_ssl,
        app_name="Portcullis",
    )
    session.timeout = (CONNECT_TIMEOUT, connection.timeout)  # type: ignore[assignment]  # requests takes the two
    if authority:
        weakref.finalize(session, authority.close)
    return session


def _keystone(connection: Connection) -> str:
    return (connection.url or "").rstrip("/").removesuffix("/v3") + "/v3"


def _login(session: Session, connection: Connection) -> v3.Auth:
    """Who to be; a password's owner is asked which projects there are, and one of them is chosen."""
    url = _keystone(connection)
    if connection.auth_type == "application_credential":
        return v3.ApplicationCredential(
            url,
            application_credential_id=connection.userid,
            application_credential_secret=connection.password,
        )
    password = partial(
        v3.Password,
        url,
        username=connection.userid,
        password=connection.password,
        user_domain_id=connection.domain or DEFAULT_DOMAIN,
    )
    session.auth = password(unscoped=True)
    return password(project_id=_chosen(connection, _reachable(session, url))["id"])


def _reachable(session: Session, url: str) -> list[Mapping[str, Any]]:
    """The projects that one can be scoped to."""
    found: list[Mapping[str, Any]] = session.get(f"{url}/auth/projects", authenticated=True).json()["projects"]
    return found


def _chosen(connection: Connection, projects: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    usable = [project for project in projects if project.get("enabled", True)]
    wanted = connection.project or DEFAULT_PROJECT
    found = [project for project in usable if wanted in (project["name"], project["id"])]
    if connection.project and not found:
        names = ", ".join(sorted(project["name"] for project in usable)) or "none"
        raise CredentialsRefused(
            f"The user {connection.userid} has no role in a project {connection.project}; it has one in: {names}."
        )
    if not usable:
        raise CredentialsRefused(f"The user {connection.userid} has no role in any project.")
    return found[0] if found else usable[0]
