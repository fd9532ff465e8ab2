"""What the rules of a group open to public addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from secgroups.traffic.addresses import FAMILIES, PUBLIC, Family
from secgroups.traffic.effective import Line
from secgroups.traffic.flows import Box, Flows
from secgroups.traffic.ranges import NOTHING, Range, Ranges
from secgroups.traffic.services import EVERY_SERVICE, Service, services_in, whole_protocol

Breadth = Literal["world", "wide", "narrow"]
#: More addresses than these are wide: those of an IPv4 /16 and of an IPv6 /32.
_NARROW: dict[Family, int] = {"IPV4": 2**16, "IPV6": 2**96}
_PUBLIC: dict[Family, Ranges] = {family: PUBLIC & every for family, every in FAMILIES.items()}


@dataclass(frozen=True, slots=True)
class Exposure:
    """One service of one family, the public addresses that all of it is open to, and the ids of the rules.

    A service without a protocol or ports stands for what no narrower exposure of the group and family names.
    """

    family: Family
    service: Service
    addresses: Ranges
    rules: frozenset[int]
    #: The ranges of the rules that have these addresses. They may have others that are not public.
    ranges: Ranges = NOTHING

    @property
    def breadth(self) -> Breadth:
        if _PUBLIC[self.family] <= self.addresses:
            return "world"
        return "wide" if self.addresses.size > _NARROW[self.family] else "narrow"


class _Opening(NamedTuple):
    """What one rule opens."""

    services: Range
    addresses: Ranges
    rules: frozenset[int]
    ranges: Ranges


def exposures(lines: Iterable[Line]) -> list[Exposure]:
    """The coarsest split of what the inbound lines of one group open to public addresses.

    Lines that are not known are left out.
    """
    openings = [
        _Opening(services, line.addresses & PUBLIC, line.because_of, line.addresses)
        for line in lines
        if line.direction == "inbound" and line.addresses is not None and (services := line.service.range())
    ]
    return [exposure for family in FAMILIES for exposure in _of_family(family, openings)]


def _of_family(family: Family, of_both: Iterable[_Opening]) -> Iterator[Exposure]:
    every = FAMILIES[family]
    openings = [
        each._replace(addresses=there, ranges=each.ranges & every)
        for each in of_both
        if (there := each.addresses & every)
    ]
    everything = [each for each in openings if each.services == EVERY_SERVICE]
    base = Ranges.union(each.addresses for each in everything)
    of_base = [*everything]
    narrower = []
    for number, own in _by_protocol(openings):
        concerned = [*everything, *own]
        for service, addresses, parts in _split(whole_protocol(number), own, base):
            if addresses == base:
                of_base += _opening(own, parts)
            else:
                narrower.append(_exposure(family, service, addresses, _opening(concerned, parts)))
    if base:
        yield _exposure(family, Service(), base, of_base)
    yield from narrower


def _exposure(family: Family, service: Service, addresses: Ranges, openings: Collection[_Opening]) -> Exposure:
    rules = frozenset().union(*(each.rules for each in openings))
    ranges = Ranges.union(each.ranges for each in openings)
    public = tuple(each for each in ranges.ranges if next(PUBLIC.within(each), None))
    return Exposure(family, service, addresses, rules, Ranges(public))


def _by_protocol(openings: Iterable[_Opening]) -> list[tuple[int, list[_Opening]]]:
    """The openings of a single protocol, by its number."""
    by_protocol: defaultdict[int, list[_Opening]] = defaultdict(list)
    for each in openings:
        if each.services != EVERY_SERVICE:
            by_protocol[each.services[0] >> 16].append(each)
    return sorted(by_protocol.items())


def _split(
    protocol: Range, openings: Iterable[_Opening], base: Ranges
) -> Iterator[tuple[Service, Ranges, list[Range]]]:
    """A protocol, and services of it that are open to more, each with the parts that no narrower one has."""
    boxes = [Box(each.services, each.addresses) for each in openings]
    slices = Flows.of(Box(protocol, base), *boxes).slices
    whole = Ranges.union([base, *(box.addresses for box in (*boxes, *slices) if box.services == protocol)])
    yield Service.of(protocol) or Service(), whole, [box.services for box in slices if box.addresses == whole]
    for box in slices:
        if box.addresses != whole:
            for service in services_in(box.services):
                yield service, box.addresses, [service.range() or box.services]


def _opening(openings: Iterable[_Opening], parts: Collection[Range]) -> list[_Opening]:
    """Those that open some of these services."""
    return [
        each
        for each in openings
        if any(each.services[0] <= last and first <= each.services[1] for first, last in parts)
    ]
