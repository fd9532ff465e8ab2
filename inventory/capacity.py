"""The threads of a web process, and how many of them may wait for something else at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: The threads of a web process. The web server sets it when a process starts. Until then it is the number in
#: `deploy/` and of `standalone`.
web_threads = 8


class NoThreadLeft(Exception):
    """As many requests as may wait at a time already do."""


class Share:
    """Lets at most a share of a web process's threads wait for the same thing, so that others are answered.

    `Share(4)` is a quarter, and at least one thread. There is no setting for it.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        self._lock = threading.Lock()
        self._waiting = 0

    @contextmanager
    def thread(self) -> Iterator[None]:
        """Occupy a thread while the block runs. Raises `NoThreadLeft` if the share is used up."""
        with self._lock:
            if self._waiting >= self.size:
                raise NoThreadLeft
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    @property
    def size(self) -> int:
        return max(web_threads // self._divisor, 1)
