"""When the requests of a driver are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


class RateLimiter:
    """Each request at once and once: what comes of it is the business of who asked."""

    def send(self, action: str, request: Callable[[], Answer]) -> Answer:
        """Send a request once this action of the cloud may be called; raises the `CloudError` that came of it."""
        return request()


UNLIMITED = RateLimiter()
