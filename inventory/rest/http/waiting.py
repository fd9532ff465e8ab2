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


def wait_until(predicate: Callable[[], bool], seconds: float) -> bool:
    """Whether `predicate` became true in so many seconds. Does not wait if too many requests do."""
    if not seconds or not _places.acquire(blocking=False):
        return False
    try:
        return _wait_until(predicate, time.monotonic() + seconds)
    finally:
        _places.release()


def _wait_until(predicate: Callable[[], bool], deadline: float) -> bool:
    while not predicate():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        time.sleep(min(PAUSE, remaining))
    return True
