"""Retrying requests to a cloud, with growing pauses."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from inventory.drivers.exceptions import CloudError


class ShutdownRequested(Exception):
    """The process shall stop. Another worker continues the task."""


class RestartRequested(ShutdownRequested):
    """The tasks or the provider have changed. The tasks are claimed again."""


class ShutdownEvent:
    """Whether the process was asked to stop. Setting it wakes up sleeping threads."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        self._asked.set()

    def is_asked(self) -> bool:
        return self._asked.is_set()

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `ShutdownRequested` as soon as the process shall stop."""
        if self._asked.wait(seconds):
            raise ShutdownRequested


#: The event of this process.
stop = ShutdownEvent()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The pause after an attempt that failed with this error."""

    attempts: int
    error: CloudError
    until: datetime


class Retries:
    """Hooks around the pauses between attempts. These do nothing."""

    #: Whether an attempt with an unknown outcome may have changed something at the cloud.
    unsure = False

    def wait(self, waiting: Waiting) -> None:
        """Called before a pause."""

    def look(self) -> bool:
        """Called during a pause. Returns whether to retry now, and may raise an error to end the pause."""
        return False

    def go_on(self) -> None:
        """Called after a pause. Raises `RestartRequested` if there must be no further attempt."""

    def succeed(self, waited: bool) -> None:
        """Called after success; `waited` says whether earlier attempts failed."""


#: Retries without hooks.
NO_RETRIES = Retries()


class Backoff:
    """Growing, jittered pauses between attempts, until `seconds` have passed since the first of them failed.

    The jitter is full (a pause is anything up to the current bound), so that workers that were throttled together
    don't return together. A pause that the cloud requests is kept. If `attempts` were made before, `elapsed`
    seconds have already passed.
    """

    FIRST_PAUSE = 0.5
    MAX_PAUSE = 30.0
    #: How often to call `Retries.look` during a pause, in seconds.
    CHECK_INTERVAL = 1.0

    def __init__(self, seconds: float, *, elapsed: float = 0.0, attempts: int = 0) -> None:
        self._left = seconds - elapsed
        self._ends: float | None = None
        self._bound = self.FIRST_PAUSE
        self.attempts = attempts + 1

    def pause(self, error: CloudError, retries: Retries = NO_RETRIES) -> None:
        """Wait for the next attempt. Raises `error` instead if it is permanent or the time is over."""
        if self._ends is None:
            self._ends = time.monotonic() + self._left
        retry_after = error.retry_after
        delay = retry_after if retry_after is not None else random.uniform(0, self._bound)  # nosec B311  # noqa: S311 - spreads retries, no secret
        if error.permanent or time.monotonic() + delay > self._ends:
            raise error
        if delay:
            retries.wait(Waiting(self.attempts, error, timezone.now() + timedelta(seconds=delay)))
            self._sleep(delay, retries)
            retries.go_on()
        else:
            stop.sleep(0)
        self._bound = min(2 * self._bound, self.MAX_PAUSE)
        self.attempts += 1

    def _sleep(self, seconds: float, retries: Retries) -> None:
        while seconds > 0:
            stop.sleep(min(seconds, self.CHECK_INTERVAL))
            seconds -= self.CHECK_INTERVAL
            if retries.look():
                return
