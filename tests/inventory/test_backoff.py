"""How long is waited, by a clock that runs only while somebody sleeps."""

from __future__ import annotations

import random
from collections import deque
from datetime import timedelta
from functools import partial
from threading import Thread

import pytest

from inventory.backoff import Backoff, Retries, ShutdownEvent, ShutdownRequested, Waiting
from inventory.drivers.exceptions import (
    CloudError,
    CloudRefused,
    CloudUnavailable,
    InstanceGone,
    Outdated,
    Throttled,
)
from tests.clouds import Clock, Heard

BUSY = CloudUnavailable("No answer.")


@pytest.fixture
def backoff(clock: Clock) -> Backoff:
    return Backoff(300)


def wait_to_the_end(backoff: Backoff, error: CloudError = BUSY) -> int:
    """Pause until the error is raised; returns how many attempts there were."""
    pause = partial(backoff.pause, error)
    with pytest.raises(type(error)) as raised:
        deque(iter(pause, "never"))
    assert raised.value is error
    return backoff.attempts


def pause(backoff: Backoff, clock: Clock, error: CloudError = BUSY) -> float:
    """For how long it paused, in seconds."""
    began = clock.now
    backoff.pause(error)
    return clock.now - began


@pytest.fixture
def longest_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all pauses that the jitter allows, the longest."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


@pytest.mark.usefixtures("longest_pauses")
def test_the_pauses_grow_to_a_bound(backoff: Backoff, clock: Clock) -> None:
    assert [pause(backoff, clock) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_pause_is_anything_up_to_its_bound(
    backoff: Backoff, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = []
    monkeypatch.setattr(random, "uniform", lambda low, high: bounds.append((low, high)) or high / 4)
    for _ in range(3):
        backoff.pause(BUSY)
    assert bounds == [(0, 0.5), (0, 1), (0, 2)]
    assert clock.pauses == [0.125, 0.25, 0.5]


@pytest.mark.usefixtures("longest_pauses")
def test_it_never_waits_beyond_its_end_and_then_raises_the_error(backoff: Backoff, clock: Clock) -> None:
    assert wait_to_the_end(backoff) == 15
    assert 270 < clock.now <= 300


@pytest.mark.parametrize("error", [CloudRefused("No."), InstanceGone("Gone.")])
def test_a_permanent_error_is_raised_at_once(error: CloudError, backoff: Backoff, clock: Clock) -> None:
    assert wait_to_the_end(backoff, error) == 1
    assert not clock.pauses


@pytest.mark.parametrize("asked", [0.0, 7.5, 120.0])
def test_a_pause_that_the_cloud_asks_for_is_kept_to(asked: float, backoff: Backoff, clock: Clock) -> None:
    assert pause(backoff, clock, Throttled("Slow down.", retry_after=asked)) == asked


def test_a_pause_that_would_take_too_long_is_not_begun(backoff: Backoff, clock: Clock) -> None:
    wait_to_the_end(backoff, Throttled("Slow down.", retry_after=301))
    assert not clock.pauses


@pytest.mark.usefixtures("longest_pauses")
def test_without_a_word_of_the_cloud_throttling_is_waited_out_like_anything_else(
    backoff: Backoff, clock: Clock
) -> None:
    backoff.pause(Throttled("Slow down."))
    assert clock.pauses == [0.5]


@pytest.mark.usefixtures("longest_pauses")
def test_who_waits_says_how_long_before_and_nothing_where_there_is_no_pause(backoff: Backoff) -> None:
    said: list[Waiting] = []
    slow = Throttled("Slow down.", retry_after=7)
    for error in (BUSY, Outdated("It has changed."), slow):
        backoff.pause(error, Heard(said.append))
    with pytest.raises(CloudRefused):
        backoff.pause(CloudRefused("No."), Heard(said.append))
    assert [(one.attempts, one.error) for one in said] == [(1, BUSY), (3, slow)]
    assert said[1].until - said[0].until > timedelta(seconds=6)


def test_who_waits_for_nothing_any_more_soon_sees_it(clock: Clock) -> None:
    class Disabled(Retries):
        def look(self) -> bool:
            if clock.now > 60:
                raise CloudRefused("It was disabled.")
            return False

    with pytest.raises(CloudRefused):
        Backoff(300).pause(Throttled("Slow down.", retry_after=200), Disabled())
    assert clock.now <= 60 + Backoff.CHECK_INTERVAL


def test_who_is_asked_to_go_on_soon_does(backoff: Backoff, clock: Clock) -> None:
    class GroupReference(Retries):
        begun = False

        def look(self) -> bool:
            return clock.now > 60

        def go_on(self) -> None:
            self.begun = True

    asked = GroupReference()
    backoff.pause(Throttled("Slow down.", retry_after=200), asked)
    assert clock.now <= 60 + Backoff.CHECK_INTERVAL
    assert asked.begun


def test_its_time_begins_with_the_first_failure(backoff: Backoff, clock: Clock) -> None:
    clock.now += 1000
    wait_to_the_end(backoff)
    assert clock.now > 1200


def test_what_others_waited_before_counts(clock: Clock) -> None:
    backoff = Backoff(300, elapsed=290, attempts=7)
    assert backoff.attempts == 8
    wait_to_the_end(backoff)
    assert 0 < clock.now <= 10


def test_a_process_that_is_to_stop_wakes_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = ShutdownEvent()
    monkeypatch.setattr("inventory.backoff.stop", stop)
    woken: list[Exception] = []

    def wait() -> None:
        try:
            Backoff(3600).pause(Throttled("Slow down.", retry_after=3000))
        except ShutdownRequested as error:
            woken.append(error)

    thread = Thread(target=wait)
    thread.start()
    assert not stop.is_asked()
    stop.ask()
    thread.join(timeout=30)
    assert len(woken) == 1


def test_without_that_a_pause_is_slept_through() -> None:
    ShutdownEvent().sleep(0.001)
