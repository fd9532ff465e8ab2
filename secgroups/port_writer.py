"""Writing the ports of an instance at its cloud.

The outcome of a write is never guessed. After each round the ports are read again, and missing changes are written
again, until none are left or the time is over. Ports are read shortly before each write, because a cloud without
compare-and-swap would lose what others changed since.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Self

from django.utils import timezone

from inventory.backoff import Backoff, Retries
from inventory.drivers.base import Driver
from inventory.drivers.exceptions import (
    CloudError,
    CloudUnavailable,
    GroupNotFound,
    InstanceGone,
    Outdated,
    Throttled,
)
from inventory.drivers.values import Port
from inventory.leases import QueueLease
from secgroups import messages
from secgroups.plan import Plan
from secgroups.retrying import RetryingCloud

#: The maximum age of a read before a write, in seconds.
READ_MAX_AGE = 1.0
#: Errors that say that a write was not done and may be repeated.
UNWRITTEN = (Throttled, Outdated)


class PortWriter(RetryingCloud):
    """The ports of one instance, as last read. While the lease holds, nobody else writes them."""

    def __init__(
        self,
        driver: Driver,
        instance_ref: str,
        lease: QueueLease,
        backoff: Backoff,
        retries: Retries | None = None,
    ) -> None:
        super().__init__(driver, lease, backoff, retries)
        self.instance_ref = instance_ref
        self.ports: tuple[Port, ...] = ()
        self.read_on: datetime | None = None
        self._stale_from = 0.0
        self.request_ids: dict[str, str | None] = {}

    def read(self) -> tuple[Port, ...]:
        """Read the ports, and remember them with the time before the read."""
        read_on = timezone.now()
        self.ports = self.ask(self._list)
        self.read_on = read_on
        self._stale_from = time.monotonic() + READ_MAX_AGE
        return self.ports

    def _list(self) -> tuple[Port, ...]:
        list_ports = self.driver.ports_again if self.read_on else self.driver.ports
        return list_ports(self.instance_ref)

    def apply(self, plan: Plan, undone: Plan) -> None:
        """Apply a plan. If the cloud refuses a write, apply `undone` instead."""
        try:
            self._write_until_there(plan)
        except CloudError as error:
            if error.permanent:
                self._take_back(undone, error)
            raise

    def _take_back(self, plan: Plan, refusal: CloudError) -> None:
        try:
            self.read()
            self._write_until_there(plan)
        except InstanceGone:
            raise  # also the reason for the refusal
        except CloudError as error:
            both = messages.not_undone(refusal.message, error.message)
            general = messages.not_undone(refusal.in_general().message, error.in_general().message)
            raise CloudError(both, request_id=refusal.request_id, general=general) from error

    def _write_until_there(self, plan: Plan) -> None:
        waited = False
        doubt: CloudError = CloudUnavailable(messages.NOT_SHOWN, general=messages.NOT_SHOWN)
        while missing := [port.ref for port, _ in plan.writes(self._fresh())]:
            doubt = self._write(plan, missing) or doubt
            self.read()
            if any(plan.writes(self.ports)):
                self.wait(doubt)
                waited = True
        self.retries.succeed(waited)

    def _fresh(self) -> Sequence[Port]:
        """The ports, read again if the last read is too old."""
        return self.read() if time.monotonic() > self._stale_from else self.ports

    def _write(self, plan: Plan, refs: Iterable[str]) -> CloudError | None:
        """Write these ports. Returns an error with an unknown outcome, raises a refusal."""
        try:
            for ref in refs:
                for port, groups in plan.writes([port for port in self._fresh() if port.ref == ref]):
                    self.lease.ensure()
                    self.request_ids[ref] = self.driver.change_groups(port, groups)
                    self.retries.unsure = True  # until the tasks are finished, because other ports may be left
        except GroupNotFound as error:
            if not self.waits_for_group():
                raise
            return error.reworded(CloudUnavailable)
        except CloudError as error:
            if error.permanent:
                raise
            self.retries.unsure |= not isinstance(error, UNWRITTEN)
            return error
        return None


class LonePortWriter(PortWriter):
    """The same of one port that belongs to no instance."""

    _port_ref = ""

    @classmethod
    def of(cls, port_ref: str, cloud: RetryingCloud) -> Self:
        """Its writer, with the driver and the patience of these calls."""
        writer = cls(cloud.driver, "", cloud.lease, cloud.backoff, cloud.retries)
        writer._port_ref = port_ref
        return writer

    def _list(self) -> tuple[Port, ...]:
        return self.driver.inventory_of_ports([self._port_ref]).ports
