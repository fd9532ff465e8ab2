"""What processes count and measure for `/metrics`; `state` has what the database knows.

Labels have few values: routes, actions of drivers, names of providers; never ids or what a client sent. With
`PROMETHEUS_MULTIPROC_DIR`, processes keep their numbers in files of that folder, and each of them can show all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from prometheus_client import Counter, Histogram

from inventory.drivers.exceptions import (
    AnswerTooLarge,
    CloudError,
    CloudUnavailable,
    CredentialsRefused,
    Throttled,
    Unfit,
)
from inventory.tracing import span_of_call

Answer = TypeVar("Answer")

if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)

#: The value of a label for tasks whose provider is gone.
NONE = "none"

_LOGINS_REFUSED = Counter(
    "portcullis_logins_refused_total", "Refused logins, by where and why.", ["door", "reason"]
)
_TASKS = Counter(
    "portcullis_tasks_finished_total",
    "Tasks that workers ended, by result.",
    ["vendor", "provider", "kind", "result"],
)
_CALLS = Counter(
    "portcullis_cloud_calls_total", "Calls of clouds, by outcome.", ["vendor", "provider", "action", "outcome"]
)
_CALL_SECONDS = Histogram(
    "portcullis_cloud_call_duration_seconds",
    "Calls of clouds, whatever their outcome.",
    ["vendor", "action"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
#: The outcome of a call that ends with an error; of several the first that fits.
_OUTCOMES: dict[type[BaseException], str] = {
    Throttled: "throttled",
    CloudUnavailable: "unavailable",
    CredentialsRefused: "denied",
    AnswerTooLarge: "unusable",
    Unfit: "unusable",
    CloudError: "refused",
}


class Claimed(Protocol):
    """A task as a worker has claimed it."""

    queue: str
    vendor: str | None
    provider_name: str | None


def logins_refused(door: str, reason: str) -> None:
    """Count a refused login. Both words are constants of the caller, such as `token` and `unknown`."""
    _LOGINS_REFUSED.labels(door, reason).inc()


def tasks_finished(claimed: Claimed, results: Iterable[str]) -> None:
    """Count tasks of the queue of `claimed` by their results."""
    kind = claimed.queue.partition("/")[0]
    for result in results:
        _TASKS.labels(claimed.vendor or NONE, claimed.provider_name or NONE, kind, result).inc()


def cloud_call(vendor: str, provider: str, action: str, call: Callable[[], Answer]) -> Answer:
    """Make a call of a cloud, and count and measure it."""
    started, outcome = time.perf_counter(), "ok"
    try:
        with span_of_call(vendor, action):
            return call()
    except BaseException as error:
        outcome = next((word for kind, word in _OUTCOMES.items() if isinstance(error, kind)), "failed")
        raise
    finally:
        _CALL_SECONDS.labels(vendor, action).observe(time.perf_counter() - started)
        _CALLS.labels(vendor, provider, action, outcome).inc()
