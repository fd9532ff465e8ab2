"""A client that takes little time of its own: one kept connection, and requests that were made before."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from tests.bench.cases import HOST


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A whole request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Refused(Exception):
    """An answer that is not 200; `str()` is its body."""


class Client:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=300)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, request: bytes) -> bytes:
        """The body of the answer."""
        self._socket.sendall(request)
        status = self._file.readline()
        length = None
        while (line := self._file.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length is None:
            raise Refused(f"no answer with a length: {status!r}")
        body = self._file.read(length)
        if b" 200 " not in status:
            raise Refused(body.decode())
        return body

    def timed(self, requests: Iterable[bytes]) -> list[float]:
        """The seconds that each takes, one after the other."""
        found = []
        for one in requests:
            began = time.perf_counter()
            self.ask(one)
            found.append(time.perf_counter() - began)
        return found
