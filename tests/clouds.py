"""A cloud in memory: a driver that holds ports and groups, writes down how it is called, and fails as it is told.

    cloud.script("change_groups", go, unavailable(done=True))

lets the first write through and loses the answer of the second, which took effect; after that all goes well again.
An event is given the call that it stands in for, and makes it or not.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from inventory import backoff, rate_limit
from inventory.backoff import Retries, ShutdownRequested, Waiting
from inventory.drivers.boundary import Checked
from inventory.drivers.exceptions import (
    CloudRefused,
    CloudUnavailable,
    GroupNotFound,
    InstanceGone,
    Outdated,
    Throttled,
)
from inventory.drivers.values import (
    AddressList,
    Check,
    Connection,
    Group,
    Instance,
    Inventory,
    Network,
    Port,
    Rule,
    Tenant,
)
from inventory.leases import LeaseLost, QueueLease
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Vm
from secgroups import port_writer
from secgroups.models import AddressList as AddressListRow
from secgroups.models import FirewallRule, SecurityGroup
from tests.cast import AMAZON, Cast, enter
from tests.cloud_groups import GroupsInMemory, rule_of

Event = Callable[[Callable[[], Any]], Any]


class MemoryCloud(GroupsInMemory):
    """One account; `calls` are the names and arguments of what was asked of it, in order."""

    vendor = "amazon"
    title = "Memory"
    minimum_groups_per_port = 1

    #: Whether a write has to name the port's present revision, as OpenStack's `If-Match` does.
    guards_revisions = False

    def __init__(self, connection: Connection | None = None) -> None:
        super().__init__(connection or Connection())
        self.calls: list[tuple[str, Any]] = []
        self.tenant_list: list[Tenant] = []
        self.network_list: list[Network] = []
        self.instance_list: list[Instance] = []
        self.group_list: list[Group] = []
        self.rule_list: list[Rule] = []
        self.port_list: list[Port] = []
        self.address_lists: list[AddressList] = []
        #: The attributes that it does not tell completely.
        self.untold: set[str] = set()
        self._events: defaultdict[str, deque[Event]] = defaultdict(deque)

    # What tests say and ask

    def script(self, call: str, *events: Event) -> None:
        """What becomes of the next calls of this name, one event each."""
        self._events[call].extend(events)

    def called(self, name: str) -> list[Any]:
        """The arguments of each call of this name."""
        return [arguments for called, arguments in self.calls if called == name]

    def port(self, ref: str) -> Port:
        return next(port for port in self.port_list if port.ref == ref)

    def groups_of(self, instance_ref: str) -> dict[str, tuple[str, ...]]:
        return {port.ref: port.group_refs for port in self.port_list if port.instance_ref == instance_ref}

    def set_port(self, ref: str, **attributes: Any) -> None:
        """Change a port from outside."""
        port = self.port(ref)
        changed = replace(port, revision=str(int(port.revision or 0) + 1), **attributes)
        self.port_list[self.port_list.index(port)] = changed

    def drop_group(self, ref: str) -> None:
        self.group_list = [group for group in self.group_list if group.ref != ref]

    def terminate(self, instance_ref: str) -> None:
        self.instance_list = [one for one in self.instance_list if one.ref != instance_ref]
        self.port_list = [port for port in self.port_list if port.instance_ref != instance_ref]

    # What a driver does

    def verify(self) -> tuple[Check, ...]:
        return self._answer(
            "verify", None, lambda: (Check("list instances", True, "May list instances.", needed=True),)
        )

    def inventory(self) -> Inventory:
        return self._answer("inventory", None, self._everything)

    def ports(self, instance_ref: str) -> tuple[Port, ...]:
        return self._answer("ports", instance_ref, lambda: self._ports(instance_ref))

    def groups_named(self, name: str, ports: Sequence[Port]) -> tuple[Group, ...]:
        networks = {None, *(port.network_ref for port in ports)}
        return self._answer(
            "groups_named",
            name,
            lambda: tuple(one for one in self.group_list if one.name == name and one.network_ref in networks),
        )

    def groups_by_ref(self, refs: Collection[str]) -> tuple[Group, ...]:
        return self._answer(
            "groups_by_ref", sorted(refs), lambda: tuple(one for one in self.group_list if one.ref in refs)
        )

    def change_groups(self, port: Port, group_refs: Sequence[str]) -> str | None:
        return self._answer("change_groups", (port.ref, tuple(group_refs)), lambda: self._change(port, group_refs))

    def _answer(self, name: str, arguments: Any, call: Callable[[], Any]) -> Any:
        self.calls.append((name, arguments))
        event = self._events[name].popleft() if self._events[name] else go
        return event(call)

    def _everything(self) -> Inventory:
        return Inventory(
            tenants=tuple(self.tenant_list),
            networks=tuple(self.network_list),
            groups=tuple(self.group_list),
            rules=tuple(self.rule_list),
            instances=tuple(self.instance_list),
            ports=tuple(self.port_list),
            address_lists=tuple(self.address_lists),
            untold=frozenset(self.untold),
        )

    def _ports(self, instance_ref: str) -> tuple[Port, ...]:
        if instance_ref not in {one.ref for one in self.instance_list}:
            raise InstanceGone(f"The instance {instance_ref} does not exist.")
        return tuple(port for port in self.port_list if port.instance_ref == instance_ref)

    def _change(self, port: Port, group_refs: Sequence[str]) -> str:
        if self.guards_revisions and port.revision != self.port(port.ref).revision:
            raise Outdated(f"Port {port.ref} was changed meanwhile.")
        if missing := set(group_refs) - {group.ref for group in self.group_list}:
            raise GroupNotFound(f"There is no group {', '.join(sorted(missing))}.")
        self.set_port(port.ref, group_refs=tuple(group_refs))
        return self.request_id()


def mirror(provider: Provider) -> MemoryCloud:
    """The cloud that has exactly what the inventory says of this provider."""
    cloud = MemoryCloud()
    cloud.tenant_list = [
        Tenant(row.ems_ref, row.name, row.description) for row in CloudTenant.objects.filter(provider=provider)
    ]
    cloud.network_list = [
        Network(row.ems_ref, row.name, row.cidr, _ref(row.cloud_tenant))
        for row in CloudNetwork.objects.filter(provider=provider)
    ]
    cloud.instance_list = [
        Instance(row.ems_ref, row.name, row.power_state, row.raw_power_state, _ref(row.cloud_tenant))
        for row in Vm.objects.filter(provider=provider)
    ]
    cloud.group_list = [
        Group(row.ems_ref, row.name, row.description, _ref(row.cloud_tenant), _ref(row.cloud_network))
        for row in SecurityGroup.objects.filter(provider=provider)
    ]
    cloud.rule_list = [rule_of(row) for row in FirewallRule.objects.filter(provider=provider)]
    cloud.address_lists = list(AddressListRow.objects.filter(provider=provider).as_values())
    cloud.port_list = [
        Port(
            row.ems_ref,
            instance_ref=_ref(row.vm),
            tenant_ref=_ref(row.cloud_tenant),
            network_ref=_ref(row.cloud_network),
            group_refs=tuple(group.ems_ref for group in row.security_groups.all()),
            revision="1",
        )
        for row in NetworkPort.objects.filter(provider=provider)
    ]
    return cloud


def _ref(row: Any) -> str | None:
    return row.ems_ref if row else None


# Events


def go(call: Callable[[], Any]) -> Any:
    """Nothing special."""
    return call()


def fail(error: Exception, *, done: bool = False) -> Event:
    """Raise this error, and do what was asked all the same if `done`."""

    def event(call: Callable[[], Any]) -> Any:
        if done:
            call()
        raise error

    return event


def refuse(reason: str = "the limit of groups is reached.") -> Event:
    return fail(CloudRefused(reason, request_id="req-refused"))


def throttle(retry_after: float | None = None) -> Event:
    return fail(Throttled("Slow down.", retry_after=retry_after))


def unavailable(*, done: bool = False) -> Event:
    """No answer, before the write took effect or after."""
    return fail(CloudUnavailable("No answer."), done=done)


def forget(ref: str) -> Event:
    """The cloud does not find a group that it has."""
    return fail(GroupNotFound(f"There is no group {ref}."))


def ignore(call: Callable[[], Any]) -> None:
    """Say that it was done, and don't do it."""


