"""Requests that wait, limited so that others always find a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.http import QueryDict

from inventory.rest.parameters import digits

#: Maximum wait of a request, in seconds.
MAX_WAIT = 60
#: Pause between two checks, in seconds.
PAUSE = 0.2

_places = threading.BoundedSemaphore(settings.API_WAITING)


def seconds_in(query: QueryDict) -> int:
    """The parameter `wait`, at most `MAX_WAIT`; 0 without one."""
    return min(digits(query, "wait", default=0), MAX_WAIT)


def wait_until(there: Callable[[], bool], seconds: float) -> bool:
    """Wait until `there` returns true, and return whether it did. Returns at once if too many requests wait."""
    if not seconds or not _places.acquire(blocking=False):
        return False
    try:
        return _wait_until(there, time.monotonic() + seconds)
    finally:
        _places.release()


def _wait_until(there: Callable[[], bool], end: float) -> bool:
    while not there():
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(PAUSE, left))
    return True
