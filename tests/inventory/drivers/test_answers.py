"""What keeps an answer from being taken, whatever is in it: where it leads, its size, its time; for all."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from inventory.drivers.base import Driver
from inventory.drivers.deadline import deadline_in
from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.exceptions import AnswerTooLarge, CloudError, CloudRefused, CloudUnavailable
from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import Connection
from tests.live.faults import Answer, FaultProxy, running
from tests.live.openstack_fake import FakeOpenStack
from tests.live.tls import self_signed

DRIVERS = [Ec2Driver, OpenStackDriver]
both = pytest.mark.parametrize("driver", DRIVERS)
SECRET = "correct-horse-battery"


class Always(FaultProxy):
    """Answers every request with the same."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("http://127.0.0.1:9")
        self.answered = answer
        self.bodies: list[bytes] = []

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.bodies.append(body + repr(headers).encode())
        return self.answered

    @property
    def asked_once(self) -> bool:
        """Whether nothing was asked for twice. A driver may read two lists side by side."""
        asked = [body.partition(b"&")[0] for body in self.bodies]
        return len(asked) == len(set(asked)) <= 2


def refusal(driver: type[Driver], url: str, **connection: Any) -> CloudError:
    with pytest.raises(CloudError) as refused:
        driver(Connection(url=url, userid="AKID", password=SECRET, **connection)).inventory()
    return refused.value


class TestRedirects:
    @both
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_none_is_followed(self, driver: type[Driver], status: int) -> None:
        with running(Always(Answer(200, b"{}"))) as other:
            location = f"{other.url.replace('//', '//user:pass@')}/v3/auth/tokens?token=hush"
            with running(Always(Answer(status, b"", headers={"Location": location}))) as first:
                error = refusal(driver, first.url)
        assert type(error) is CloudRefused
        assert error.message.startswith(
            f"The endpoint redirects to {other.url}. Credentials are never sent to a redirect"
        )
        assert (first.asked_once, other.bodies) == (True, [])
        assert not [word for word in ("user", "pass@", "hush", SECRET) if word in error.message.split(". ")[0]]

    @both
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_none_leads_from_https_to_http(self, driver: type[Driver], status: int, tmp_path: Path) -> None:
        """Where everybody on the way could read what is sent on."""
        tls, authority = self_signed(tmp_path)
        with running(Always(Answer(200, b"{}"))) as other:
            away = Always(Answer(status, b"", headers={"Location": f"{other.url}/v3/auth/tokens"}))
            with running(away, tls) as first:
                error = refusal(driver, first.url, certificate_authority=authority)
        assert error.message.startswith(
            f"The endpoint redirects to {other.url}. Credentials are never sent to a redirect"
        )
        assert (first.asked_once, other.bodies) == (True, [])

    @both
    @pytest.mark.parametrize(
        ("location", "place"), [("/login", "another path"), ("http://[::1", "an invalid address")]
    )
    def test_where_it_leads_is_told(self, driver: type[Driver], location: str, place: str) -> None:
        with running(Always(Answer(302, b"", headers={"Location": location}))) as first:
            assert f"redirects to {place}." in refusal(driver, first.url).message

    @pytest.mark.parametrize("action", ["GET ports", "GET servers", "GET projects", "GET auth"])
    def test_no_token_is_sent_on(self, action: str) -> None:
        with running(Always(Answer(200, b"{}"))) as other, running(FakeOpenStack()) as cloud:
            cloud.answer_with(action, Answer(307, b"", headers={"Location": other.url}))
            with pytest.raises(CloudRefused, match="redirects to"):
                cloud.driver().inventory()
            assert other.bodies == []

    def test_a_write_is_not_sent_on(self) -> None:
        with running(Always(Answer(200, b"{}"))) as other, running(FakeOpenStack()) as cloud:
            cloud.answer_with("DELETE security-groups", Answer(307, b"", headers={"Location": other.url}))
            with pytest.raises(CloudRefused, match="redirects to"):
                cloud.driver().delete_group("sg-1")
            assert other.bodies == []


class TestSizes:
    @both
    def test_a_larger_one_is_an_error_at_once(self, driver: type[Driver]) -> None:
        with running(Always(Answer(200, b"x" * 2_000_000))) as large:
            error = refusal(driver, large.url, answer_size=1)
        assert type(error) is AnswerTooLarge
        assert error.permanent
        assert "larger than 1 MB" in error.message
        assert "CLOUD_ANSWER_SIZE" in error.message
        assert large.asked_once

    def test_what_it_unpacks_to_counts(self) -> None:
        bomb = Answer(200, gzip.compress(b" " * 100_000_000), headers={"Content-Encoding": "gzip"})
        with running(Always(bomb)) as large:
            assert type(refusal(OpenStackDriver, large.url, answer_size=1)) is AnswerTooLarge

    def test_nothing_is_unpacked_for_ec2(self) -> None:
        bomb = Answer(200, gzip.compress(b" " * 100_000_000), headers={"Content-Encoding": "gzip"})
        with running(Always(bomb)) as large:
            assert isinstance(refusal(Ec2Driver, large.url, answer_size=1), CloudUnavailable)

    def test_what_is_smaller_is_unpacked(self) -> None:
        with running(FakeOpenStack()) as cloud:
            packed = gzip.compress(b'{"ports": [{"id": "port-9"}]}')
            cloud.answer_with("GET ports", Answer(200, packed, headers={"Content-Encoding": "gzip"}))
            assert [port.ref for port in cloud.driver().inventory().ports] == ["port-9"]

    def test_what_cannot_be_unpacked_is_no_answer(self) -> None:
        with running(FakeOpenStack()) as cloud:
            cloud.answer_with("GET ports", Answer(200, b"no gzip", headers={"Content-Encoding": "gzip"}))
            with pytest.raises(CloudUnavailable, match="can't be decompressed"):
                cloud.driver().inventory()


#: So many that who waits for a second has long left; who waits for ever finds that out by their end.
DROPS = 100


def drips(head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Answers that come byte by byte, and break off where nobody has left."""

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(head)
                    connection.settimeout(0.02)
                    for _ in range(DROPS):
                        connection.sendall(drop)
                        with suppress(TimeoutError):
                            if not connection.recv(65536):
                                break

    return serve


class TestTimes:
    @both
    @pytest.mark.parametrize(
        ("head", "drop"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b" "),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
            (b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"),
            (b"", b"H"),
        ],
        ids=["its body", "its chunks", "its headers", "its first line"],
    )
    @pytest.mark.parametrize(("answer_time", "deadline"), [(0.3, 300), (300, 0.3)])
    def test_one_that_never_ends_is_left(
        self, driver: type[Driver], head: bytes, drop: bytes, answer_time: float, deadline: float
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, deadline_in(deadline):
            Thread(target=drips(head, drop), args=(server,), daemon=True).start()
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            error = refusal(driver, url, answer_time=answer_time)
            server.shutdown(socket.SHUT_RDWR)
        assert isinstance(error, CloudUnavailable)
        assert error.message.startswith("The cloud did not answer in time")
