"""Connections are opened only to addresses that were checked: for every driver, over real sockets."""

from __future__ import annotations

import inspect
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import HAS_IPV6

from inventory.drivers.addresses import Networks
from inventory.drivers.base import Driver
from inventory.drivers.deadline import deadline_in
from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.exceptions import AddressRefused, CloudError, CloudUnavailable
from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import Connection
from tests.inventory.drivers.test_answers import Always
from tests.live.faults import Answer, running
from tests.live.openstack_fake import FakeOpenStack
from tests.live.tls import self_signed

both = pytest.mark.parametrize("driver", [Ec2Driver, OpenStackDriver])
NO_LOOPBACK = Networks.parse(["loopback"], [])
resolve = socket.getaddrinfo


def refusal(driver: type[Driver], url: str, **connection: Any) -> CloudError:
    with pytest.raises(CloudError) as refused:
        driver(Connection(url=url, userid="AKID", password="secret", **connection)).inventory()
    return refused.value


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What name servers say of a name: one address after the other, each time the next, and the last for ever."""
    known: dict[str, list[str]] = {}

    def answer(host: str, *args: Any, **kwargs: Any) -> Any:
        addresses = known.get(host)
        if addresses is None:
            return resolve(host, *args, **kwargs)
        address = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        return [found for one in address.split() for found in resolve(one, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses that sockets were connected to, or would have been."""
    addresses: list[Any] = []

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            addresses.append(address[0])
            super().connect(address)

    monkeypatch.setattr(socket, "socket", Watched)
    return addresses


@both
@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "100.100.100.200",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fe80::1]",
        "0.0.0.0",  # noqa: S104 - not listened on
        "2852039166",  # 169.254.169.254 as a number
        "0xa9fea9fe",
        "255.255.255.255",
        "224.0.0.1",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_metadata_service_is_never_connected_to(
    driver: type[Driver], host: str, scheme: str, connected: list[Any]
) -> None:
    error = refusal(driver, f"{scheme}://{host}:8080")
    assert type(error) is AddressRefused
    assert "Portcullis never connects to those." in error.message
    assert connected == []


@both
def test_a_name_of_one_is_not_either(driver: type[Driver], names: Any, connected: list[Any]) -> None:
    names["cloud.test"] = ["169.254.169.254"]
    error = refusal(driver, "http://cloud.test")
    assert error.message.startswith("cloud.test resolves to 169.254.169.254, which is a link-local address.")
    assert connected == []


@both
def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    driver: type[Driver], names: Any, connected: list[Any]
) -> None:
    """A name server that says something else the second time (DNS rebinding) is not asked a second time."""
    names["cloud.test"] = ["127.0.0.1", "169.254.169.254"]
    with running(Always(Answer(200, b"{}"))) as server:
        error = refusal(driver, server.url.replace("127.0.0.1", "cloud.test"))
    assert isinstance(error, CloudUnavailable | AddressRefused)  # of a later connection
    assert server.bodies
    assert set(connected) == {"127.0.0.1"}


@both
def test_each_connection_is_checked(driver: type[Driver], names: Any, connected: list[Any]) -> None:
    """Not only the first, even if the client is kept."""
    names["cloud.test"] = ["127.0.0.1", "169.254.169.254"]
    with running(Always(Answer(200, b"{}", headers={"Connection": "close"}))) as server:
        url = server.url.replace("127.0.0.1", "cloud.test")
        refusal(driver, url)
        assert type(refusal(driver, url)) is AddressRefused
    assert set(connected) == {"127.0.0.1"}


@both
def test_the_next_address_is_tried(driver: type[Driver], names: Any) -> None:
    with running(Always(Answer(200, b"{}"))) as server:  # which listens on the second only
        names["cloud.test"] = ["169.254.169.254 127.0.0.3 127.0.0.1"]
        refusal(driver, server.url.replace("127.0.0.1", "cloud.test"))
        assert server.bodies


