"""Together below the limit of a cloud: who calls when, after the cloud refused a call as one too many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from inventory import rate_limit
from inventory.backoff import Waiting
from inventory.drivers import deadline
from inventory.drivers.deadline import deadline_in
from inventory.drivers.exceptions import CloudError, CloudRefused, CloudUnavailable, Throttled
from inventory.models import CallRate, Provider
from inventory.rate_limit import (
    INITIAL_RATE,
    RATE_GAIN,
    LowPriorityRateLimiter,
    PreviewRateLimiter,
    RateLimited,
    SharedRateLimiter,
    forget_old_rates,
    slow_down,
    take_turn,
)
from tests.cast import AMAZON
from tests.clouds import Clock, Heard

pytestmark = pytest.mark.django_db

WRITE = "modify"
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def provider(db: None) -> Provider:
    return Provider.objects.create(name="acme", vendor=AMAZON)


@pytest.fixture
def limited(provider: Provider) -> Provider:
    """A provider whose cloud has just refused a call."""
    slow_down(provider, WRITE, None)
    return provider


def rate() -> CallRate:
    return CallRate.objects.get()


def answer() -> str:
    return "done"


def refusal(retry_after: float | None = None) -> str:
    raise Throttled("Slow down.", retry_after=retry_after)


class TestUntilTheCloudRefuses:
    def test_calls_are_made_at_will(self, provider: Provider) -> None:
        rate_limiter = SharedRateLimiter(provider)
        assert [rate_limiter.send(WRITE, answer) for _ in range(50)] == ["done"] * 50
        assert not CallRate.objects.exists()

    def test_what_else_goes_wrong_changes_nothing(self, provider: Provider) -> None:
        def fail() -> None:
            raise CloudUnavailable("No answer.")

        with pytest.raises(CloudUnavailable):
            SharedRateLimiter(provider).send(WRITE, fail)
        assert not CallRate.objects.exists()

    def test_the_refusal_is_raised_and_noted(self, provider: Provider) -> None:
        with pytest.raises(Throttled, match="Slow down"):
            SharedRateLimiter(provider).send(WRITE, refusal)
        assert (rate().action, rate().per_second) == (WRITE, INITIAL_RATE)


class TestTurns:
    def test_they_are_as_far_apart_as_the_rate_says(self, limited: Provider) -> None:
        waits = [take_turn(limited, WRITE) for _ in range(4)]
        assert waits == pytest.approx([0, 0.2, 0.4, 0.6], abs=0.1)
        assert waits == sorted(waits)

    def test_they_are_shared_by_all_workers(self, limited: Provider) -> None:
        assert SharedRateLimiter(limited).send(WRITE, answer) == "done"
        with pytest.raises(RateLimited) as early:
            SharedRateLimiter(limited).send(WRITE, answer)
        assert 0 < (early.value.retry_after or 0) <= 0.2

    def test_a_turn_that_was_taken_is_kept(self, limited: Provider, clock: Clock) -> None:
        take_turn(limited, WRITE)
        rate_limiter = SharedRateLimiter(limited)
        with pytest.raises(RateLimited):
            rate_limiter.send(WRITE, answer)
        taken = rate().next_on
        clock.now += 0.3
        assert rate_limiter.send(WRITE, answer) == "done"
        assert rate().next_on == taken

    def test_other_actions_and_other_providers_are_called_at_will(self, limited: Provider) -> None:
        other = Provider.objects.create(name="other", vendor=AMAZON)
        for _ in range(9):
            assert SharedRateLimiter(limited).send("describe", answer) == "done"
            assert SharedRateLimiter(other).send(WRITE, answer) == "done"

    def test_one_who_was_not_told_learns_of_it_soon(self, provider: Provider, clock: Clock) -> None:
        rate_limiter = SharedRateLimiter(provider)
        rate_limiter.send(WRITE, answer)
        slow_down(provider, WRITE, 60)
        clock.now += rate_limit.CHECK_INTERVAL + 0.1
        with pytest.raises(RateLimited):
            rate_limiter.send(WRITE, answer)


class TestTheRate:
    def test_it_halves_with_each_refusal_to_a_bound(self, limited: Provider) -> None:
        rates = []
        for _ in range(9):
            CallRate.objects.update(refused_on=timezone.now() - timedelta(seconds=2))
            slow_down(limited, WRITE, None)
            rates.append(rate().per_second)
        assert rates == [2.5, 1.25, 0.625, 0.3125, *[rate_limit.MIN_RATE] * 5]

    def test_refusals_of_calls_that_were_under_way_together_count_once(self, limited: Provider) -> None:
        for _ in range(5):
            slow_down(limited, WRITE, None)
        assert rate().per_second == INITIAL_RATE

    def test_it_grows_with_the_turns(self, limited: Provider) -> None:
        before = rate().per_second
        for _ in range(int(INITIAL_RATE)):
            take_turn(limited, WRITE)
        assert rate().per_second == pytest.approx(before + rate_limit.RATE_GAIN, rel=0.01)

    def test_nobody_calls_before_the_cloud_wants_it(self, provider: Provider) -> None:
        slow_down(provider, WRITE, 7)
        assert take_turn(provider, WRITE) == pytest.approx(7, abs=0.5)

    def test_it_is_forgotten_some_time_after_the_last_refusal(self, limited: Provider) -> None:
        forget_old_rates()
        assert CallRate.objects.exists()
        CallRate.objects.update(refused_on=timezone.now() - timedelta(minutes=11))
        forget_old_rates()
        assert not CallRate.objects.exists()
        assert take_turn(limited, WRITE) == 0


class TestARefresh:
    """What is heard of a pause plays what happens meanwhile."""

    def test_it_takes_no_turn_while_others_wait_for_theirs(self, limited: Provider, clock: Clock) -> None:
        take_turn(limited, WRITE)
        seen: list[bool] = []

        def meanwhile(waiting: Waiting) -> None:
            assert isinstance(waiting.error, RateLimited)
            queue = rate().next_on
            with suppress(RateLimited):
                SharedRateLimiter(limited).send(WRITE, answer)  # who came later goes first
            seen.append(rate().next_on > queue)
            if len(seen) == 3:
                CallRate.objects.update(next_on=PAST)

        assert LowPriorityRateLimiter(limited, Heard(meanwhile)).send(WRITE, answer) == "done"
        assert seen == [True] * 3

    def test_it_repeats_what_was_refused_or_failed(self, provider: Provider, clock: Clock) -> None:
        said: list[Waiting] = []
        events = [CloudUnavailable("No answer."), Throttled("Slow down.", retry_after=3), None]

        def request() -> str:
            if event := events.pop(0):
                raise event
            return "done"

        def note(waiting: Waiting) -> None:
            said.append(waiting)
            CallRate.objects.update(next_on=PAST)  # the pauses of this test take no time

        assert LowPriorityRateLimiter(provider, Heard(note)).send(WRITE, request) == "done"
        assert [str(one.error) for one in said] == ["No answer.", "Slow down."]

    def test_it_gives_up_soon_where_the_cloud_fails(self, provider: Provider, clock: Clock) -> None:
        def fail() -> None:
            raise CloudUnavailable("No answer.")

        with pytest.raises(CloudUnavailable):
            LowPriorityRateLimiter(provider).send(WRITE, fail)
        assert 0 < clock.now <= rate_limit.REFRESH_RETRY_SECONDS

    def test_it_does_not_repeat_what_is_permanent(self, provider: Provider, clock: Clock) -> None:
        def refuse() -> None:
            raise CloudRefused("No.")

        with pytest.raises(CloudRefused):
            LowPriorityRateLimiter(provider).send(WRITE, refuse)
        assert not clock.pauses


class TestAPreview:
    @pytest.fixture(autouse=True)
    def time(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
        monkeypatch.setattr(deadline, "time", clock)
        return clock

    def test_it_takes_no_turn_while_others_wait_for_theirs(self, limited: Provider, clock: Clock) -> None:
        queues: list[datetime] = []

        def come() -> None:
            queues.append(timezone.now() + timedelta(seconds=2))
            CallRate.objects.update(next_on=queues[-1])

        come()
        clock.meanwhile = come
        with deadline_in(15), pytest.raises(RateLimited):
            PreviewRateLimiter(limited).send(WRITE, answer)
        assert rate().next_on == queues[-1]
        assert 0 < clock.now <= 15

    def test_it_waits_until_nobody_does(self, limited: Provider, clock: Clock) -> None:
        take_turn(limited, WRITE)
        clock.meanwhile = lambda: CallRate.objects.update(next_on=PAST)
        with deadline_in(15):
            assert PreviewRateLimiter(limited).send(WRITE, answer) == "done"
        assert len(clock.pauses) == 1

    def test_it_does_not_wait_for_what_the_cloud_wants_later(self, provider: Provider, clock: Clock) -> None:
        slow_down(provider, WRITE, 60)
        with deadline_in(15), pytest.raises(RateLimited):
            PreviewRateLimiter(provider).send(WRITE, answer)
        assert clock.pauses == []

    @pytest.mark.parametrize("error", [CloudUnavailable("No answer."), Throttled("Slow down.")])
    def test_it_repeats_nothing(self, provider: Provider, clock: Clock, error: CloudError) -> None:
        sent = []

        def fail() -> None:
            sent.append(error)
            raise error

        with deadline_in(15), pytest.raises(type(error)):
            PreviewRateLimiter(provider).send(WRITE, fail)
        assert len(sent) == 1

    def test_it_sends_nothing_after_the_deadline(self, provider: Provider, clock: Clock) -> None:
        with deadline_in(15):
            clock.now += 15
            with pytest.raises(CloudUnavailable, match="time limit"):
                PreviewRateLimiter(provider).send(WRITE, answer)


@pytest.mark.usefixtures("shared_database")
def test_no_two_of_many_take_the_same_turn() -> None:
    provider = Provider(pk=1, name="acme", vendor=AMAZON)

    def prepare() -> None:
        with closing(connection):
            provider.save(force_insert=True)
            slow_down(provider, WRITE, 60)

    def come(_: int) -> None:
        with closing(connection):
            take_turn(provider, WRITE)

    def next_turn() -> datetime:
        with closing(connection):
            return CallRate.objects.get().next_on

    with ThreadPoolExecutor(8) as pool:
        pool.submit(prepare).result()
        first = pool.submit(next_turn).result()
        list(pool.map(come, range(24)))
        last = pool.submit(next_turn).result()
    expected, per_second = 0.0, INITIAL_RATE
    for _ in range(24):
        expected += 1 / per_second
        per_second += RATE_GAIN / per_second
    assert (last - first).total_seconds() == pytest.approx(expected, abs=0.001)
