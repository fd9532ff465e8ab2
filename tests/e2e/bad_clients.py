"""Clients that take a web server's attention and give nothing for it: none of them has a login."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

_FORM = (
    "POST /login/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    "Cookie: csrftoken=abcdefghijklmnopqrstuvwxyz012345\r\n"
)

#: What each of them sends before it falls silent, by what is bad about it.
KINDS: Mapping[str, str] = {
    "nothing": "",
    "half a request line": "GET /api/pi",
    "half a header": "GET /api/ping HTTP/1.1\r\nHost: {host}\r\nAccept: text/",
    "half a body": _FORM + "Content-Length: 1000\r\n\r\nusername=",
    "half a body in chunks": _FORM + "Transfer-Encoding: chunked\r\n\r\n9\r\nusername=\r\n",
    "no body after 100 Continue": _FORM + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
    "no end of the connection": "GET /api/ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
}


@contextmanager
def bad_clients(url: str, kind: str, number: int, certificate: Path | None = None) -> Iterator[None]:
    """So many clients of a kind, while the block runs."""
    address = urlsplit(url)
    words = KINDS[kind].format(host=address.netloc).encode()
    with ExitStack() as stack:
        for _ in range(number):
            client = stack.enter_context(socket.create_connection((str(address.hostname), address.port or 80)))
            if certificate:
                context = ssl.create_default_context(cafile=certificate)
                client = stack.enter_context(context.wrap_socket(client, server_hostname=address.hostname))
            client.sendall(words)
        yield


def ping(url: str, *, seconds: float, certificate: Path | None = None) -> str:
    """What is answered to one more client, who waits for at most so many seconds."""
    host = urlsplit(url).netloc
    if certificate:
        context = ssl.create_default_context(cafile=certificate)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, timeout=seconds, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, timeout=seconds)
    with closing(connection):
        connection.request("GET", "/api/ping")
        return connection.getresponse().read().decode()
