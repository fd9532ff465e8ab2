"""A client for OpenStack's APIs made only from a `Connection`, ignoring the machine's environment and files.

Only this module, `errors`, `login` and `session` import keystoneauth, so the driver imports them late. Answers
stay plain JSON, because an inventory has many resources and the SDK's objects cost ten times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import lru_cache, partial
from typing import Any, Literal, Self, TypeVar

from keystoneauth1.adapter import Adapter
from keystoneauth1.discover import version_to_string
from requests import Response

from inventory.drivers.exceptions import (
    AnswerTooLarge,
    CloudUnavailable,
    ForeignAnswer,
)
from inventory.drivers.lists import Pages
from inventory.drivers.messages import FOREIGN
from inventory.drivers.openstack import decoding
from inventory.drivers.openstack.errors import cloud_errors, raise_for
from inventory.drivers.openstack.login import keystone_url, login, reachable
from inventory.drivers.openstack.session import session
from inventory.drivers.rate_limit import UNLIMITED, RateLimiter
from inventory.drivers.values import Connection

Service = Literal["identity", "compute", "network"]
Item = decoding.Item
Read = TypeVar("Read")

#: The major version of each API.
VERSIONS: Mapping[Service, str] = {"identity": "3", "compute": "2", "network": "2"}
#: Resources in a page of Neutron.
PAGE_SIZE = 1000
#: Microversions of Nova. With the first, a server has its description and the name of its flavor (since Pike,
#: 2017). With the second, Nova also lists servers of a cell that is down (since Stein, 2019).
OLD_COMPUTE, COMPUTE = (2, 47), (2, 69)


class Client:
    """OpenStack's APIs, scoped to one project. Threads can share it. Raises only `CloudError`."""

    _rate_limiter = UNLIMITED

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session = session(connection)
        self._keystone = keystone_url(connection)
        self._where: dict[str, Any] = {"interface": connection.interface, "region_name": connection.region}
        self._adapters: dict[Service, Adapter] = {}
        with cloud_errors():
            auth = self._session.auth = login(self._session, connection)
            self.project_ref: str = self._session.get_project_id() or ""
            catalog = auth.get_access(self._session).service_catalog
            self.region: str | None = catalog.endpoint_data_for("network", **self._where).region_name

    def at(self, rate_limiter: RateLimiter) -> Self:
        """A client with the same login and this rate limiter."""
        limited = copy(self)
        limited._rate_limiter = rate_limiter
        return limited

    def get(self, service: Service, path: str, key: str, **parameters: Any) -> Item:
        """The thing under `key` of the answer."""
        return self._ask(service, path, partial(decoding.item, key=key), parameters)

    def read(
        self,
        service: Service,
        path: str,
        key: str,
        *,
        on_cut: Callable[[], object] = lambda: None,
        **parameters: Any,
    ) -> Iterator[Item]:
        """The things under `key` of all pages of a list. Calls `on_cut` if the cloud omits the rest."""
        if service == "network":
            parameters = {"limit": PAGE_SIZE, **parameters}
        pages = Pages(key, self._connection)
        while True:
            page = self._ask(service, path, partial(decoding.page, key=key), parameters)
            pages.turn([item["id"] if isinstance(item["id"], str) else None for item in page.things], page.marker)
            yield from page.things
            if page.is_cut:
                on_cut()
            if page.marker is None:
                return
            parameters["marker"] = page.marker

    def write(
        self,
        method: Literal["POST", "PUT", "DELETE"],
        path: str,
        body: Any = None,
        key: str | None = None,
        **headers: str,
    ) -> tuple[Item, str | None]:
        """Write to Neutron with one request, sent once. Returns the thing under `key` and the request id.

        Without a `key`, the answer must be empty.
        """
        send = partial(self._send, "network", method, path, {"json": body, "headers": headers})
        decode = partial(decoding.item, key=key) if key else decoding.nothing

        def written() -> tuple[Item, str | None]:
            try:
                response = send()
            except AnswerTooLarge as error:
                raise CloudUnavailable(error.message) from error  # it is unknown whether it was done
            return decode(response), response.headers.get("X-Openstack-Request-Id")

        return self._rate_limiter.send(_action("network", method, path), written)

    def own_project(self) -> Mapping[str, Any]:
        """The project of the login."""
        with cloud_errors():
            projects = reachable(self._session, self._keystone)
        default = {"id": self.project_ref, "name": self.project_ref}
        return next((project for project in projects if project["id"] == self.project_ref), default)

    def _ask(
        self, service: Service, path: str, decode: Callable[[Response], Read], parameters: Mapping[str, Any]
    ) -> Read:
        """The decoded answer to a GET."""
        return self._rate_limiter.send(
            _action(service, "GET", path),
            lambda: decode(self._send(service, "GET", path, {"params": parameters})),
        )

    def _send(self, service: Service, method: str, path: str, options: Mapping[str, Any]) -> Response:
        with cloud_errors():
            adapter = self._adapter(service)
            # No retries here, because callers retry themselves and a write may have been done.
            response: Response = adapter.request(path, method, raise_exc=False, connect_retries=0, **options)
        raise_for(response)
        return response

    def _adapter(self, service: Service) -> Adapter:
        """The adapter for a service. It is only cached if the service listed its versions."""
        if service in self._adapters:
            return self._adapters[service]
        major = VERSIONS[service]
        probe = Adapter(self._session, service, **self._where, min_version=major, max_version=f"{major}.latest")
        endpoint = probe.get_endpoint_data()
        has_versions = endpoint is not None and endpoint.api_version is not None
        if endpoint is None or not (has_versions or f"/v{major}" in (endpoint.service_url or "")):
            raise ForeignAnswer(f"The service {service} did not list its versions. {FOREIGN}")
        adapter = Adapter(self._session, service, endpoint_override=endpoint.service_url)
        if service == "compute":
            microversion = COMPUTE if (endpoint.max_microversion or OLD_COMPUTE) >= COMPUTE else OLD_COMPUTE
            adapter.default_microversion = version_to_string(microversion)
            has_versions = bool(endpoint.max_microversion)
        if has_versions:
            self._adapters[service] = adapter
        return adapter


@lru_cache(maxsize=128)
def client(connection: Connection) -> Client:
    """The client of a connection. The process shares it, because login and discovery take five requests."""
    return Client(connection)


def _action(service: Service, method: str, path: str) -> str:
    """The name of a request for the rate limiter, such as `PUT network/ports`."""
    return f"{method} {service}/{path.strip('/').partition('/')[0]}"
