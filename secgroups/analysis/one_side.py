"""Which instances reach a side, or can be reached from it, on behalf of a user.

Groups and ranges are judged, and then their members are joined: never instance by instance. Only the instances of
a page are judged one by one, to say why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from django.db.models import Q, QuerySet

from inventory.db.conditions import EVERYTHING, Condition
from inventory.db.statements import CompiledQuery
from inventory.models import NetworkPort, Vm
from inventory.rest.reading.kept import kept
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.covering import Covering, RuleSet
from secgroups.analysis.members import is_wide
from secgroups.analysis.ports import PortRow, ports_by, rulebook_of
from secgroups.analysis.reachability import Side, addresses_of, meeting, not_considered, with_lines
from secgroups.analysis.rulebook import Rulebook
from secgroups.analysis.search import OF_PORTS, Place, Search, is_placed, meetings, places_of, providers_around
from secgroups.traffic.addresses import FAMILIES, Family, family_of
from secgroups.traffic.effective import Direction, Line
from secgroups.traffic.ranges import NOTHING, Range, Ranges
from secgroups.traffic.reachability import Address, Path, Port, Question, Realm, families_of, is_known
from secgroups.traffic.services import Service

#: How many instances are counted.
COUNTED = 10_000
#: How many ports the named side may have.
PORTS = 50
#: The members of larger groups are found by their groups alone, not by their addresses.
MEMBERS = 1_000


@dataclass(frozen=True, slots=True)
class Opening:
    """What a port lets through of one service: to or from addresses, and to or from members of groups (ids).

    A group stands beside the family of which it is, None for both.
    """

    addresses: Ranges = NOTHING
    groups: frozenset[tuple[Family | None, int]] = frozenset()


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
        for candidates in self._candidates:
            rows = self._narrowed(candidates).filter(vm__gt=after).order_by("vm")
            part = list(rows.values_list("vm", flat=True).distinct()[:at_most])
            ids.update(part)
            if len(part) == at_most:
                last = part[-1] if last is None else min(last, part[-1])
        ordered = sorted(pk for pk in ids if last is None or pk <= last)
        return Found(ordered[:at_most], len(ordered) >= at_most)

    def _narrowed(self, candidates: QuerySet[Any]) -> QuerySet[Any]:
        """Only those of instances that are asked for. Most users see all, and all VMs are instances."""
        if self._instances is None:
            return candidates
        return candidates.filter(vm__in=self._instances)

    @cached_property
    def _instances(self) -> QuerySet[Any] | None:
        instances = get_resource_type("instances")
        everything = self.viewer.scope(instances) is EVERYTHING and self.where is EVERYTHING
        if everything and not sum(number for (number,) in _others_than_instances()):
            return None
        rows: QuerySet[Any] = self.viewer.visible(instances).filter(self.where.q()).order_by().values("pk")
        return rows

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
        return not_considered(providers or [pk for (pk,) in _providers(self.viewer)])

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

    @cached_property
    def coverings(self) -> Mapping[object, Covering]:
        """What rules of the other side have to let through: each address of the named one, or those outside.

        By the address and the realm of its port, or the family of those outside.
        """
        if not self.side.collection:
            sets = {family: self.side.outside & every for family, every in FAMILIES.items()}
            return {
                family: Covering(self._rules(family), there)
                for family, there in sets.items()
                if family in self._families and there
            }
        addresses = {(address, port.realm) for port in self.ports for address in port.addresses}
        return {
            (address, realm): self._covering(address, realm)
            for address, realm in sorted(addresses, key=str)
            if family_of(address.number) in self._families
        }

    def _covering(self, address: Address, realm: Realm) -> Covering:
        providers = None if address.public else self._providers[realm]
        rules = self._rules(family_of(address.number), providers)
        return Covering(rules, Ranges.of((address.number, address.number)))

    def _rules(self, family: Family, providers: frozenset[int] | None = None) -> RuleSet:
        wide = not self.side.collection and is_wide(self.side.outside)
        rules = RuleSet(self._opposite, family, self.services, self.viewer, providers, wide)
        return self._rule_sets.setdefault(rules, rules)

    @cached_property
    def _rule_sets(self) -> dict[RuleSet, RuleSet]:
        """Each once, because it keeps what it has read."""
        return {}

    @property
    def rule_sets(self) -> Collection[RuleSet]:
        """The rules of the other side that are asked, whatever the addresses."""
        return list(dict.fromkeys(covering.rules for covering in self.coverings.values()))

    @cached_property
    def _places(self) -> Mapping[Realm, Place]:
        """Of the realms of the named side."""
        return places_of({port.realm for port in self.ports})

    @cached_property
    def _providers(self) -> Mapping[Realm, frozenset[int]]:
        return providers_around(self._places)

    @property
    def _opposite(self) -> Direction:
        return "outbound" if self.direction == "inbound" else "inbound"

    @property
    def _families(self) -> Collection[Family]:
        return families_of(self.services)

    # --- The ports of the other side that certainly reach, or memberships of them ---

    @cached_property
    def _candidates(self) -> Sequence[QuerySet[Any]]:
        return list(self._of_ports() if self.side.collection else self._of_outside())

    def _of_outside(self) -> Iterator[QuerySet[Any]]:
        for covering in self.coverings.values():
            every = covering.rules.every
            search = Search(self.viewer, Q(kind__in=OF_PORTS), every)
            yield from search.by_addresses(every, covering.groups(self.services))

    def _of_ports(self) -> Iterator[QuerySet[Any]]:
        """Those that a port lets through, and that let it through."""
        for (address, realm, services, opening), ports in self._ports_by_opening().items():
            covering = self.coverings[address, realm]
            if not (letting := covering.groups(services)) and not self._any_unsecured:
                continue
            # A port is never its own other side, but that of a port that is like it.
            but = next(iter(ports)) if len(ports) == 1 else 0
            for kind, place in meetings(address, realm, self._places[realm]):
                search = Search(self.viewer, kind, covering.rules.every, place, but)
                yield from search.by_addresses(opening.addresses & covering.rules.every, letting)
                for family, group in opening.groups:
                    if family in (None, family_of(address.number)):
                        yield from search.by_group(group, self._places[realm], letting)

    @cached_property
    def _any_unsecured(self) -> bool:
        return bool(list(_unsecured()))

    def _ports_by_opening(self) -> Mapping[tuple[Address, Realm, Range, Opening], Collection[int]]:
        """The ports (ids) that let through the same of some services, to or from an address of theirs."""
        ports: defaultdict[tuple[Address, Realm, Range, Opening], set[int]] = defaultdict(set)
        for port in self.ports:
            openings = self._openings(port)
            for address, (services, opening) in product(port.addresses, openings.items()):
                if (address, port.realm) in self.coverings:
                    ports[address, port.realm, services, opening].add(port.pk)
        return ports

    def _openings(self, port: Port) -> dict[Range, Opening]:
        """What a port certainly lets through, by services."""
        openings: dict[Range, Opening] = {}
        for line, services in self.lines(port):
            before = openings.get(services, Opening())
            if is_known(line):
                openings[services] = Opening(before.addresses | line.possible_addresses, before.groups)
            elif not is_placed(port.realm) or not line.service.range():
                continue  # nobody knows whom it means
            elif self.rulebook.has_known_members(line):
                group = line.network_protocol, line.other_side.source_security_group
                openings[services] = Opening(before.addresses, before.groups | {group})
        return openings

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


@kept("providers")
def _providers(rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    return rows.values_list("pk")


_others_than_instances = CompiledQuery(lambda: Vm.objects.filter(cloud=False).counted())
_unsecured = CompiledQuery(
    lambda: (
        NetworkPort.objects.filter(port_security_enabled=False, vm__isnull=False).order_by().values_list("pk")[:1]
    )
)
