"""The ports of an instance, from the inventory or as its cloud has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from inventory.db.conditions import EVERYTHING
from inventory.db.statements import CompiledQuery, Param
from inventory.drivers.values import Port
from inventory.models import CloudNetwork, NetworkPort, Vm
from inventory.reconcile import ids_of
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.known_members import ranges_of
from secgroups.analysis.networks import UNKNOWN
from secgroups.models import Membership
from secgroups.traffic.ranges import Range


def latest(*times: datetime | None) -> datetime | None:
    """The latest of the times that are known."""
    return max(filter(None, times), default=None)


@dataclass(frozen=True, slots=True)
class KnownPort:
    """A port of the inventory that the user may see.

    `network` is its id, `seen_from` the same if the cloud confines groups to networks, otherwise None. `addresses`
    are those that it sends from; None if they can't be read.
    """

    pk: int
    network: int | None
    seen_from: int | None
    secured: bool
    addresses: Sequence[Range] | None


@dataclass(slots=True)
class InstancePorts:
    """All ports of an instance, as values. `known` are by ref those that the user may see."""

    ports: tuple[Port, ...]
    known: Mapping[str, KnownPort]
    as_of: datetime | None
    #: Whether there are ports of the inventory that the user may not see.
    has_hidden: bool = False
    #: The refs of ports that the cloud has and the inventory does not, if the user may see them.
    new: frozenset[str] = frozenset()


def from_inventory(vm: Vm, viewer: Viewer) -> InstancePorts:
    rows = _rows(vm)
    on_ports: defaultdict[int, list[str]] = defaultdict(list)
    for port, group in _memberships(vm=vm.pk):
        on_ports[port].append(group)
    ports = tuple(replace(row.port, group_refs=tuple(on_ports[row.pk])) for row in rows)
    known = {row.port.ref: _known(vm, row.port, row) for row in _visible(rows, vm, viewer)}
    read_on = [on for row in rows if (on := latest(vm.provider.last_refresh_date, row.read_on))]
    as_of = min(read_on) if len(read_on) == len(rows) else None
    as_of = as_of if rows else vm.provider.last_refresh_date
    return InstancePorts(ports, known, as_of, len(known) < len(rows))


def at_cloud(vm: Vm, ports: tuple[Port, ...], viewer: Viewer) -> InstancePorts:
    """The ports that were just read from the cloud."""
    rows = _rows(vm)
    current = {port.ref: port for port in ports}
    visible = [row for row in _visible(rows, vm, viewer) if row.port.ref in current]
    networks = ids_of(CloudNetwork, vm.provider, {port.network_ref for port in ports if port.network_ref})
    known = {}
    for row in visible:
        port = current[row.port.ref]
        row = replace(row, network=networks.get(port.network_ref or "", row.network))
        known[port.ref] = _known(vm, port, row)
    in_inventory = {row.port.ref for row in rows}
    has_hidden = any(ref in in_inventory and ref not in known for ref in current)
    sees_all = viewer.scope(get_resource_type("network_ports")) is EVERYTHING
    new = frozenset(current.keys() - in_inventory) if sees_all else frozenset()
    return InstancePorts(ports, known, timezone.now(), has_hidden, new)


@dataclass(frozen=True, slots=True)
class _Row:
    pk: int
    network: int | None
    read_on: datetime | None
    port: Port


_memberships = CompiledQuery(
    lambda: (
        Membership.objects.filter(vm=Param("vm"))
        .order_by("pk")
        .values_list("network_port", "security_group__ems_ref")
    )
)
_ports = CompiledQuery(
    lambda: (
        NetworkPort.objects.filter(vm=Param("vm"))
        .order_by("pk")
        .values_list("pk", "cloud_network", "groups_read_on", *NetworkPort.mapping.paths.values())
    )
)


def _rows(vm: Vm) -> list[_Row]:
    mapping = NetworkPort.mapping
    return [
        _Row(pk, network, read_on, mapping.value(values)) for pk, network, read_on, *values in _ports(vm=vm.pk)
    ]


def _visible(rows: Iterable[_Row], vm: Vm, viewer: Viewer) -> Iterator[_Row]:
    ports = get_resource_type("network_ports")
    if viewer.scope(ports) is EVERYTHING:
        return iter(rows)
    visible = set(viewer.visible(ports).filter(vm=vm).values_list("pk", flat=True))
    return (row for row in rows if row.pk in visible)


def _known(vm: Vm, port: Port, row: _Row) -> KnownPort:
    seen_from = (row.network or UNKNOWN) if vm.provider.confines_groups else None
    addresses = ranges_of(port.own_ip_addresses, port.allowed_address_pairs)
    return KnownPort(row.pk, row.network, seen_from, port.port_security_enabled, addresses)
