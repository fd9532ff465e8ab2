"""All workers together below what a cloud allows an account, action by action.

Nobody knows a cloud's limits before it names them: they differ by account and by site, and others use them up as
well. So an action is called at will until the cloud refuses a call as one too many. From then on its calls take
turns, across all workers: fewer a second with each refusal, slowly more with each turn, until all is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from inventory.backoff import NO_RETRIES, Backoff, Retries
from inventory.drivers.exceptions import CloudError, Throttled
from inventory.drivers.rate_limit import RateLimiter
from inventory.messages import RATE_LIMITED
from inventory.models import CallRate, Provider

Answer = TypeVar("Answer")

#: Turns a second after the first refusal: what EC2 gives an account to change things.
INITIAL_RATE = 5.0
#: The fewest, and by how many they grow in a second in which all turns are taken.
MIN_RATE, RATE_GAIN = 0.2, 0.2
#: Calls that were under way together are refused together: within this time that counts once.
REFUSAL_WINDOW = timedelta(seconds=1)
#: After so long without a refusal an action is called at will again.
LIMIT_LIFETIME = timedelta(minutes=10)
#: For how many seconds it is taken for granted that no other worker was refused.
CHECK_INTERVAL = 1.0
#: For how many seconds a refresh repeats a request that fails: it comes again by itself.
REFRESH_RETRY_SECONDS = 10.0


class RateLimited(Throttled):
    """A call that was not made yet, because others are before it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(RATE_LIMITED, retry_after=seconds)


class SharedRateLimiter(RateLimiter):
    """For what a person waits for: it takes the next turn, and says when that is."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._looked = float("-inf")
        self._limited: set[str] = set()
        #: The turns that were taken and are yet to come, by the clock of this process.
        self._turns: dict[str, float] = {}

    def send(self, action: str, request: Callable[[], Answer]) -> Answer:
        """The answer; raises `RateLimited`, and is to be asked again then."""
        self._await_turn(action)
        try:
            return request()
        except Throttled as refusal:
            slow_down(self._provider, action, refusal.retry_after)
            self._looked = float("-inf")
            raise

    def _await_turn(self, action: str) -> None:
        if not self._is_limited(action):
            return
        if action not in self._turns:
            self._turns[action] = time.monotonic() + take_turn(self._provider, action)
        if (wait := self._turns[action] - time.monotonic()) > 0:
            raise RateLimited(wait)
        del self._turns[action]

    def _is_limited(self, action: str) -> bool:
        if time.monotonic() - self._looked > CHECK_INTERVAL:
            self._limited = set(CallRate.objects.filter(provider=self._provider).values_list("action", flat=True))
            self._looked = time.monotonic()
        return action in self._limited


class LowPriorityRateLimiter(SharedRateLimiter):
    """For refreshes: they take a turn only where nobody waits for one, and repeat a request that was refused."""

    def __init__(self, provider: Provider, retries: Retries = NO_RETRIES) -> None:
        super().__init__(provider)
        self._retries = retries
        self._checked = time.monotonic()

    def send(self, action: str, request: Callable[[], Answer]) -> Answer:
        """The answer; only for requests that change nothing."""
        self._check()
        limits, failures = Backoff(settings.CHANGE_PATIENCE.total_seconds()), Backoff(REFRESH_RETRY_SECONDS)
        while True:
            try:
                answer = super().send(action, request)
            except Throttled as refusal:
                limits.pause(refusal, self._retries)
            except CloudError as failure:
                failures.pause(failure, self._retries)
            else:
                self._retries.succeed(waited=limits.attempts + failures.attempts > 2)
                return answer

    def _check(self) -> None:
        """Stop reading soon after the provider was disabled or deleted, however well its cloud answers."""
        if time.monotonic() - self._checked > CHECK_INTERVAL:
            self._provider.ensure_enabled()
            self._checked = time.monotonic()

    def _await_turn(self, action: str) -> None:
        if self._is_limited(action) and (wait := take_turn(self._provider, action, queue=False)):
            raise RateLimited(wait)


def take_turn(provider: Provider, action: str, *, queue: bool = True) -> float:
    """Take the next turn; returns the seconds until then. Without `queue` none is taken that is not now."""
    with transaction.atomic():
        rate = _locked(provider, action)
        if rate is None:
            return 0.0
        wait: float = max((rate.next_on - rate.now).total_seconds(), 0.0)
        if queue or not wait:
            rate.next_on = max(rate.next_on, rate.now) + timedelta(seconds=1 / rate.per_second)
            rate.per_second += RATE_GAIN / rate.per_second
            rate.save()
        return wait


def slow_down(provider: Provider, action: str, retry_after: float | None) -> None:
    """Note that the cloud refused a call as one too many: all workers call less often from now on."""
    first = CallRate(
        provider=provider,
        action=action,
        per_second=2 * INITIAL_RATE,
        next_on=Now(),
        refused_on=Now() - REFUSAL_WINDOW,
    )
    with transaction.atomic():
        if not provider.is_kept():
            return
        CallRate.objects.bulk_create([first], ignore_conflicts=True)
        rate = _locked(provider, action)
        if rate.now - rate.refused_on >= REFUSAL_WINDOW:
            rate.per_second = max(rate.per_second / 2, MIN_RATE)
            rate.refused_on = rate.now
        rate.next_on = max(rate.next_on, rate.now + timedelta(seconds=retry_after or 0))
        rate.save()


def forget_old_rates() -> None:
    CallRate.objects.filter(refused_on__lt=Now() - LIMIT_LIFETIME).delete()


def _locked(provider: Provider, action: str) -> Any:
    """With the time as `now`, by the clock of the database: those of the hosts may differ."""
    rates = CallRate.objects.select_for_update().filter(provider=provider, action=action)
    return rates.annotate(now=Now()).first()
