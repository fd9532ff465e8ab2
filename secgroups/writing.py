"""Writing the ports of an instance at its cloud.

Whether a write was done is never guessed: after each round the ports are read again, and what is not there yet is
written again, until nothing is left to write or the patience is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import count

from django.utils import timezone

from inventory.drivers.base import CloudError, CloudUnavailable, Driver, GroupNotFound, InstanceGone, Port
from inventory.leases import Holding
from inventory.patience import Patience
from secgroups.asking import Asking
from secgroups.plan import Plan


class PortWriter(Asking):
    """The ports of one instance: as they were read last, and the only one to write them while the lease holds."""

    def __init__(
        self,
        driver: Driver,
        instance_ref: str,
        holding: Holding,
        patience: Patience,
        on_wait: Callable[[CloudError], None] = lambda error: None,
    ) -> None:
        super().__init__(driver, holding, patience, on_wait)
        self.instance_ref = instance_ref
        self.ports: tuple[Port, ...] = ()
        self.read_on: datetime | None = None
        self.request_ids: dict[str, str | None] = {}

    def read(self) -> tuple[Port, ...]:
        """Read the ports, and remember them with the time before the reading began."""
        read_on = timezone.now()
        self.ports = self.ask(lambda: self.driver.ports(self.instance_ref))
        self.read_on = read_on
        return self.ports

    def carry_out(self, plan: Plan) -> None:
        """Make the ports as planned; where the cloud refuses a write, what was written before it is taken back."""
        start = self.ports
        try:
            self._write_until_there(plan)
        except CloudError as error:
            if error.permanent:
                self._take_back(plan.undone(start), error)
            raise

    def _take_back(self, plan: Plan, refusal: CloudError) -> None:
        try:
            self.read()
            self._write_until_there(plan)
        except InstanceGone:
            raise  # which is the reason of the refusal as well
        except CloudError as error:
            reason = f"{refusal.message} What was written before that could not be taken back: {error.message}"
            raise CloudError(reason, request_id=refusal.request_id) from error

    def _write_until_there(self, plan: Plan) -> None:
        doubt: CloudError = CloudUnavailable("The cloud accepted the change, but does not show it.")
        for round_ in count():
            writes = list(plan.writes(self.ports))
            if not writes:
                return
            if round_:
                self.wait(doubt)
            doubt = self._write(writes) or doubt
            self.read()

    def _write(self, writes: Iterable[tuple[Port, tuple[str, ...]]]) -> CloudError | None:
        """Write these ports; returns the error that leaves open whether the rest was done, raises a refusal."""
        for port, groups in writes:
            self.holding.ensure()
            try:
                self.request_ids[port.ref] = self.driver.change_groups(port, groups)
            except GroupNotFound as error:
                if timezone.now() > self.fresh_until:
                    raise
                return CloudUnavailable(error.message, request_id=error.request_id)
            except CloudError as error:
                if error.permanent:
                    raise
                return error
        return None
