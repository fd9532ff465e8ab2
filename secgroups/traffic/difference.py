"""What two sets of effective rules let through that the other one does not.

What is not known is never equal to anything. So a line whose addresses or service are not known is only let
through by a line of the same other side that contains it, or by known lines that contain everything it could be.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from secgroups.traffic.effective import Direction, Line, contains, effective
from secgroups.traffic.ranges import NOTHING, Range, Ranges
from secgroups.traffic.services import EVERY_SERVICE

#: Stands for the ports of lines that have none, such as those of a group.
_NO_PORTS = frozenset({0})


class Difference(NamedTuple):
    """The lines that let through what the other side as a whole does not, as they are on their own side."""

    appear: list[Line]
    disappear: list[Line]


def difference(before: Iterable[Line], after: Iterable[Line]) -> Difference:
    """Compare two sets of rules, port by port. A difference in `because_of` alone is none."""
    had, has = effective(before), effective(after)
    return Difference(_not_in(Openings(had), has), _not_in(Openings(has), had))


def _not_in(openings: Openings, lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line not in openings]


class Openings:
    """What lines let through, port by port."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self._known: defaultdict[tuple[Direction, int], _Cover] = defaultdict(_Cover)
        #: Lines that are not known, by what a line that they contain has as well: the other side, or the service.
        self._unknown: defaultdict[tuple[Direction, int, object], list[Line]] = defaultdict(list)
        for line in lines:
            self.add(line)

    def add(self, line: Line) -> None:
        services = line.service.range()
        for port in line.network_ports or _NO_PORTS:
            if services and line.addresses is not None:
                self._known[line.direction, port].add(services, line.addresses)
            else:
                same = line.service if line.addresses is not None else line.other_side
                self._unknown[line.direction, port, same].append(line)

    def __contains__(self, line: Line) -> bool:
        """Whether all that a line lets through on its ports is let through."""
        services = line.service.range()
        known = services is not None and line.addresses is not None
        for port in line.network_ports or _NO_PORTS:
            cover = self._known.get((line.direction, port), _NO_COVER)
            if cover.has(services or EVERY_SERVICE, line.possible_addresses):
                continue
            if known or not any(contains(other, line) for other in self._alike(line, port)):
                return False
        return True

    def lets(self, direction: Direction) -> bool:
        """Whether anything may pass in this direction, on any port."""
        known = any(cover for (way, _), cover in self._known.items() if way == direction)
        return known or any(lines for (way, *_), lines in self._unknown.items() if way == direction)

    def _alike(self, line: Line, port: int) -> Iterator[Line]:
        for same in (line.service, line.other_side):
            yield from self._unknown.get((line.direction, port, same), ())


class _Cover:
    """The addresses of each service. `_addresses` are those from one of `_starts` to the next."""

    def __init__(self) -> None:
        self._starts = [EVERY_SERVICE[0]]
        self._addresses = [NOTHING]

    def __bool__(self) -> bool:
        return any(self._addresses)

    def has(self, services: Range, addresses: Ranges) -> bool:
        first, last = services
        slices = range(bisect_right(self._starts, first) - 1, bisect_right(self._starts, last))
        return all(addresses <= self._addresses[index] for index in slices)

    def add(self, services: Range, addresses: Ranges) -> None:
        if not self.has(services, addresses):
            first, last = services
            for index in range(self._cut(first), self._cut(last + 1)):
                self._addresses[index] |= addresses

    def _cut(self, start: int) -> int:
        """The index of the slice that begins here."""
        index = bisect_left(self._starts, start)
        if index == len(self._starts) or self._starts[index] != start:
            self._starts.insert(index, start)
            self._addresses.insert(index, self._addresses[index - 1])
        return index


_NO_COVER = _Cover()


class GrowingRules:
    """Effective rules to which lines are added, many times."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self._lines: dict[tuple[object, ...], Line] = {}
        #: What all lines let through so far.
        self.openings = Openings()
        self._alike: defaultdict[tuple[Direction, frozenset[int]], _Nested] = defaultdict(_Nested)
        for line in lines:
            self.openings.add(self._join(line))

    def grow(self, lines: Iterable[Line]) -> list[Line]:
        """Add these lines. Returns what appears in the effective rules, as `difference` does.

        A line of a key that is here already has at least its addresses. It takes their place.
        """
        joined = {line.key: line for line in map(self._join, lines)}.values()
        new = _not_in(self.openings, joined)
        for line in joined:
            self.openings.add(line)
        # Whatever contains a new line is new as well. So these are compared with each other only.
        return effective(self._with_reasons(line) for line in new)

    def _join(self, line: Line) -> Line:
        """Add a line to the one of the same key."""
        before = self._lines.get(line.key)
        if before:
            line = line.joined(before)
            self._alike[before.direction, before.network_ports].remove(before)
        self._lines[line.key] = line
        self._alike[line.direction, line.network_ports].add(line)
        return line

    def _with_reasons(self, line: Line) -> Line:
        """A line with the rules of all that it contains."""
        contained = list(self._alike[line.direction, line.network_ports].within(line))
        return line.because(*contained) if contained else line


class _Nested:
    """Lines of the same ports and direction, to find those that one contains."""

    def __init__(self) -> None:
        self._by_services: defaultdict[Range, _OfServices] = defaultdict(_OfServices)
        #: The keys of `_by_services`, sorted.
        self._services: list[Range] = []
        self._unknown = _OfServices()

    def add(self, line: Line) -> None:
        services = line.service.range()
        if services and services not in self._by_services:
            self._services.insert(bisect_left(self._services, services), services)
        self._alike(services).add(line)

    def remove(self, line: Line) -> None:
        self._alike(line.service.range()).remove(line)

    def within(self, line: Line) -> Iterator[Line]:
        """The lines that this one contains, without itself."""
        for alike in self._candidates(line.service.range()):
            for other in alike.starting_within(line.addresses):
                if other is not line and contains(line, other):
                    yield other

    def _alike(self, services: Range | None) -> _OfServices:
        return self._by_services[services] if services else self._unknown

    def _candidates(self, services: Range | None) -> Iterator[_OfServices]:
        if services is None or services == EVERY_SERVICE:
            yield self._unknown
        if services is None:
            return
        first, last = services
        for index in range(bisect_left(self._services, (first,)), len(self._services)):
            if self._services[index][0] > last:
                return
            if self._services[index][1] <= last:
                yield self._by_services[self._services[index]]


class _OfServices:
    """Lines of the same services. Those with one range of addresses are sorted by its beginning."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._single: list[Line] = []
        self._others: dict[tuple[object, ...], Line] = {}

    def add(self, line: Line) -> None:
        if _is_single(line):
            index = bisect_left(self._firsts, first := line.possible_addresses.ranges[0][0])
            self._firsts.insert(index, first)
            self._single.insert(index, line)
        else:
            self._others[line.key] = line

    def remove(self, line: Line) -> None:
        if _is_single(line):
            index = bisect_left(self._firsts, line.possible_addresses.ranges[0][0])
            while self._single[index] is not line:
                index += 1
            del self._firsts[index], self._single[index]
        else:
            del self._others[line.key]

    def starting_within(self, addresses: Ranges | None) -> Iterator[Line]:
        """The lines that begin within these addresses, and those with several ranges or none."""
        yield from self._others.values()
        for first, last in addresses.ranges if addresses is not None else ():
            yield from self._single[bisect_left(self._firsts, first) : bisect_right(self._firsts, last)]


def _is_single(line: Line) -> bool:
    return line.addresses is not None and len(line.addresses.ranges) == 1
