"""What the rules of one side let through to or from addresses outside of the inventory, range by range."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from secgroups.analysis.one_side import OneSide
from secgroups.traffic.addresses import FAMILIES, Family, cidrs, family_of
from secgroups.traffic.effective import Line
from secgroups.traffic.ranges import Range, Ranges
from secgroups.traffic.reachability import families_of, is_known
from secgroups.traffic.services import Service, services_in


@dataclass(frozen=True, slots=True)
class OutsideRange:
    """A range, the services that pass from or to it, and the ids of the rules that say so."""

    cidr: str
    family: Family
    services: tuple[Service, ...]
    because_of: frozenset[int]


def ranges_outside(one_side: OneSide) -> list[OutsideRange]:
    """The ranges of rules, the entries of their lists, and everybody; never the members of groups."""
    services: defaultdict[tuple[str, Family], list[Range]] = defaultdict(list)
    rules: defaultdict[tuple[str, Family], set[int]] = defaultdict(set)
    families = families_of(one_side.services)
    for port in one_side.ports if one_side.side.collection else ():
        own = {family for family in FAMILIES if any(family_of(each.number) == family for each in port.addresses)}
        for line, part in one_side.lines(port):
            for cidr, family in _named(line):
                if family in families & own:
                    services[cidr, family].append(part)
                    rules[cidr, family] |= line.because_of
    return [
        OutsideRange(cidr, family, tuple(_in_all(parts)), frozenset(rules[cidr, family]))
        for (cidr, family), parts in services.items()
    ]


def _named(line: Line) -> Iterator[tuple[str, Family]]:
    if not is_known(line) or line.other_side.source_security_group or line.addresses is None:
        return
    for family, every in FAMILIES.items():
        for cidr in cidrs(line.addresses & every):
            yield cidr, family


def _in_all(parts: list[Range]) -> Iterator[Service]:
    for part in Ranges.of(*parts).ranges:
        yield from services_in(part)
