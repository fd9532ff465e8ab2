"""What keeps a cloud from being asked at all, in words for operators: for every driver, over real sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from inventory.drivers.base import Driver
from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.exceptions import CloudError, CloudRefused, CloudUnavailable
from inventory.drivers.messages import NOT_DONE
from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import Connection
from tests.inventory.drivers.test_answers import Always
from tests.live.faults import Answer, running
from tests.live.tls import self_signed

pytestmark = pytest.mark.parametrize("driver", [Ec2Driver, OpenStackDriver])


def refusal(driver: type[Driver], url: str, **connection: Any) -> CloudError:
    with pytest.raises(CloudError) as refused:
        driver(Connection(url=url, userid="AKID", password="secret", **connection)).inventory()
    return refused.value


@pytest.fixture
def silence() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def serve(tls: ssl.SSLContext) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


@pytest.mark.parametrize(
    ("certificate", "trusted", "words"),
    [
        ({}, False, "The endpoint's certificate is not trusted. Set its certificate authority."),
        ({"ended": True}, True, "The endpoint's certificate has expired. Its operators have to renew it."),
        ({"address": "127.0.0.9"}, True, "The endpoint's certificate is for another host."),
    ],
)
def test_a_certificate_that_does_not_do_is_told(
    driver: type[Driver], certificate: Any, trusted: bool, words: str, tmp_path: Path
) -> None:
    tls, pem = self_signed(tmp_path, **certificate)
    server = serve(tls)
    try:
        url = f"https://127.0.0.1:{server.server_port}"
        error = refusal(driver, url, certificate_authority=pem if trusted else None)
    finally:
        server.shutdown()
        server.server_close()
    assert type(error) is CloudRefused
    assert error.message.startswith(words)


@pytest.mark.parametrize("userinfo", ["AKIA:top-secret", ":top-secret", "top-secret", "AKIA:top-secret@AKIA"])
def test_credentials_in_a_url_are_refused_without_being_repeated(driver: type[Driver], userinfo: str) -> None:
    """Also in a row that was stored before they were."""
    for url in (
        f"https://{userinfo}@127.0.0.1:9",
        f"//{userinfo}@127.0.0.1:9",
        f"https://{userinfo}@[127.0.0.1:9",
    ):
        error = refusal(driver, url)
        assert type(error) is CloudRefused
        assert "top-secret" not in error.message
    assert refusal(driver, f"https://{userinfo}@127.0.0.1:9").message.startswith(
        "A URL must not have a user or a password"
    )


def test_an_endpoint_without_tls_is_told(driver: type[Driver], moto_url: str) -> None:
    error = refusal(driver, moto_url.replace("http://", "https://"))
    assert type(error) is CloudRefused
    assert error.message.startswith("The endpoint does not speak TLS. Check the security protocol.")


def test_a_host_that_nobody_knows_is_told(driver: type[Driver]) -> None:
    error = refusal(driver, "http://cloud.invalid")  # which no name server may know (RFC 6761)
    assert type(error) is CloudUnavailable
    assert error.message.startswith("The host name can't be resolved. Check the provider's address.")


def test_an_address_where_nobody_listens_is_told(driver: type[Driver]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        error = refusal(driver, f"http://127.0.0.1:{held.getsockname()[1]}")
    assert type(error) is CloudUnavailable
    assert error.message.startswith("The cloud can't be reached. Check the provider's address")


def test_an_endpoint_that_does_not_answer_is_told(driver: type[Driver], silence: str) -> None:
    error = refusal(driver, f"http://{silence}", timeout=0.1)
    assert type(error) is CloudUnavailable
    assert error.message.startswith("The cloud did not answer in time")


def test_who_may_not_see_a_provider_learns_nothing_of_its_address(
    driver: type[Driver], silence: str, tmp_path: Path
) -> None:
    """Whether nobody listens, something else does, or nothing is said: it reads the same."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{held.getsockname()[1]}"
        urls = [
            f"http://{closed}",
            f"http://{silence}",
            f"https://{silence}",
            "http://cloud.invalid",
            "http://0.0.0.0",
        ]
        with (
            running(Always(Answer(404, b'{"error": {"message": "BANNER"}}', "application/json"))) as json,
            running(
                Always(Answer(403, b"<Error><Code>AccessDenied</Code><Message>BANNER</Message></Error>"))
            ) as xml,
            running(Always(Answer(302, b"", headers={"Location": "http://banner.test"}))) as elsewhere,
        ):
            urls += [json.url, xml.url, elsewhere.url, xml.url.replace("http:", "https:")]
            said = [refusal(driver, url, timeout=0.1) for url in urls]
    assert len({str(error) for error in said}) == len(urls)
    assert {str(error.in_general()) for error in said} == {NOT_DONE}
