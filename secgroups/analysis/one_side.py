"""Which instances reach a side, or can be reached from it, on behalf of a user.

Groups and ranges are judged, and then their members are joined: never instance by instance. Only the instances of
a page are judged one by one, to say why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from inventory.db.conditions import EVERYTHING, Condition
from inventory.db.lookups import Numbers
from inventory.models import PortAddress, Vm
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.covering import Covering
from secgroups.analysis.networks import UNKNOWN, peers_of
from secgroups.analysis.ports import PortRow, ports_by, rulebook_of
from secgroups.analysis.reachability import Side, addresses_of, meeting, not_considered, with_lines
from secgroups.analysis.rulebook import Rulebook
from secgroups.analysis.stored_addresses import within
from secgroups.models import Membership
from secgroups.traffic.addresses import FAMILIES, PUBLIC, Family, family_of
from secgroups.traffic.effective import Direction, Line
from secgroups.traffic.ranges import NOTHING, Range, Ranges
from secgroups.traffic.reachability import Address, Path, Port, Question, families_of, is_known
from secgroups.traffic.services import Service

#: How many instances are counted.
COUNTED = 10_000
#: How many ports the named side may have.
PORTS = 50
#: The members of larger groups are found by their groups alone, not by their addresses.
MEMBERS = 1_000
_OPPOSITE: Mapping[Direction, Direction] = {"inbound": "outbound", "outbound": "inbound"}


@dataclass(frozen=True, slots=True)
class Opening:
    """What a port lets through of one service: to or from addresses, and to or from members of groups (ids)."""

    addresses: Ranges = NOTHING
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """Ids of instances in their order. If there are more than were counted, `at_least` says so."""

    ids: Sequence[int]
    at_least: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """The paths on which something passes, of each instance (its id), with the rules that they rest on."""

    paths: Mapping[int, tuple[Path, ...]]
    rulebook: Rulebook


@dataclass(frozen=True)
class OneSide:
    """The instances at the other side of one that is named, of those for which a condition holds.

    `direction` is that of the named side: `inbound` asks who can reach it, `outbound` what it can reach.
    """

    side: Side
    direction: Direction
    service: Service
    viewer: Viewer
    where: Condition = EVERYTHING

    def found(self, after: int = 0, at_most: int | None = None) -> Found:
        """The first instances after an id."""
        at_most = at_most or COUNTED + 1
        ids: set[int] = set()
        last: int | None = None
        for ports in self._candidates():
            rows = self._narrowed(ports).filter(vm__gt=after).order_by("vm")
            part = list(rows.values_list("vm", flat=True).distinct()[:at_most])
            ids.update(part)
            if len(part) == at_most:
                last = part[-1] if last is None else min(last, part[-1])
        ordered = sorted(pk for pk in ids if last is None or pk <= last)
        return Found(ordered[:at_most], len(ordered) >= at_most)

    def _narrowed(self, ports: QuerySet[Any]) -> QuerySet[Any]:
        """Only ports of instances that are asked for. Most users see all, and all are instances."""
        instances = get_resource_type("instances")
        scope = self.viewer.scope(instances)
        if scope is EVERYTHING and self.where is EVERYTHING and not Vm.objects.filter(cloud=False).count():
            return ports.filter(vm__isnull=False)
        rows = self.viewer.visible(instances).filter(self.where.q()).order_by()
        return ports.filter(vm__in=rows.values("pk"))

    @property
    def services(self) -> Range:
        services = self.service.range()
        if services is None:
            raise ValueError(self.service)
        return services

    @property
    def not_considered(self) -> list[str]:
        """What may stop a connection beside the rules."""
        providers = {port.provider for port in self.side.ports}
        visible = self.viewer.visible(get_resource_type("providers"))
        return not_considered(providers or visible.values_list("pk", flat=True))

    @cached_property
    def rulebook(self) -> Rulebook:
        return rulebook_of(self.side.ports, self.viewer, members=MEMBERS)

    @cached_property
    def ports(self) -> list[Port]:
        """The ports of the named side, with their rules."""
        return [with_lines(port, self.rulebook) for port in self.side.ports]

    def lines(self, port: Port) -> Iterator[tuple[Line, Range]]:
        """What the rules of a port of the named side say about these services."""
        for line in port.lines:
            first, last = line.service.range() or self.services
            first, last = max(first, self.services[0]), min(last, self.services[1])
            if line.direction == self.direction and first <= last:
                yield line, (first, last)

    # --- The ports of the other side that certainly reach ---

    def coverings(self) -> Iterator[Covering]:
        """What rules of the other side have to let through: each address of the named one, or those outside."""
        numbers = {address.number for port in self.ports for address in port.addresses}
        sets = [Ranges.of((number, number)) for number in sorted(numbers)]
        for addresses in sets if self.side.collection else [self.side.outside]:
            for family in FAMILIES:
                if family in self._families and (there := addresses & FAMILIES[family]):
                    yield self._covering(family, there)

    def _candidates(self) -> Iterator[QuerySet[Any]]:
        every = self.viewer.visible(get_resource_type("network_ports"))
        if self.side.collection:
            for port in self.ports:
                yield from self._with(port, every.exclude(pk=port.pk))
            return
        for family in self._families:
            addresses = self.side.outside & FAMILIES[family]
            if addresses:
                having = every.filter(_having(Q(kind__in=_OF_PORTS), FAMILIES[family]))
                yield from self._letting(having, self._covering(family, addresses), self.services)

    def _with(self, port: Port, others: QuerySet[Any]) -> Iterator[QuerySet[Any]]:
        """The ports that a port lets through, and that let it through."""
        openings = self._openings(port)
        for address in port.addresses:
            family = family_of(address.number)
            if family not in self._families:
                continue
            covering = self._covering(family, Ranges.of((address.number, address.number)))
            for services, opening in openings.items():
                for condition in _meeting(port, address, family, opening):
                    yield from self._letting(others.filter(condition), covering, services)

    def _openings(self, port: Port) -> dict[Range, Opening]:
        """What a port certainly lets through, by services."""
        openings: defaultdict[Range, Opening] = defaultdict(Opening)
        for line, services in self.lines(port):
            before = openings[services]
            if is_known(line):
                openings[services] = Opening(before.addresses | line.possible_addresses, before.groups)
            elif line.service.range() and self.rulebook.has_known_members(line):
                group = line.other_side.source_security_group
                openings[services] = Opening(before.addresses, before.groups | {group})
        return dict(openings)

    def _covering(self, family: Family, addresses: Ranges) -> Covering:
        return Covering(_OPPOSITE[self.direction], family, addresses, self.services, self.viewer)

    @staticmethod
    def _letting(ports: QuerySet[Any], covering: Covering, services: Range) -> Iterator[QuerySet[Any]]:
        """Those of these ports that let through what is covered."""
        yield ports.filter(covering.ports(services), port_security_enabled=True)
        yield ports.filter(port_security_enabled=False)

    @property
    def _families(self) -> Collection[Family]:
        return families_of(self.services)

    # --- Why ---

    def judged(self, vms: Collection[int]) -> Judged:
        """Why these instances reach the named side, or are reached from it."""
        rows = ports_by("vm", vms, self.viewer)
        rulebook = self._rulebook_of(rows)
        named = [with_lines(port, rulebook) for port in self.side.ports] if self.side.collection else None
        meet = meeting((*self.side.ports, *rows))
        paths = {}
        for vm in vms:
            others = [with_lines(row, rulebook) for row in rows if row.owner == vm]
            source, target = (others, named) if self.direction == "inbound" else (named, others)
            paths[vm] = Question(source, target, self.services, self.side.outside, meet=meet).passing
        return Judged(paths, rulebook)

    def _rulebook_of(self, rows: Collection[PortRow]) -> Rulebook:
        among = addresses_of((*self.side.ports, *rows)) if self.side.collection else self.side.outside
        return rulebook_of((*self.side.ports, *rows), self.viewer, among=among)


_OF_PORTS = (PortAddress.Kind.OWN, PortAddress.Kind.TRANSLATED)


def _having(kind: Q, addresses: Ranges) -> Q:
    """The ports with an address of this kind among these."""
    rows = PortAddress.objects.filter(kind, within(addresses), network_port=OuterRef("pk"))
    return Q(Exists(rows))


def _meeting(port: Port, address: Address, family: Family, opening: Opening) -> Iterator[Q]:
    """The ports with an address that meets this one, and that the opening is for."""
    every = FAMILIES[family]
    for kind, realm in _meetings(port, address):
        if there := opening.addresses & every:
            yield realm & _having(kind, there)
        if opening.groups:
            own = kind & Q(kind=PortAddress.Kind.OWN)
            members = Membership.objects.filter(security_group__among=Numbers(opening.groups))
            yield realm & _seen(port) & Q(pk__in=members.values("network_port")) & _having(own, every)


def _meetings(port: Port, address: Address) -> Iterator[tuple[Q, Q]]:
    """Conditions of addresses, each with one of the ports that have them: which ones meet this address."""
    if not address.translated and port.realm.network != UNKNOWN:
        yield Q(kind=PortAddress.Kind.OWN), _seen(port)
    if address.public:
        yield Q(kind=PortAddress.Kind.TRANSLATED) | Q(kind=PortAddress.Kind.OWN) & within(PUBLIC), Q()


def _seen(port: Port) -> Q:
    """The ports whose private addresses meet those of a port."""
    provider, network = port.realm
    if network is None:
        return Q(provider=provider)
    return Q(cloud_network__among=Numbers([network, *(there for _, there in peers_of([network]))]))
