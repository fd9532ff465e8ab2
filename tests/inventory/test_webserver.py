"""The web server, on a socket."""

from __future__ import annotations

import http.client
import os
import resource
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication

import pytest
from django.conf import settings
from gunicorn.config import Config

from inventory import capacity, webserver
from inventory.webserver import BufferingWorker


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The body, with the length that was told of it, and who asked."""
    body = environ["wsgi.input"].read()
    told = ("CONTENT_LENGTH", "REMOTE_ADDR", "wsgi.url_scheme", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST")
    headers = [(f"X-{name}", str(environ.get(name))) for name in told]
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webserver, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(resource, "setrlimit", lambda *limit: None)


@contextmanager
def serving(
    application: WSGIApplication, *, host: str = "127.0.0.1", **options: Any
) -> Iterator[tuple[int, BufferingWorker, Thread]]:
    """A worker on one thread: its port, itself, and the thread of its loop."""
    configuration, threads = Config(), capacity.web_threads
    for name, value in {"threads": 1, "graceful_timeout": 30, **options}.items():
        configuration.set(name, value)
    with socket.create_server((host, 0)) as listening:
        listening.setblocking(False)
        worker = BufferingWorker(1, os.getpid(), [SimpleNamespace(sock=listening)], None, 30, configuration, None)
        worker.ppid, worker.wsgi = os.getppid(), application
        loop = Thread(target=worker.run, daemon=True)
        loop.start()
        try:
            yield listening.getsockname()[1], worker, loop
        finally:
            worker.alive = False
            loop.join(timeout=30)
            worker.tmp.close()
            capacity.web_threads = threads


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(port: int, method: str = "GET", **arguments: Any) -> Response:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, "/", **arguments)
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())


def test_a_client_who_sends_half_a_body_takes_no_thread() -> None:
    with serving(echo) as (port, _, _), socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf ")
        assert ask(port, "POST", body=b"whole").body == b"whole"
        slow.sendall(b"of it")
        with slow.makefile("rb") as response:
            assert response.read().endswith(b"\r\n\r\nhalf of it")


def test_a_body_in_chunks_has_a_length() -> None:
    with serving(echo) as (port, _, _):
        response = ask(port, "POST", body=iter([b"in ", b"chunks"]), encode_chunked=True)
        assert (response.body, response.headers["X-CONTENT_LENGTH"]) == (b"in chunks", "9")


def test_a_body_that_is_far_too_long_is_not_read() -> None:
    with serving(echo) as (port, _, _), socket.create_connection(("127.0.0.1", port)) as client:
        length = 4 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1
        client.sendall(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("proxies", "scheme", "client"),
    [("127.0.0.1", "https", "198.51.100.1"), ("*", "https", "198.51.100.1"), ("10.0.0.0/8", "http", "127.0.0.1")],
)
def test_a_proxy_is_believed_if_it_is_trusted(proxies: str, scheme: str, client: str) -> None:
    with serving(echo, forwarded_allow_ips=proxies) as (port, _, _):
        said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.1.1, 198.51.100.1"}
        headers = ask(port, headers=said).headers
        assert (headers["X-wsgi.url_scheme"], headers["X-REMOTE_ADDR"]) == (scheme, client)
        assert {headers[f"X-HTTP_X_FORWARDED_{name}"] for name in ("FOR", "HOST")} == {"None"}


def test_several_headers_are_one_list() -> None:
    with serving(echo) as (port, _, _), socket.create_connection(("127.0.0.1", port), timeout=30) as proxy:
        lists = b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-For: 198.51.100.1\r\nX_Forwarded_For: 127.0.0.1\r\n"
        proxy.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lists + b"\r\n")
        with proxy.makefile("rb") as response:
            assert b"X-Remote_addr: 198.51.100.1\r\n" in list(response)


def test_a_process_knows_how_many_threads_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a quarter of them is one."""
    monkeypatch.setattr(capacity, "web_threads", None)
    with serving(echo, threads=4) as (port, _, _):
        ask(port)
        assert capacity.web_threads == 4


def test_a_response_to_head_has_no_body() -> None:
    """On a connection that is kept it would be taken for the next response."""

    def pong(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        return [b"pong"]

    with serving(pong) as (port, _, _), socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with client.makefile("rb") as responses:
            head = list(iter(responses.readline, b"\r\n"))
            assert b"Content-Length: 4\r\n" in head
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert responses.read().startswith(b"HTTP/1.1 200 OK\r\n")


def test_what_was_asked_is_answered_before_it_stops() -> None:
    """In full, also where the client is slow to read. Connections that wait for nothing are closed."""
    begun, go_on, size = Event(), Event(), 32 * 1024 * 1024

    def slow(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/kept":
            return echo(environ, start_response)
        begun.set()
        assert go_on.wait(30)
        start_response("200 OK", [("Content-Length", str(size))])
        return [bytes(1024 * 1024)] * (size // (1024 * 1024))

    with serving(slow) as (port, worker, loop), socket.create_connection(("127.0.0.1", port), timeout=30) as kept:
        kept.sendall(b"GET /kept HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(1000)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert begun.wait(30)
            worker.alive = False
            assert kept.recv(1000) == b""
            with pytest.raises(ConnectionRefusedError):
                ask(port)
            go_on.set()
            with client.makefile("rb") as response:
                assert response.read().partition(b"\r\n\r\n")[2] == bytes(size)
        loop.join(timeout=30)
        assert not loop.is_alive()


def test_a_refusal_waits_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    now, refused = [0.0], Event()
    monkeypatch.setattr(webserver, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def refuse(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/refused":
            return echo(environ, start_response)
        refused.set()
        start_response("429 Too Many Requests", [("Content-Length", "0")])
        return [b""]

    with serving(refuse) as (port, _, _), socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /refused HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert refused.wait(30)
        assert ask(port).status == 200
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1000)
        now[0] = webserver.REFUSAL_SECONDS
        client.settimeout(30)
        assert client.recv(1000).startswith(b"HTTP/1.1 429")


def test_it_stops_when_its_master_is_gone() -> None:
    with serving(echo) as (_, worker, loop):
        worker.ppid = -1
        loop.join(timeout=30)
        assert not loop.is_alive()
