"""One holder at a time, by what stands in the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from inventory import leases
from inventory.leases import LeaseLost, QueueLease, hold_lease
from inventory.models import Lease

#: How long a test waits for what must happen, in seconds; it happens at once.
BOUND = 30


class Renewals:
    """The renewals of a lease, each in the background as ever, but only when a test wants one."""

    def __init__(self, renew: Callable[[QueueLease], None]) -> None:
        self._renew = renew
        self._wanted, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def one(self) -> None:
        """Let the lease be renewed once."""
        self._wanted.release()
        assert self._done.acquire(timeout=BOUND)

    def renew(self, lease: QueueLease) -> None:
        if self._wanted.acquire(blocking=False):
            self._renew(lease)
            self._done.release()


@pytest.fixture
def renewals(monkeypatch: pytest.MonkeyPatch) -> Renewals:
    renewals = Renewals(QueueLease._renew)
    monkeypatch.setattr(leases, "RENEWAL", timedelta(milliseconds=1))
    monkeypatch.setattr(QueueLease, "_renew", lambda lease: renewals.renew(lease))
    return renewals


def expire(queue: str) -> None:
    """The holder was not heard of for too long."""
    Lease.objects.filter(queue=queue).update(ends_on=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db
class TestTheRow:
    def test_there_is_one_holder_of_a_queue(self) -> None:
        with hold_lease("vms/1") as first, hold_lease("vms/1") as second, hold_lease("vms/2") as other:
            assert first is not None
            assert second is None
            assert other is not None

    def test_who_was_refused_takes_nothing_from_the_holder(self) -> None:
        with hold_lease("vms/1") as lease:
            before = Lease.objects.values().get()
            with hold_lease("vms/1"):
                pass
            assert Lease.objects.values().get() == before
            assert lease is not None
            lease.ensure()

    def test_it_ends_a_while_from_now(self) -> None:
        before = timezone.now()
        with hold_lease("vms/1"):
            ends_on = Lease.objects.get().ends_on
            within = timedelta(milliseconds=1)  # which is as fine as SQLite's clock
            assert before + leases.LENGTH - within <= ends_on <= timezone.now() + leases.LENGTH

    def test_it_is_renewed_well_before_it_ends(self) -> None:
        assert 2 * leases.RENEWAL < leases.LENGTH

    def test_letting_go_lets_the_next_in(self) -> None:
        with hold_lease("vms/1"):
            pass
        assert not Lease.objects.exists()
        with hold_lease("vms/1") as next_one:
            assert next_one is not None

    def test_an_exception_lets_go_as_well(self) -> None:
        with pytest.raises(ZeroDivisionError), hold_lease("vms/1"):
            raise ZeroDivisionError
        assert not Lease.objects.exists()

    def test_one_that_has_ended_is_taken_over(self) -> None:
        dead = QueueLease("vms/1")
        assert dead.acquire()
        expire("vms/1")
        with hold_lease("vms/1") as lease:
            assert lease is not None
            assert Lease.objects.get().owner == lease.owner
            assert Lease.objects.get().ends_on > timezone.now()

    def test_who_lost_it_does_not_release_that_of_the_next(self) -> None:
        with hold_lease("vms/1"):
            expire("vms/1")
            next_one = QueueLease("vms/1")
            assert next_one.acquire()
        assert Lease.objects.get().owner == next_one.owner

    def test_a_holder_may_write(self) -> None:
        with hold_lease("vms/1") as lease:
            assert lease is not None
            lease.ensure()


@pytest.mark.django_db(transaction=True)
class TestTheRenewal:
    def test_it_moves_the_end_on(self, renewals: Renewals) -> None:
        with hold_lease("vms/1"):
            expire("vms/1")
            renewals.one()
            assert Lease.objects.get().ends_on > timezone.now()

    def test_a_holder_that_lost_it_may_not_write(self, renewals: Renewals) -> None:
        with hold_lease("vms/1") as lease:
            assert lease is not None
            Lease.objects.all().delete()
            renewals.one()
            with pytest.raises(LeaseLost, match="vms/1"):
                lease.ensure()

    def test_one_that_was_taken_over_is_lost_and_left_to_its_new_holder(self, renewals: Renewals) -> None:
        with hold_lease("vms/1") as lease:
            assert lease is not None
            next_one = QueueLease("vms/1")
            Lease.objects.update(owner=next_one.owner)
            renewals.one()
            with pytest.raises(LeaseLost):
                lease.ensure()
        assert Lease.objects.get().owner == next_one.owner

    def test_a_database_that_fails_for_a_moment_does_not_end_it(
        self, renewals: Renewals, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        def fail(lease: QueueLease) -> None:
            raise OperationalError("The database is starting up.")

        with hold_lease("vms/1") as lease:
            assert lease is not None
            with monkeypatch.context() as patched:
                patched.setattr(QueueLease, "_mine", fail)
                renewals.one()
            expire("vms/1")
            renewals.one()
            lease.ensure()
            assert Lease.objects.get().ends_on > timezone.now()
        assert "The lease of vms/1 could not be renewed" in caplog.text

    def test_it_ends_with_the_block(self, renewals: Renewals) -> None:
        with hold_lease("vms/1"):
            renewals.one()
        assert "lease of vms/1" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.usefixtures("shared_database")
def test_of_many_who_come_at_once_one_gets_it() -> None:
    many = 8
    together, decided = threading.Barrier(many, timeout=BOUND), threading.Barrier(many, timeout=BOUND)

    def come(_: int) -> bool:
        together.wait()
        with closing(connection), hold_lease("vms/1") as lease:
            decided.wait()
            return lease is not None

    with ThreadPoolExecutor(many) as pool:
        assert sum(pool.map(come, range(many))) == 1
