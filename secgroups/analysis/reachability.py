"""Who can reach what, on behalf of a user."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from inventory import drivers
from inventory.rest.reading.kept import kept
from inventory.rest.resources import Viewer
from secgroups.analysis import messages
from secgroups.analysis.networks import UNKNOWN, peers_of, vendors_of
from secgroups.analysis.ports import PortRow, ports_by, rulebook_of, with_hidden_ports
from secgroups.analysis.rulebook import Rulebook
from secgroups.traffic.addresses import FAMILIES, PUBLIC, Family, networks, readable
from secgroups.traffic.effective import Line
from secgroups.traffic.ranges import NOTHING, Range, Ranges
from secgroups.traffic.reachability import Address, Path, Port, Question, Realm, Verdict, is_known
from secgroups.traffic.services import Service, services_in

#: The collections whose resources can be a side, with the lookup from ports to them.
LOOKUPS: Mapping[str, str] = {
    "instances": "vm",
    "vms": "vm",
    "network_ports": "pk",
    "security_groups": "security_groups",
}
#: How many pairs of ports are judged for an answer.
PAIRS = 2_500
#: The name of the side that is every public address.
INTERNET = "internet"


@dataclass(frozen=True, slots=True)
class Side:
    """A resource with its ports, or addresses outside the inventory.

    `name` is what people call it. Without a `collection` it has no ports. With `hidden_ports`, it has some that
    the user may not see, or whose addresses or network are not known.
    """

    name: str
    collection: str | None = None
    pk: int = 0
    ports: tuple[PortRow, ...] = ()
    hidden_ports: bool = False
    outside: Ranges = NOTHING


def outside(text: str) -> Side | None:
    """The side of an address, a CIDR or `internet`; None for any other text."""
    if text == INTERNET:
        return Side(INTERNET, outside=PUBLIC)
    try:
        return Side(text, outside=networks(text))
    except ValueError:
        return None


def resource(collection: str, pk: int, viewer: Viewer) -> Side | None:
    """The side of a resource; None if the user sees no such one."""
    if not (named := list(_named[collection](viewer, pk=pk))):
        return None
    [[name]] = named
    lookup = LOOKUPS[collection]
    ports = tuple(ports_by(lookup, [pk], viewer, PAIRS + 1))
    hidden_ports = bool(with_hidden_ports(lookup, [pk], viewer)) or not all(port.is_known for port in ports)
    if collection == "network_ports":
        name = ports[0].name if ports else name  # many ports have no name but the cloud's
    return Side(name or str(pk), collection, pk, ports, hidden_ports)


def _name_of(rows: QuerySet[Any, Any], pk: Any) -> QuerySet[Any, Any]:
    return rows.filter(pk=pk).values_list("name")


_named = {collection: kept(collection)(_name_of) for collection in LOOKUPS}


@dataclass(frozen=True)
class Reachability:
    """The answer to whether a service passes from one side to the other."""

    source: Side
    target: Side
    service: Service
    viewer: Viewer

    @property
    def verdict(self) -> Verdict:
        return self.question.verdict

    @cached_property
    def rulebook(self) -> Rulebook:
        ports = (*self.source.ports, *self.target.ports)
        between = self.source.collection and self.target.collection
        return rulebook_of(ports, self.viewer, among=addresses_of(ports) if between else None)

    @cached_property
    def question(self) -> Question:
        return Question(
            self._ports(self.source),
            self._ports(self.target),
            self._services,
            self.source.outside | self.target.outside,
            meet=meeting(self.source.ports),
            hidden_ports=self.source.hidden_ports or self.target.hidden_ports,
        )

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Those that pass if any does, otherwise all that were looked at."""
        return self.question.passing if self.verdict in ("allowed", "partly") else self.question.paths

    @cached_property
    def services(self) -> list[tuple[Family, Service]]:
        """What certainly passes on these paths, by family."""
        return services_of(self.paths)

    @cached_property
    def unknown(self) -> list[Line]:
        """The lines that are not known, if they decide."""
        if self.verdict != "unknown":
            return []
        passages = (passage for path in self.paths for passage in (path.outbound, path.inbound) if passage)
        lines = {line.key: line for passage in passages for line in passage.lines if not is_known(line)}
        return list(lines.values())

    @property
    def with_hidden_ports(self) -> list[str]:
        """The names of the sides with ports that the user may not see, if those decide."""
        sides = (self.source, self.target) if self.verdict == "unknown" else ()
        return [side.name for side in sides if side.hidden_ports]

    @cached_property
    def not_considered(self) -> list[str]:
        """What may stop a connection beside the rules."""
        return not_considered({port.provider for port in (*self.source.ports, *self.target.ports)})

    @property
    def message(self) -> str:
        """The verdict in words, with what stands in the way."""
        sentence = messages.verdict(self.verdict, self.source.name, self.target.name, self.service)
        return " ".join(filter(None, (sentence, self._obstacle, messages.STATELESS if self._is_stateless else "")))

    @property
    def _is_stateless(self) -> bool:
        """Whether something may pass, and a port on the way has a stateless group."""
        ports = (port for path in self.paths for port in (path.from_port, path.to_port) if port)
        stateless = any(not self.rulebook.stateless.isdisjoint(port.groups) for port in ports)
        return stateless and self.verdict != "blocked"

    @property
    def _obstacle(self) -> str:
        if self.verdict == "allowed":
            return ""
        if self.question.missing:
            return messages.rules_missing(len(self.question.missing))
        if names := self.with_hidden_ports:
            return messages.hidden_ports(names[0])
        for side in (self.source, self.target):
            if side.collection and not any(port.addresses for port in side.ports):
                return messages.no_addresses(side.name)
        if not self.question.paths:
            return messages.NO_WAY
        # A port without any group would decide.
        return messages.HIDDEN_GROUPS if self.verdict == "unknown" else messages.NO_GROUP

    @property
    def _services(self) -> Range:
        services = self.service.range()
        if services is None:
            raise ValueError(self.service)
        return services

    def _ports(self, side: Side) -> list[Port] | None:
        return [with_lines(port, self.rulebook) for port in side.ports] if side.collection else None


