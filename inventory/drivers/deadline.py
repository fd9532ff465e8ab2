"""A deadline for all that clouds are asked for one request.

A limit on each answer is none on many of them, nor on a login, which takes several. Clients are shared, so the
deadline is not theirs: it belongs to the context that asks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def deadline_in(seconds: float) -> Iterator[None]:
    """Give everything that the block asks of clouds so many seconds together."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left() -> float:
    """Infinite without a deadline, negative after it."""
    return _deadline.get() - time.monotonic()
