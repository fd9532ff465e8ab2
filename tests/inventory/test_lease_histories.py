"""Whatever holders of a lease do, and whenever they die: there is never more than one that may write."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import transaction
from django.db.models import DateTimeField, Value
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from inventory import leases
from inventory.leases import LENGTH, LeaseLost, QueueLease
from inventory.models import Lease

pytestmark = pytest.mark.walk

QUEUE = "vms/1"


class Clocks:
    """That of the database, and that by which every process measures how long something takes."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> Value:
        return Value(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.passed), DateTimeField())

    def monotonic(self) -> float:
        return self.passed


def may_write(lease: QueueLease) -> bool:
    try:
        lease.ensure()
    except LeaseLost:
        return False
    return True


class LeaseHistories(RuleBasedStateMachine):
    """Those that hold the lease, or did and were stopped for so long that they do not know what happened since."""

    clocks: Clocks
    holders = Bundle("holders")

    def __init__(self) -> None:
        super().__init__()
        self._start = transaction.savepoint()
        self.living: list[QueueLease] = []

    @initialize()
    def begin(self) -> None:
        self.clocks.passed = 0.0

    @rule(target=holders)
    def acquire(self) -> Any:
        lease = QueueLease(QUEUE)
        lease._renewal = Thread(target=lambda: None)  # renewed by a rule instead
        lease._renewal.start()
        others = [other for other in self.living if may_write(other)]
        acquired = lease.acquire()
        assert not (acquired and others)
        if not acquired:
            return multiple()
        self.living.append(lease)
        return lease

    @rule(lease=holders)
    def renew(self, lease: QueueLease) -> None:
        """Also late, after its end: if nobody took it meanwhile it is held again."""
        lease._renew()

    @rule(lease=consumes(holders), killed=st.booleans())
    def end(self, lease: QueueLease, killed: bool) -> None:
        if not killed:
            lease.release()
        self.living = [other for other in self.living if other is not lease]

    @rule(seconds=st.sampled_from([11, 20, 31]))
    def pass_time(self, seconds: float) -> None:
        self.clocks.passed += seconds

    @invariant()
    def at_most_one_may_write(self) -> None:
        assert sum(map(may_write, self.living)) <= 1

    @invariant()
    def none_is_held_for_long(self) -> None:
        end = Value(self.clocks.now().value + LENGTH, DateTimeField())
        assert not Lease.objects.filter(ends_on__gt=end).exists()

    def teardown(self) -> None:
        """However they ended: once the lease is over somebody else gets it."""
        self.clocks.passed += LENGTH.total_seconds() + 1
        try:
            assert QueueLease(QUEUE).acquire()
        finally:
            transaction.savepoint_rollback(self._start)


@pytest.mark.django_db
def test_there_is_never_more_than_one_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks()
    monkeypatch.setattr(leases, "Now", clocks.now)
    monkeypatch.setattr(leases, "time", clocks)
    assert time.monotonic() != clocks.monotonic()
    run_state_machine_as_test(
        type("History", (LeaseHistories,), {"clocks": clocks}),
        settings=settings(max_examples=200, stateful_step_count=20, suppress_health_check=list(HealthCheck)),
    )
