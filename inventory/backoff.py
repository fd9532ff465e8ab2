"""How long to go on asking a cloud that can't answer right now."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from inventory import messages
from inventory.drivers.exceptions import CloudError


class ShutdownRequested(Exception):
    """This process is to stop: what it waited to do is still to be done, by whoever takes it next."""


class RestartRequested(ShutdownRequested):
    """What was waited for has changed: it is taken anew, with what there is now."""


class ShutdownEvent:
    """Whether this process was asked to stop; those who wait in it are woken by that."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        self._asked.set()

    def is_asked(self) -> bool:
        return self._asked.is_set()

    def sleep(self, seconds: float) -> None:
        """Sleep so long, or raise `ShutdownRequested` as soon as the process is to stop."""
        if self._asked.wait(seconds):
            raise ShutdownRequested


#: Of this process.
stop = ShutdownEvent()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The pause after so many attempts, the last of which failed with this error."""

    attempts: int
    error: CloudError
    until: datetime

    def __str__(self) -> str:
        """What a task says while it waits."""
        return messages.will_retry(self.attempts, self.until, self.error)


class Retries:
    """What goes with the pauses between attempts; here nothing, for nobody follows them."""

    #: Whether an attempt may have changed something at the cloud without our knowing.
    unsure = False

    def wait(self, waiting: Waiting) -> None:
        """Say that the next attempt is waited for."""

    def look(self) -> bool:
        """Whether to make it at once; raises what ends the wait."""
        return False

    def go_on(self) -> None:
        """Begin it; raises `RestartRequested` where it is not to be made any more."""

    def succeed(self, waited: bool) -> None:
        """Say that an attempt succeeded; `waited` says whether others had failed before."""


#: Nobody follows these.
NO_RETRIES = Retries()


class Backoff:
    """Growing, jittered pauses between attempts, until `seconds` have passed since the first of them failed.

    The jitter is full (a pause is anything up to the current bound), so that workers that were throttled together
    don't come back together. A pause that the cloud asked for is kept to. Where `attempts` were made before,
    `elapsed` seconds have passed already.
    """

    FIRST_PAUSE = 0.5
    MAX_PAUSE = 30.0
    #: How often who waits looks whether it is still to wait, in seconds.
    CHECK_INTERVAL = 1.0

    def __init__(self, seconds: float, *, elapsed: float = 0.0, attempts: int = 0) -> None:
        self._left = seconds - elapsed
        self._ends: float | None = None
        self._bound = self.FIRST_PAUSE
        self.attempts = attempts + 1

    def pause(self, error: CloudError, retries: Retries = NO_RETRIES) -> None:
        """Wait for the next attempt; raises `error` instead if it is permanent or the time is over."""
        if self._ends is None:
            self._ends = time.monotonic() + self._left
        asked = error.retry_after
        wait = asked if asked is not None else random.uniform(0, self._bound)  # noqa: S311
        if error.permanent or time.monotonic() + wait > self._ends:
            raise error
        if wait:
            retries.wait(Waiting(self.attempts, error, timezone.now() + timedelta(seconds=wait)))
            self._sleep(wait, retries)
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
