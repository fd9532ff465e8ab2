"""How long to go on asking a cloud that can't answer right now."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from inventory.drivers.base import CloudError


class Patience:
    """Growing, jittered pauses between attempts, until `seconds` have passed.

    The jitter is full (a pause is anything up to the current bound), so that workers that were throttled together
    don't come back together. A pause that the cloud asked for is kept to.
    """

    FIRST = 0.5
    LONGEST = 30.0

    def __init__(self, seconds: float, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._ends = time.monotonic() + seconds
        self._bound = self.FIRST
        self._sleep = sleep
        self.attempts = 1

    def pause(self, error: CloudError) -> None:
        """Wait before the next attempt, or raise `error` if it is permanent or the time is over."""
        asked = error.retry_after
        wait = asked if asked is not None else random.uniform(0, self._bound)  # noqa: S311
        if error.permanent or time.monotonic() + wait > self._ends:
            raise error
        self._sleep(wait)
        self._bound = min(2 * self._bound, self.LONGEST)
        self.attempts += 1
