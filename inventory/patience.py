"""How long to go on asking a cloud that can't answer right now."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from inventory.drivers.failures import CloudError


class HandedBack(Exception):
    """This process is to stop: what it waited to do is still to be done, by whoever takes it next."""


class Stop:
    """Whether this process was asked to stop; those who wait in it are woken by that."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        self._asked.set()

    def is_asked(self) -> bool:
        return self._asked.is_set()

    def sleep(self, seconds: float) -> None:
        """Sleep so long, or raise `HandedBack` as soon as the process is to stop."""
        if self._asked.wait(seconds):
            raise HandedBack


#: Of this process.
stop = Stop()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The pause after so many attempts, the last of which failed with this error."""

    attempts: int
    error: CloudError
    until: datetime

    def __str__(self) -> str:
        """What a task says while it waits."""
        return f"Attempt {self.attempts} failed, the next is at {self.until:%Y-%m-%dT%H:%M:%SZ}: {self.error}"


OnWait = Callable[[Waiting], object]


def silent(waiting: Waiting) -> None:
    """Say nothing."""


class Patience:
    """Growing, jittered pauses between attempts, until `seconds` have passed.

    The jitter is full (a pause is anything up to the current bound), so that workers that were throttled together
    don't come back together. A pause that the cloud asked for is kept to. `check` is asked meanwhile whether there
    is anything left to wait for; what it raises ends the pause.
    """

    FIRST = 0.5
    LONGEST = 30.0
    #: How often `check` is asked, in seconds.
    LOOK = 5.0

    def __init__(self, seconds: float, check: Callable[[], object] = lambda: None) -> None:
        self._ends = time.monotonic() + seconds
        self._check = check
        self._bound = self.FIRST
        self.attempts = 1

    def pause(self, error: CloudError, on_wait: OnWait = silent) -> None:
        """Say so to `on_wait`, and wait; raise `error` instead if it is permanent or the time is over."""
        asked = error.retry_after
        wait = asked if asked is not None else random.uniform(0, self._bound)  # noqa: S311
        if error.permanent or time.monotonic() + wait > self._ends:
            raise error
        if wait:
            on_wait(Waiting(self.attempts, error, timezone.now() + timedelta(seconds=wait)))
        self._sleep(wait)
        self._bound = min(2 * self._bound, self.LONGEST)
        self.attempts += 1

    def _sleep(self, seconds: float) -> None:
        while seconds > self.LOOK:
            stop.sleep(self.LOOK)
            self._check()
            seconds -= self.LOOK
        stop.sleep(seconds)
        self._check()