def meanwhile(act: Callable[[], object], then: Event = go) -> Event:
    """Something else happens before the call arrives."""

    def event(call: Callable[[], Any]) -> Any:
        act()
        return then(call)

    return event


# What else tests of a cloud need


class Grip(QueueLease):
    """A lease that needs no database, and that a test can take away."""

    def __init__(self) -> None:
        super().__init__("vms/1")
        self._taken = False

    def ensure(self) -> None:
        if self._taken:
            raise LeaseLost(self.queue)

    def lose(self) -> None:
        self._taken = True


class Heard(Retries):
    """Tells of each pause."""

    def __init__(self, hear: Callable[[Waiting], object]) -> None:
        self.wait = hear


class Clock:
    """Time that passes only while somebody sleeps; `pauses` are the lengths of the sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        #: Whether the process is to stop, so that nobody sleeps any more.
        self.stop_asked = False
        #: What happens during each sleep.
        self.meanwhile: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if self.stop_asked:
            raise ShutdownRequested
        self.pauses.append(seconds)
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of those who are patient."""
    clock = Clock()
    for module in (rate_limit, backoff, port_writer):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(backoff.stop, "sleep", clock.sleep)
    return clock


@pytest.fixture
def cast(db: None) -> Cast:
    """The rows of `tests.cast`."""
    return enter()


@pytest.fixture
def cloud(cast: Cast, clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch) -> MemoryCloud:
    """The cloud that has what the cast has, and that the provider acme talks to."""
    cloud = mirror(cast.acme)
    settings.DRIVERS = {AMAZON: "tests.clouds.MemoryCloud"}
    monkeypatch.setattr(Provider, "driver", lambda provider, rate_limiter: Checked(cloud))
    return cloud
