"""How long requests take.

To count a request in a file takes several times as long as all else that happens to it here. So requests are
only noted, and another thread counts them once a second.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Event, Thread

from prometheus_client import Histogram

logger = logging.getLogger(__name__)

_SECONDS = Histogram(
    "portcullis_request_duration_seconds",
    "Requests, by the pattern of their address.",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
#: How often requests are counted, in seconds, and how many may wait for it.
PAUSE, MOST = 1.0, 100_000

#: The pattern, method and status of a request, and how many seconds it took.
Request = tuple[str, str, int, float]


class Requests:
    """The requests of this process."""

    def __init__(self) -> None:
        self._noted: deque[Request] = deque(maxlen=MOST)
        self._observe: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._is_counting = False
        self._ended = Event()  # never set: it waits, whatever tests do to the clock

    def note(self, request: Request) -> None:
        """Note a request, to be counted soon. A process that forks answers none, so the thread is this one's."""
        self._noted.append(request)
        if not self._is_counting:
            self._is_counting = True
            Thread(target=self._count_forever, name="metrics of requests", daemon=True).start()

    def count(self) -> None:
        """Count what was noted."""
        while self._noted:
            try:
                *labels, seconds = self._noted.popleft()
            except IndexError:
                return  # another thread counts, too
            self._observer(*labels)(seconds)  # type: ignore[arg-type]

    def _observer(self, route: str, method: str, status: int) -> Callable[[float], None]:
        """Kept, because a look at the labels takes longer than to observe."""
        key = (route, method, status)
        if key not in self._observe:
            self._observe[key] = _SECONDS.labels(*key).observe
        return self._observe[key]

    def _count_forever(self) -> None:
        while not self._ended.wait(PAUSE):
            try:
                self.count()
            except OSError:  # of the files
                logger.exception("Requests could not be counted")


requests = Requests()
