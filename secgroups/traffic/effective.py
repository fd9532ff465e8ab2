"""The effective rules of ports: the rules of all their groups together, without those that others contain."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, NamedTuple

from secgroups.traffic.addresses import EVERYWHERE, FAMILIES, Family
from secgroups.traffic.ranges import Range, Ranges
from secgroups.traffic.services import EVERY_SERVICE, Service

Direction = Literal["inbound", "outbound"]


class OtherSide(NamedTuple):
    """Whom a rule names: a group (its id), a range, or something else by the cloud's own name.

    `seen_from` is the network (its id) whose members of a group count, if the cloud confines groups to networks.
    """

    source_security_group: int = 0
    seen_from: int = 0
    source_ip_range: str = ""
    source_name: str = ""
    #: Tells apart what the user may not see: two of them are never the same.
    hidden: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """What these ports let through, and the ids of the rules that say so. Lines with the same `key` are one.

    `addresses` are those of the other side; None if they are not known. `reason` says why without rules.
    """

    direction: Direction
    network_protocol: Family | None
    service: Service
    other_side: OtherSide
    addresses: Ranges | None
    network_ports: frozenset[int] = frozenset()
    because_of: frozenset[int] = frozenset()
    reason: str | None = None

    @property
    def key(self) -> tuple[object, ...]:
        return self.direction, self.network_protocol, self.service, self.other_side, self.reason

    def because(self, *others: Line) -> Line:
        """This line, with the rules of others as well."""
        return self._with(self.network_ports, others)

    def joined(self, *others: Line) -> Line:
        """This line, with the ports and the rules of others of the same key."""
        return self._with(self.network_ports.union(*(other.network_ports for other in others)), others)

    def _with(self, ports: frozenset[int], others: Iterable[Line]) -> Line:
        # By hand, because `replace` takes several times as long, and lines are many.
        because_of = self.because_of.union(*(other.because_of for other in others))
        return Line(
            self.direction,
            self.network_protocol,
            self.service,
            self.other_side,
            self.addresses,
            ports,
            because_of,
            self.reason,
        )

    @property
    def possible_addresses(self) -> Ranges:
        """The addresses of the other side; all that they could be if they are not known."""
        if self.addresses is not None:
            return self.addresses
        return FAMILIES[self.network_protocol] if self.network_protocol else EVERYWHERE


def effective(lines: Iterable[Line]) -> list[Line]:
    """The lines of rules as effective rules, in a stable order.

    Lines of the same direction, family, service and other side are one. A line that another one of the same ports
    contains is left out, and that one has its rules as well.
    """
    kept: dict[tuple[Direction, frozenset[int]], _Kept] = defaultdict(_Kept)
    joined = sorted(_joined(lines), key=_order)
    place = {line: number for number, line in enumerate(joined)}
    for line in sorted(joined, key=_largest_first):  # which leaves equal ones in their order
        kept[line.direction, line.network_ports].add(line)
    found = [pair for each in kept.values() for pair in each.lines()]
    found.sort(key=lambda pair: place[pair[0]])
    return [line.because(*contained) if contained else line for line, contained in found]


def _joined(lines: Iterable[Line]) -> Iterator[Line]:
    """One line for all of the same key."""
    alike: dict[tuple[object, ...], list[Line]] = defaultdict(list)
    for line in lines:
        alike[line.key].append(line)
    for first, *others in alike.values():
        yield first.joined(*others) if others else first


class _Kept:
    """Lines of the same ports and direction, without those that another one contains. Add the largest first."""

    def __init__(self) -> None:
        #: By the services, or by what names them if they are not known.
        self._by_service: dict[Range | Service, _OfService] = {}
        #: Those of several services, which can contain others.
        self._wide: list[_OfService] = []
        self._contained: defaultdict[Line, list[Line]] = defaultdict(list)

    def add(self, line: Line) -> None:
        services = line.service.range()
        same = self._by_service.get(services or line.service)
        wider = (others for others in self._wide if others is not same and _is_within(services, others.services))
        with_it = (*wider, same) if same else wider
        containers = [container for others in with_it for container in others.containing(line)]
        for container in containers:
            self._contained[container].append(line)
        if not containers:
            (same or self._new(services, line.service)).add(line)

    def _new(self, services: Range | None, service: Service) -> _OfService:
        lines = self._by_service[services or service] = _OfService(services)
        if services and services[0] < services[1]:
            self._wide.append(lines)
        return lines

    def lines(self) -> Iterator[tuple[Line, Sequence[Line]]]:
        """Each line, with those that it contains."""
        for others in self._by_service.values():
            for line in others.lines():
                yield line, self._contained.get(line, ())


class _OfService:
    """Lines of the same services.

    None of them contains another, so those with one range of addresses have the same order by both ends: of all
    that begin before an address, the last one reaches furthest.
    """

    def __init__(self, services: Range | None) -> None:
        self.services = services
        self._firsts: list[int] = []
        self._single: list[Line] = []
        self._others: list[Line] = []

    def add(self, line: Line) -> None:
        if line.addresses is not None and len(line.addresses.ranges) == 1:
            first = line.addresses.ranges[0][0]
            index = bisect_right(self._firsts, first)
            self._firsts.insert(index, first)
            self._single.insert(index, line)
        else:
            self._others.append(line)

    def lines(self) -> Iterator[Line]:
        yield from self._single
        yield from self._others

    def containing(self, line: Line) -> Iterator[Line]:
        """Every line that has all the addresses of this one."""
        addresses = line.possible_addresses
        index = bisect_right(self._firsts, addresses.ranges[0][0]) if addresses else len(self._firsts)
        yield from takewhile(lambda other: _has(other, line, addresses), reversed(self._single[:index]))
        yield from (other for other in self._others if _has(other, line, addresses))


def contains(line: Line, other: Line) -> bool:
    """Whether a line of the same ports lets through all that another one could."""
    same = line.service == other.service or _is_within(other.service.range(), line.service.range())
    return same and line.direction == other.direction and _has(line, other, other.possible_addresses)


def _has(line: Line, other: Line, addresses: Ranges) -> bool:
    """Whether a line has all these possible addresses of another."""
    if line.addresses is not None:
        return addresses <= line.addresses
    return line.other_side == other.other_side and line.network_protocol in (None, other.network_protocol)


def _is_within(services: Range | None, others: Range | None) -> bool:
    first, last = services or EVERY_SERVICE  # an unknown service may be any
    return others is not None and others[0] <= first and last <= others[1]


def _largest_first(line: Line) -> tuple[object, ...]:
    """Whatever contains another line comes before it; of equal ones, a range comes before a group."""
    first, last = line.service.range() or (0, -1)
    size = -1 if line.addresses is None else line.addresses.size
    return first - last, -size, line.other_side


def _order(line: Line) -> tuple[object, ...]:
    protocol, port, end_port = line.service
    return (
        line.direction,
        line.network_protocol or "",
        protocol or "",
        -1 if port is None else port,
        -1 if end_port is None else end_port,
        line.other_side,
        sorted(line.network_ports),
    )
