"""Calling a cloud with retries, as the worker that holds the lease."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.utils import timezone

from inventory.backoff import Backoff, Retries
from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError
from inventory.leases import QueueLease
from inventory.models import Provider
from secgroups.models import SecurityGroup

Answer = TypeVar("Answer")

#: How long after first seeing a group a "no such group" is taken for an inconsistent cloud.
NEW_GROUP_GRACE = timedelta(seconds=60)


def any_fresh(provider: Provider, *refs: str | None) -> bool:
    """Whether one of these groups is so new that the cloud may not find it yet."""
    groups = SecurityGroup.objects.filter(provider=provider, ems_ref__in=[ref for ref in refs if ref])
    return groups.filter(created_on__gt=timezone.now() - NEW_GROUP_GRACE).exists()


class RetryingCloud:
    """Calls of a driver, with retries. `retries` has hooks around each pause."""

    def __init__(
        self,
        driver: Driver,
        lease: QueueLease,
        backoff: Backoff,
        retries: Retries | None = None,
    ) -> None:
        self.driver = driver
        self.lease = lease
        #: Called if the cloud does not find a group; returns whether to wait for it.
        self.waits_for_group: Callable[[], bool] = lambda: False
        self.backoff = backoff
        self.retries = retries or Retries()

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Repeat a call that changes nothing until it is answered."""
        waited = False
        while True:
            try:
                answer = call()
            except CloudError as error:
                self.wait(error)
                waited = True
            else:
                self.retries.succeed(waited)
                return answer

    def wait(self, error: CloudError) -> None:
        """Pause after this error. Raises it if it is permanent or the time is over."""
        self.backoff.pause(error, self.retries)
        self.lease.ensure()
