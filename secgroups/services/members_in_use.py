"""The ports that have a group which is to be removed from all of them, and whether that can be done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.contrib.auth.models import User
from django.db.models import Model

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers, Texts
from inventory.drivers.values import Group, Port
from inventory.models import NetworkPort, Vm
from inventory.querysets import scope_of
from secgroups import messages
from secgroups.analysis.group_use import DEFAULT
from secgroups.models import Membership, SecurityGroup
from secgroups.plan import Change, plan
from secgroups.services.changes import MAY_CHANGE


@dataclass(slots=True)
class Holder:
    """An instance that has the group. `substitutes` are the groups that its ports may get instead."""

    pk: int
    name: str
    cloud_tenant: int | None
    ports: list[Port] = field(default_factory=list)
    substitutes: list[SecurityGroup] = field(default_factory=list)


class Members:
    """The ports with a group, each with all of its groups, as the inventory has them. Each is read once."""

    def __init__(self, group: SecurityGroup, user: User, substitute: SecurityGroup | None) -> None:
        self._group, self._user, self._substitute = group, user, substitute
        self.ports, self._vm_of = _ports_with(group)
        self._groups = self._known_groups()
        self._defaults = self._defaults_by_network()
        self.vms = self._holders()
        #: The ref of each port without an instance, with the groups that it may get instead.
        self.lone_ports = [
            (port.ref, self._substitutes_of([port])) for pk, port in self.ports.items() if self._vm_of[pk] is None
        ]

    def _known_groups(self) -> Mapping[str, Group]:
        refs = {ref for port in self.ports.values() for ref in port.group_refs} | {self._group.ems_ref}
        if self._substitute:
            refs.add(self._substitute.ems_ref)
        rows = SecurityGroup.objects.filter(provider=self._group.provider_id, ems_ref__among=Texts(refs))
        return {value.ref: value for value in rows.order_by("pk").as_values()}

    def _defaults_by_network(self) -> Mapping[str, tuple[SecurityGroup, Group]]:
        """The group of each network (ref) that a port gets in place of its last one, where it must have one."""
        driver = self._group.provider.driver_class
        if self._substitute or driver is None or not driver.minimum_groups_per_port:
            return {}
        networks = {port.network_ref for port in self.ports.values() if port.network_ref}
        rows = SecurityGroup.objects.filter(
            provider=self._group.provider_id, name=DEFAULT, cloud_network__ems_ref__in=networks
        ).exclude(pk=self._group.pk)
        values = dict(rows.order_by("pk").as_values_by_pk())
        by_pk = {row.pk: row for row in rows}
        return {str(value.network_ref): (by_pk[pk], value) for pk, value in values.items()}

    def _holders(self) -> list[Holder]:
        pks = {pk for pk in self._vm_of.values() if pk is not None}
        rows = Vm.objects.filter(pk__among=Numbers(pks)).order_by("pk").values_list("pk", "name", "cloud_tenant")
        holders = {pk: Holder(pk, name, tenant) for pk, name, tenant in rows}
        for pk, port in self.ports.items():
            if (vm := self._vm_of[pk]) is not None:
                holders[vm].ports.append(port)
        for holder in holders.values():
            holder.substitutes = self._substitutes_of(holder.ports)
        return [*holders.values()]

    def _substitutes_of(self, ports: Sequence[Port]) -> list[SecurityGroup]:
        if self._substitute:
            return [self._substitute]
        networks = dict.fromkeys(port.network_ref or "" for port in ports)
        return [self._defaults[network][0] for network in networks if network in self._defaults]

    @property
    def has_hidden(self) -> bool:
        """Whether there are ports that the user may not see."""
        return bool(self._beyond(NetworkPort, self.ports.keys(), None))

    def beyond_rights(self) -> str | None:
        """The instances and ports whose groups the user may not change; None if there are none."""
        if not self.ports:
            return None
        names = {vm.pk: vm.name for vm in self.vms}
        lone = {pk: port.ref for pk, port in self.ports.items() if self._vm_of[pk] is None}
        if self._user.has_perm(MAY_CHANGE):
            names = {pk: names[pk] for pk in self._beyond(Vm, names.keys(), MAY_CHANGE)}
            lone = {pk: lone[pk] for pk in self._beyond(NetworkPort, lone.keys(), MAY_CHANGE)}
        beyond = {*names.values(), *lone.values()}
        return messages.not_permitted_there("groups of", beyond) if beyond else None

    def _beyond(self, model: type[Model], pks: Collection[int], permission: str | None) -> set[int]:
        """Those of these rows that the user does not see, or that a permission does not reach."""
        scope = scope_of(self._user, model, permission)
        if scope is EVERYTHING or not pks:
            return set()
        rows = model._default_manager.filter(scope.q(), pk__among=Numbers(pks))
        return {*pks} - set(rows.values_list("pk", flat=True))

    def unwritable(self) -> str | None:
        """The ports that can't do without the group, or can't have the other one, and why."""
        failures = [why for vm in self.vms if (why := self._failure(vm.name, vm.ports, vm.substitutes))]
        by_ref = {port.ref: port for port in self.ports.values()}
        for ref, substitutes in self.lone_ports:
            if why := self._failure(messages.port_called(ref), [by_ref[ref]], substitutes):
                failures.append(why)
        return messages.not_all_at_once(failures) if failures else None

    def _failure(self, name: str, ports: Sequence[Port], substitutes: Sequence[SecurityGroup]) -> str | None:
        driver = self._group.provider.driver_class
        if driver is None:
            raise LookupError("a change without a driver is refused before")
        change = Change(
            0,
            "remove",
            self._groups[self._group.ems_ref],
            whole=True,
            substitutes=tuple(self._value(each) for each in substitutes),
            always=self._substitute is not None,
        )
        planned = plan(
            name,
            ports,
            [change],
            minimum=driver.minimum_groups_per_port,
            confined=bool(driver.groups_have_networks),
            stateless={ref for ref, group in self._groups.items() if not group.stateful},
        )
        outcome = planned.outcomes[change.id]
        return outcome.message if outcome.status == "Error" else None

    def _value(self, group: SecurityGroup) -> Group:
        return (
            next((value for row, value in self._defaults.values() if row.pk == group.pk), None)
            or self._groups[group.ems_ref]
        )


def _ports_with(group: SecurityGroup) -> tuple[Mapping[int, Port], Mapping[int, int | None]]:
    """The ports (by id) that have a group, with all of their groups, and the VM of each."""
    rows = NetworkPort.objects.filter(security_groups=group).order_by("pk")
    on_ports: defaultdict[int, list[str]] = defaultdict(list)
    memberships = Membership.objects.filter(network_port__in=rows.order_by().values("pk")).order_by("pk")
    for port, ref in memberships.values_list("network_port", "security_group__ems_ref"):
        on_ports[port].append(ref)
    mapping = NetworkPort.mapping
    ports: dict[int, Port] = {}
    vms: dict[int, int | None] = {}
    for pk, vm, *values in rows.values_list("pk", "vm", *mapping.paths.values()):
        ports[pk] = replace(mapping.value(values), group_refs=tuple(on_ports[pk]))
        vms[pk] = vm
    return ports, vms