def services_of(paths: Iterable[Path]) -> list[tuple[Family, Service]]:
    """What certainly passes on some of these paths, by family."""
    boxes = [(path.family, box) for path in paths for box in path.flows(certain=True).slices]
    return [
        (family, service)
        for family in FAMILIES
        for each in Ranges.of(*(box.services for of, box in boxes if of == family)).ranges
        for service in services_in(each)
    ]


def not_considered(providers: Collection[int]) -> list[str]:
    """What may stop a connection in the clouds of these providers (ids), beside the rules."""
    vendors = {vendor for vendor in vendors_of(providers).values() if vendor in settings.DRIVERS}
    return sorted({each for vendor in vendors for each in drivers.driver_class(vendor).not_considered})


def addresses_of(ports: Iterable[PortRow]) -> Ranges:
    """The addresses of all these ports."""
    return Ranges.of(*(each for port in ports for each in readable(port.addresses)))


def meeting(ports: Iterable[PortRow]) -> Callable[[Realm, Realm], bool]:
    """Whether private addresses mean the same ports: in one network, or in one that is peered with it.

    The first realm is that of one of these ports.
    """
    peers = peers_of({port.network for port in ports if port.network})

    def meet(here: Realm, there: Realm) -> bool:
        return (here == there and here.network != UNKNOWN) or (here.network, there.network) in peers

    return meet


def with_lines(port: PortRow, rulebook: Rulebook) -> Port:
    addresses = tuple(
        Address(number, number in PUBLIC or text in port.translated, text in port.translated)
        for text in port.addresses
        for number, _ in readable([text])
    )
    realm = Realm(port.provider, port.network)
    groups = tuple(group for group in port.groups if port.secured and group in rulebook.names)
    return Port(port.pk, realm, addresses, tuple(port.lines(rulebook)), groups)
