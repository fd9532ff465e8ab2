"""One writer per queue, across all hosts.

A lease ends by the clock of the database, because the clocks of hosts may differ. Its holder measures how long it
may rely on it, from before it asked for it.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import DatabaseError, connection, models
from django.db.models.functions import Now

from inventory.models import Lease

logger = logging.getLogger(__name__)

#: How long a lease outlives its holder, and how often a holder renews it.
LENGTH = timedelta(seconds=30)
RENEWAL = timedelta(seconds=10)


class LeaseLost(Exception):
    """Another process may hold the lease. Stop writing."""


class QueueLease:
    """A lease that this process holds, and renews in the background until it releases it."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.owner = uuid.uuid4()
        self._over = threading.Event()
        self._lost = threading.Event()
        self._ends = time.monotonic() + LENGTH.total_seconds()
        self._renewal = threading.Thread(target=self._renew_until_over, name=f"lease of {queue}", daemon=True)

    def acquire(self) -> bool:
        self._ends = time.monotonic() + LENGTH.total_seconds()
        expired = Lease.objects.filter(queue=self.queue, ends_on__lt=Now())
        if not expired.update(owner=self.owner, ends_on=Now() + LENGTH):
            lease = Lease(queue=self.queue, owner=self.owner, ends_on=Now() + LENGTH)
            Lease.objects.bulk_create([lease], ignore_conflicts=True)
        return self._mine().exists()

    def ensure(self) -> None:
        """Raise `LeaseLost` unless this is still the holder. Call it before every write."""
        if self._lost.is_set() or time.monotonic() > self._ends:
            raise LeaseLost(self.queue)

    def start(self) -> None:
        self._renewal.start()

    def release(self) -> None:
        self._over.set()
        self._renewal.join()
        self._mine().delete()

    def _mine(self) -> models.QuerySet[Lease]:
        return Lease.objects.filter(queue=self.queue, owner=self.owner)

    def _renew_until_over(self) -> None:
        while not self._over.wait(RENEWAL.total_seconds()):
            try:
                self._renew()
            finally:
                connection.close()  # this thread's own

    def _renew(self) -> None:
        ends = time.monotonic() + LENGTH.total_seconds()
        try:
            updated = self._mine().update(ends_on=Now() + LENGTH)
        except DatabaseError:
            logger.exception("The lease of %s could not be renewed", self.queue)
        else:
            if updated:
                self._ends = ends
            else:
                self._lost.set()


@contextmanager
def hold_lease(queue: str) -> Iterator[QueueLease | None]:
    """Hold the lease of a queue while the block runs; None if another process has it."""
    lease = QueueLease(queue)
    if not lease.acquire():
        yield None
        return
    lease.start()
    try:
        yield lease
    finally:
        lease.release()
