"""Limits on the answers of all clouds, below the HTTP libraries of their SDKs.

The libraries send the password along with a redirect, accept answers of any size, and only have timeouts for each
read, so a server that sends a byte per second would block a worker for ever. Both libraries, `requests` and
botocore, use urllib3, which uses `http.client`, whose connections create answers of `response_class`. `pools` sets
it.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from functools import wraps
from http.client import HTTPResponse
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from inventory.drivers import messages
from inventory.drivers.deadline import seconds_left
from inventory.drivers.exceptions import AnswerTooLarge, CloudRefused, ForeignAnswer
from inventory.drivers.values import Connection

Given = ParamSpec("Given")
Read = TypeVar("Read")

#: What Python raises if data has an unexpected shape.
MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
#: Without 300, with which Keystone and Nova list their versions.
REDIRECTS = frozenset({301, 302, 303, 305, 307, 308})
MEGABYTE = 1024 * 1024


def check_size(size: int, connection: Connection) -> None:
    """Raises `AnswerTooLarge` if this is too many bytes for an answer."""
    if size > connection.answer_size * MEGABYTE:
        raise AnswerTooLarge(messages.answer_too_large(connection.answer_size))


class GuardedResponse(HTTPResponse):
    """An answer with at most `answer_size`, within `answer_time` and the deadline, and no redirect."""

    def __init__(self, connection: Connection, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Guarded(sock, connection))

    def begin(self) -> None:
        super().begin()
        if self.status in REDIRECTS:
            raise CloudRefused(messages.redirected(_place(self.getheader("Location"))))


class _Guarded(io.RawIOBase):
    """Reads one answer from a socket, within the limits."""

    def __init__(self, sock: socket.socket, connection: Connection) -> None:
        self._connection = connection
        self._socket, self._raw = sock, sock.makefile("rb", buffering=0)
        self._pause = sock.gettimeout()
        self._ends = time.monotonic() + min(connection.answer_time, seconds_left())
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._ends - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(messages.ANSWER_TOO_SLOW)
        self._socket.settimeout(remaining if self._pause is None else min(remaining, self._pause))
        count = self._raw.readinto(buffer)
        self._size += count or 0
        check_size(self._size, self._connection)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _place(location: str | None) -> str:
    """Where a redirect leads, without secrets that the address may contain."""
    try:
        parts = urlsplit(location or "")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return messages.NO_ADDRESS
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme and parts.hostname else messages.OTHER_PATH


def parses_answer(parser: Callable[Given, Read]) -> Callable[Given, Read]:
    """Decorates a function that reads an answer: raises `ForeignAnswer` if the answer has another shape."""

    @wraps(parser)
    def wrapper(*args: Given.args, **kwargs: Given.kwargs) -> Read:
        try:
            return parser(*args, **kwargs)
        except MALFORMED as error:
            raise ForeignAnswer(f"{messages.FOREIGN} ({error!r})") from error

    return wrapper