@both
def test_connecting_takes_no_longer_than_the_deadline(
    driver: type[Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[float | None] = []

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            timeouts.append(self.gettimeout())
            super().connect(address)

    with running(Always(Answer(200, b"{}"))) as server, deadline_in(2):
        monkeypatch.setattr(socket, "socket", Watched)
        refusal(driver, server.url)
    assert timeouts
    assert all(timeout and timeout <= 2 for timeout in timeouts)


@both
@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_a_name_may_have_an_ipv6_address(driver: type[Driver], names: Any, connected: list[Any]) -> None:
    names["cloud.test"] = ["::1"]
    error = refusal(driver, "http://cloud.test:9")
    assert error.message.startswith("The cloud can't be reached.")
    assert set(connected) == {"::1"}


@both
def test_a_certificate_has_to_be_for_the_name(driver: type[Driver], names: Any, tmp_path: Any) -> None:
    """Not for the address that the name was replaced with."""
    tls, authority = self_signed(tmp_path)
    names["cloud.test"] = ["127.0.0.1"]
    with running(Always(Answer(200, b"{}")), tls) as server:
        url = server.url.replace("127.0.0.1", "cloud.test")
        error = refusal(driver, url, certificate_authority=authority)
    assert error.message.startswith("The endpoint's certificate is for another host.")
    assert server.bodies == []


@both
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"])
def test_loopback_is_refused_if_the_settings_say_so(driver: type[Driver], host: str, connected: list[Any]) -> None:
    with running(Always(Answer(200, b"{}"))) as server:
        connected.clear()
        error = refusal(driver, server.url.replace("127.0.0.1", host), networks=NO_LOOPBACK)
    assert type(error) is AddressRefused
    assert "loopback address. CLOUD_REFUSED_NETWORKS" in error.message
    assert (connected, server.bodies) == ([], [])


@both
def test_a_name_that_cannot_be_is_told(driver: type[Driver]) -> None:
    error = refusal(driver, f"http://{'x' * 70}.test")
    assert error.message.startswith(
        ("The host name can't be resolved.", "The cloud did not return", "The provider")
    )


class Elsewhere(FakeOpenStack):
    """Says that its services are on another host."""

    def _token(self) -> dict[str, Any]:
        token: dict[str, Any] = json.loads(json.dumps(super()._token()).replace("127.0.0.1", "169.254.169.254"))
        return token


class Misleading(FakeOpenStack):
    """Lists versions that are on another host."""

    def _found(self, method: str, path: str, query: dict[str, str], body: bytes) -> Any:
        found = super()._found(method, path, query, body)
        if path in {"", "/v2.1"}:
            return json.loads(json.dumps(found).replace("127.0.0.1", "169.254.169.254"))
        return found


def test_where_a_catalog_leads_is_checked(connected: list[Any]) -> None:
    with (
        running(Elsewhere()) as openstack,
        pytest.raises(AddressRefused, match=r"^169\.254\.169\.254 is a link"),
    ):
        openstack.driver().inventory()
    assert set(connected) == {"127.0.0.1"}


def test_a_list_of_versions_leads_nowhere_else(connected: list[Any]) -> None:
    """keystoneauth takes the path of its links and the host of the catalog."""
    with running(Misleading()) as openstack:
        assert openstack.driver().inventory().ports
    assert set(connected) == {"127.0.0.1"}


class TestProxies:
    """Those of the environment belong to whoever runs Portcullis."""

    @pytest.fixture(autouse=True)
    def clear(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("no_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    @pytest.fixture
    def proxy(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Always]:
        with running(Always(Answer(200, b"{}"))) as proxy:
            self.use(proxy.url, monkeypatch)
            yield proxy

    def use(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url)
            monkeypatch.setenv(name.upper(), url)

    @both
    def test_a_proxy_is_asked_for_what_only_it_can_resolve(self, driver: type[Driver], proxy: Always) -> None:
        refusal(driver, "http://proxied.invalid", networks=NO_LOOPBACK)
        assert proxy.bodies

    @both
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_proxy_is_not_asked_for_what_is_refused(
        self, driver: type[Driver], scheme: str, proxy: Always, names: Any, connected: list[Any]
    ) -> None:
        names["proxied.test"] = ["169.254.169.254"]
        for host in ("169.254.169.254:81", "proxied.test:81", "[fd00:ec2::254]:81"):
            assert type(refusal(driver, f"{scheme}://{host}")) is AddressRefused
        assert (connected, proxy.bodies) == ([], [])

    @both
    def test_a_proxy_is_no_metadata_service(
        self, driver: type[Driver], monkeypatch: pytest.MonkeyPatch, connected: list[Any]
    ) -> None:
        self.use("http://169.254.169.254:3128", monkeypatch)
        assert type(refusal(driver, "http://behind.invalid")) is AddressRefused
        assert connected == []

    @both
    def test_what_goes_past_the_proxy_is_checked(
        self, driver: type[Driver], proxy: Always, monkeypatch: pytest.MonkeyPatch, connected: list[Any]
    ) -> None:
        monkeypatch.setenv("no_proxy", "169.254.169.254")
        assert type(refusal(driver, "http://169.254.169.254:82")) is AddressRefused
        assert connected == []


class TestUrllib3:
    """What this rests on in urllib3, which is private there."""

    @pytest.mark.parametrize("kind", [HTTPConnection, HTTPSConnection])
    def test_connections_open_their_socket_in_one_place(self, kind: type[HTTPConnection]) -> None:
        assert inspect.getsource(kind.connect).count("self._new_conn()") == 1
        assert kind._new_conn is HTTPConnection._new_conn

    def test_they_connect_to_what_is_in_dns_host(self, connected: list[Any]) -> None:
        connection = HTTPConnection("cloud.invalid", 9)
        connection._dns_host = "127.0.0.9"
        assert connection.host == "127.0.0.9"
        with pytest.raises(Exception, match=r"127\.0\.0\.9|refused"):
            connection._new_conn()
        assert connected == ["127.0.0.9"]
