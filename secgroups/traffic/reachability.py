"""Whether connections pass between two sides, by the rules of their ports alone.

What is not known counts twice: once as if it let nothing through, and once as if it let everything through. If the
verdicts differ, the verdict is unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Literal, NamedTuple

from inventory.drivers.protocols import NUMBERS
from secgroups.traffic.addresses import FAMILIES, Family, cidrs, family_of
from secgroups.traffic.effective import Direction, Line, OtherSide
from secgroups.traffic.flows import Box, Flows
from secgroups.traffic.ranges import NOTHING, Range, Ranges
from secgroups.traffic.services import Service, protocol_of

Verdict = Literal["allowed", "partly", "blocked", "unknown"]
#: The protocols that only one family has.
_OF_ONE_FAMILY: Mapping[int | None, Family] = {NUMBERS["icmp"]: "IPV4", NUMBERS["icmpv6"]: "IPV6"}
#: Stands for the addresses of a path between two ports, which are judged already.
_BETWEEN = Ranges.of((0, 0))


def families_of(services: Range) -> frozenset[Family]:
    """The families that have these services."""
    only = _OF_ONE_FAMILY.get(protocol_of(services))
    return frozenset({only} if only else FAMILIES)


class Address(NamedTuple):
    """An address of a port. It is `translated` if the port does not have it itself (a floating IP)."""

    number: int
    public: bool
    translated: bool = False


class Realm(NamedTuple):
    """Where private addresses mean the same port. `network` is set if the cloud separates networks."""

    provider: int
    network: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Port:
    """A port (its id) with its addresses, its effective rules and the groups that can have more."""

    pk: int
    realm: Realm
    addresses: tuple[Address, ...]
    lines: tuple[Line, ...]
    groups: tuple[int, ...] = ()

    def passage(self, direction: Direction, services: Range, addresses: Ranges) -> Passage:
        """What passes of these services from or to these addresses."""
        return Passage.of((line for line in self.lines if line.direction == direction), services, addresses)


@dataclass(frozen=True, slots=True)
class Passage:
    """What certainly passes and what may pass, with the lines that let it."""

    services: Range
    addresses: Ranges
    certain: Flows
    possible: Flows
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, lines: Iterable[Line], services: Range, addresses: Ranges) -> Passage:
        certain, possible, concerned = [], [], []
        for line in lines:
            box = _part(line, services, addresses)
            if box is None:
                continue
            concerned.append(line)
            possible.append(box)
            if is_known(line):
                certain.append(box)
        return cls(services, addresses, Flows.of(*certain), Flows.of(*possible), tuple(concerned))

    @property
    def target(self) -> Flows:
        """What would have to pass."""
        return Flows.of(Box(self.services, self.addresses))

    @property
    def verdict(self) -> Verdict:
        return _verdict(self.certain, self.possible, self.target)

    @property
    def reasons(self) -> tuple[Line, ...]:
        """The lines that the verdict rests on. Those that are not known count only if they decide."""
        return self.lines if self.verdict == "unknown" else tuple(filter(is_known, self.lines))

    @property
    def rules(self) -> frozenset[int]:
        """The rules (ids) that the verdict rests on."""
        return frozenset(rule for line in self.reasons for rule in line.because_of)

    @property
    def reason(self) -> str:
        """Why without rules."""
        return ", ".join(sorted({line.reason for line in self.reasons if line.reason}))


def is_known(line: Line) -> bool:
    return line.addresses is not None and line.service.range() is not None


def _part(line: Line, services: Range, addresses: Ranges) -> Box | None:
    """The part of a line that is about these services and addresses."""
    first, last = line.service.possible_range()
    first, last = max(first, services[0]), min(last, services[1])
    there = line.possible_addresses & addresses if first <= last else None
    return Box((first, last), there) if there else None


def _verdict(certain: Flows, possible: Flows, target: Flows) -> Verdict:
    least, most = _judged(certain, target), _judged(possible, target)
    return least if least == most else "unknown"


def _judged(flows: Flows, target: Flows) -> Verdict:
    if target <= flows:
        return "allowed"
    return "partly" if flows & target else "blocked"


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """One way from a side to the other. A port and its address are None if that side is outside the inventory."""

    family: Family
    from_port: Port | None
    to_port: Port | None
    from_address: Address | None
    to_address: Address | None
    outbound: Passage | None
    inbound: Passage | None

    @property
    def public(self) -> bool:
        """Whether the address in the inventory is public; of two, that of the target."""
        own = self.to_address or self.from_address
        return own is not None and own.public

    def flows(self, *, certain: bool) -> Flows:
        """What passes: from or to the addresses outside, or between the two ports."""
        passages = [passage for passage in (self.outbound, self.inbound) if passage]
        sides = [passage.certain if certain else passage.possible for passage in passages]
        if len(sides) == 1:
            return sides[0]
        outbound, inbound = (Ranges.of(*(box.services for box in flows.slices)) for flows in sides)
        return Flows.of(*(Box(services, _BETWEEN) for services in (outbound & inbound).ranges))

    @property
    def target(self) -> Flows:
        """What would have to pass."""
        if self.outbound and self.inbound:
            return Flows.of(Box(self.outbound.services, _BETWEEN))
        return next(passage.target for passage in (self.outbound, self.inbound) if passage)

    @property
    def verdict(self) -> Verdict:
        return _verdict(self.flows(certain=True), self.flows(certain=False), self.target)


class Missing(NamedTuple):
    """A rule that a port needs: for everything that was asked, from or to these addresses."""

    port: Port
    direction: Direction
    family: Family
    services: Range
    addresses: Ranges

    @property
    def line(self) -> Line:
        """The rule as a line. No single rule has exactly the public addresses, so those become everybody."""
        first, *others = cidrs(self.addresses)
        addresses = FAMILIES[self.family] if others else self.addresses
        side = OtherSide(source_ip_range=next(cidrs(addresses)) if others else first)
        return Line(self.direction, self.family, Service.of(self.services) or Service(), side, addresses)


@dataclass(frozen=True)
class Question:
    """Whether these services pass from one side to the other.

    A side is ports, or None for the addresses `outside`. Private addresses pass only if their realms meet. With
    `hidden_ports`, a side has more of them, which may let everything through.
    """

    from_ports: Sequence[Port] | None
    to_ports: Sequence[Port] | None
    services: Range
    outside: Ranges = NOTHING
    meet: Callable[[Realm, Realm], bool] = Realm.__eq__
    hidden_ports: bool = False

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Every way from side to side, in the order of the ports."""
        if self.from_ports is None:
            return tuple(self._with_outside(self.to_ports or (), "inbound"))
        if self.to_ports is None:
            return tuple(self._with_outside(self.from_ports, "outbound"))
        pairs = product(self.from_ports, self.to_ports)
        others = (pair for pair in pairs if pair[0].pk != pair[1].pk)  # a port is never its own other side
        return tuple(path for source, target in others for path in self._between(source, target))

    @cached_property
    def verdict(self) -> Verdict:
        certain, possible = (self._best(certain=certain) for certain in (True, False))
        return certain if certain == possible else "unknown"

    @cached_property
    def passing(self) -> tuple[Path, ...]:
        """The paths on which something certainly passes."""
        return tuple(path for path in self.paths if path.flows(certain=True))

    @cached_property
    def missing(self) -> tuple[Missing, ...]:
        """The fewest rules that make the verdict `allowed`; none if no rules do."""
        if self.verdict == "allowed":
            return ()
        choices = [rules for path in self.paths if (rules := tuple(self._missing_of(path))) and _can_have(rules)]
        if not choices:
            return ()
        rules = min(choices, key=len)
        # Parts of several paths may add up to everything with one of the two.
        alone = (one for one in rules if len(rules) > 1 and self._with(one).verdict == "allowed")
        return next(((one,) for one in alone), rules)

    @property
    def families(self) -> list[Family]:
        """The families of which the verdict is true."""
        certain, possible = self.by_family(certain=True), self.by_family(certain=False)
        verdicts: dict[Family, Verdict] = {
            family: verdict if certain.get(family, "blocked") == verdict else "unknown"
            for family, verdict in possible.items()
        }
        return [family for family in FAMILIES if verdicts.get(family) == self.verdict]

    def by_family(self, *, certain: bool) -> dict[Family, Verdict]:
        """The verdict of each family, over all its paths together."""
        if self.hidden_ports and not certain:
            return dict.fromkeys(self._families, "allowed")
        boxes: defaultdict[Family, list[Box]] = defaultdict(list)
        for path in self.paths:
            boxes[path.family] += path.flows(certain=certain).slices
        targets = {path.family: path.target for path in self.paths}
        return {family: _judged(Flows.of(*boxes[family]), target) for family, target in targets.items()}

    @cached_property
    def _families(self) -> frozenset[Family]:
        return families_of(self.services)

    def _best(self, *, certain: bool) -> Verdict:
        verdicts = self.by_family(certain=certain).values()
        return next((verdict for verdict in _BEST_FIRST if verdict in verdicts), "blocked")

    def _with_outside(self, ports: Iterable[Port], direction: Direction) -> Iterator[Path]:
        for port in ports:
            for family, every in FAMILIES.items():
                own = [address for address in port.addresses if family_of(address.number) == family]
                outside = self.outside & every
                if not (own and outside and family in self._families):
                    continue
                # The rules decide, whatever the address is. A public one is what the world can use.
                address = next((each for each in own if each.public), own[0])
                passage = port.passage(direction, self.services, outside)
                if direction == "inbound":
                    yield Path(family, None, port, None, address, None, passage)
                else:
                    yield Path(family, port, None, address, None, passage, None)

    def _between(self, source: Port, target: Port) -> Iterator[Path]:
        for here, there in product(source.addresses, target.addresses):
            family = family_of(here.number)
            alike = family == family_of(there.number) and family in self._families
            if alike and self._meets(source, here, target, there):
                outbound = source.passage("outbound", self.services, Ranges.of((there.number, there.number)))
                inbound = target.passage("inbound", self.services, Ranges.of((here.number, here.number)))
                yield Path(family, source, target, here, there, outbound, inbound)

    def _meets(self, source: Port, here: Address, target: Port, there: Address) -> bool:
        if here.public and there.public:
            return True
        return not (here.translated or there.translated) and self.meet(source.realm, target.realm)

    def _missing_of(self, path: Path) -> Iterator[Missing]:
        """The rules that the ports of a path need."""
        passages: Iterable[tuple[Direction, Port | None, Passage | None]] = (
            ("outbound", path.from_port, path.outbound),
            ("inbound", path.to_port, path.inbound),
        )
        for direction, port, passage in passages:
            if port and passage and passage.verdict != "allowed":
                yield Missing(port, direction, path.family, self.services, passage.addresses)

    def _with(self, rule: Missing) -> Question:
        """The same question once the ports with a group of this rule's port have the rule."""

        def changed(ports: Sequence[Port] | None) -> Sequence[Port] | None:
            return ports and [
                replace(port, lines=(*port.lines, rule.line)) if rule.port.groups[0] in port.groups else port
                for port in ports
            ]

        return replace(self, from_ports=changed(self.from_ports), to_ports=changed(self.to_ports))


_BEST_FIRST: tuple[Verdict, ...] = ("allowed", "partly", "blocked")


def _can_have(rules: Iterable[Missing]) -> bool:
    """Whether each port has a group that can have its rule."""
    return all(rule.port.groups for rule in rules)
