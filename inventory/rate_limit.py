"""Keeping all workers together below a cloud's rate limits, for each action.

The limits are unknown: they differ by account and by site, and other clients use them up too. So there is no limit
until the cloud refuses a call because there were too many. From then on the calls of that action take turns,
across all workers. Each refusal lowers the rate, each turn raises it a little, and after a while the limit is
forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from inventory.backoff import NO_RETRIES, Backoff, Retries
from inventory.drivers.deadline import seconds_left
from inventory.drivers.exceptions import CloudError, CloudUnavailable, Throttled
from inventory.drivers.rate_limit import RateLimiter
from inventory.drivers.side_by_side import at_home
from inventory.messages import RATE_LIMITED, TIME_IS_UP
from inventory.metrics import cloud_call
from inventory.models import CallRate, Provider

Answer = TypeVar("Answer")

#: Turns per second after the first refusal; EC2's default limit for writes.
INITIAL_RATE = 5.0
#: The lowest rate, and its growth per second while all turns are taken.
MIN_RATE, RATE_GAIN = 0.2, 0.2
#: Parallel calls are refused together, so refusals within this time count once.
REFUSAL_WINDOW = timedelta(seconds=1)
#: After this time without a refusal the limit is forgotten.
LIMIT_LIFETIME = timedelta(minutes=10)
#: How long to assume that no other worker was refused, in seconds.
CHECK_INTERVAL = 1.0
#: How long a refresh retries a failed request, in seconds; there is another refresh later.
REFRESH_RETRY_SECONDS = 10.0


class RateLimited(Throttled):
    """The call has to wait for its turn."""

    def __init__(self, seconds: float) -> None:
        super().__init__(RATE_LIMITED, retry_after=seconds, general=RATE_LIMITED)


class SharedRateLimiter(RateLimiter):
    """For changes, which people wait for: takes the next turn, and says when it is."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._looked = float("-inf")
        self._limited: set[str] = set()
        #: Turns in the future, by the clock of this process.
        self._turns: dict[str, float] = {}

    def send(self, action: str, request: Callable[[], Answer]) -> Answer:
        """The answer. Raises `RateLimited` if the caller must wait and call again."""
        at_home(partial(self._await_turn, action))
        try:
            return cloud_call(self._provider.vendor, self._provider.name, action, request)
        except Throttled as error:
            at_home(partial(slow_down, self._provider, action, error.retry_after))
            self._looked = float("-inf")
            raise

    def _await_turn(self, action: str) -> None:
        if not self._is_limited(action):
            return
        if action not in self._turns:
            self._turns[action] = time.monotonic() + take_turn(self._provider, action)
        if (delay := self._turns[action] - time.monotonic()) > 0:
            raise RateLimited(delay)
        del self._turns[action]

    def _is_limited(self, action: str) -> bool:
        if time.monotonic() - self._looked > CHECK_INTERVAL:
            self._limited = set(CallRate.objects.filter(provider=self._provider).values_list("action", flat=True))
            self._looked = time.monotonic()
        return action in self._limited


class LowPriorityRateLimiter(SharedRateLimiter):
    """For refreshes: takes a turn only if nobody waits for it, and repeats refused requests."""

    def __init__(self, provider: Provider, retries: Retries = NO_RETRIES) -> None:
        super().__init__(provider)
        self._retries = retries
        self._checked = time.monotonic()

    def send(self, action: str, request: Callable[[], Answer]) -> Answer:
        """The answer. Only for requests that change nothing."""
        at_home(self._check)
        limits, failures = Backoff(settings.CHANGE_PATIENCE.total_seconds()), Backoff(REFRESH_RETRY_SECONDS)
        while True:
            try:
                result = super().send(action, request)
            except Throttled as error:
                at_home(partial(limits.pause, error, self._retries))
            except CloudError as error:
                at_home(partial(failures.pause, error, self._retries))
            else:
                waited = limits.attempts + failures.attempts > 2
                at_home(partial(self._retries.succeed, waited))
                return result

    def _check(self) -> None:
        """Stop soon after the provider was disabled or deleted."""
        if time.monotonic() - self._checked > CHECK_INTERVAL:
            self._provider.ensure_enabled()
            self._checked = time.monotonic()

    def _await_turn(self, action: str) -> None:
        if self._is_limited(action) and (delay := take_turn(self._provider, action, queue=False)):
            raise RateLimited(delay)


class PreviewRateLimiter(SharedRateLimiter):
    """For previews: takes a turn only if nobody waits for it, and sends nothing after the deadline."""

    def send(self, action: str, request: Callable[[], Answer]) -> Answer:
        """The answer. Only for requests that change nothing."""
        if seconds_left() <= 0:
            raise CloudUnavailable(TIME_IS_UP, general=TIME_IS_UP)
        return super().send(action, request)

    def _await_turn(self, action: str) -> None:
        pauses = Backoff(seconds_left())
        while self._is_limited(action) and (delay := take_turn(self._provider, action, queue=False)):
            pauses.pause(RateLimited(delay))


def take_turn(provider: Provider, action: str, *, queue: bool = True) -> float:
    """Take the next turn, and return the seconds until then. Without `queue`, only take a turn that is now."""
    with transaction.atomic():
        rate = _locked(provider, action)
        if rate is None:
            return 0.0
        delay: float = max((rate.next_on - rate.now).total_seconds(), 0.0)
        if queue or not delay:
            rate.next_on = max(rate.next_on, rate.now) + timedelta(seconds=1 / rate.per_second)
            rate.per_second += RATE_GAIN / rate.per_second
            rate.save()
        return delay


def slow_down(provider: Provider, action: str, retry_after: float | None) -> None:
    """Note that the cloud refused a call. All workers lower their rate."""
    initial = CallRate(
        provider=provider,
        action=action,
        per_second=2 * INITIAL_RATE,
        next_on=Now(),
        refused_on=Now() - REFUSAL_WINDOW,
    )
    with transaction.atomic():
        if not provider.is_kept():
            return
        CallRate.objects.bulk_create([initial], ignore_conflicts=True)
        rate = _locked(provider, action)
        if rate.now - rate.refused_on >= REFUSAL_WINDOW:
            rate.per_second = max(rate.per_second / 2, MIN_RATE)
            rate.refused_on = rate.now
        rate.next_on = max(rate.next_on, rate.now + timedelta(seconds=retry_after or 0))
        rate.save()


def forget_old_rates() -> None:
    CallRate.objects.filter(refused_on__lt=Now() - LIMIT_LIFETIME).delete()


def _locked(provider: Provider, action: str) -> Any:
    """The locked row, with the database's time as `now`, because the clocks of hosts may differ."""
    rates = CallRate.objects.select_for_update().filter(provider=provider, action=action)
    return rates.annotate(now=Now()).first()
