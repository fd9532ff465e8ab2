"""Requests that wait for clouds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inventory import messages
from inventory.capacity import NoThreadLeft, Share
from inventory.drivers.deadline import deadline_in

#: How long a request waits for all its clouds together, in seconds.
SECONDS = 15.0

_quarter = Share(4)


class TooManyWaiting(Exception):
    """So many requests already wait for clouds that this one asked none; `str()` is for people."""

    #: `Retry-After`, in seconds.
    wait = int(SECONDS)

    def __init__(self) -> None:
        super().__init__(messages.TOO_MANY_WAITING)


@contextmanager
def waiting_for_clouds(seconds: float = SECONDS) -> Iterator[None]:
    """Ask clouds in this block, within so many seconds. Not inside a transaction, which would last as long.

    Raises `TooManyWaiting`, because others need threads too.
    """
    try:
        with _quarter.thread(), deadline_in(seconds):
            yield
    except NoThreadLeft:
        raise TooManyWaiting from None
