"""What an answer about reachability has to be, address by address and service by service.

What is not known is completed: it holds everything, or nothing. An answer is known only if it is the same for each
completion.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cache, cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import product

from inventory.drivers.protocols import NUMBERS, WITH_PORTS, WITH_TYPES
from inventory.drivers.values import Inventory, Port, Rule

Address = IPv4Address | IPv6Address
Side = tuple[Port, ...] | str
#: The number of a protocol, with a port or with a type and a code, in 16 bits.
Service = tuple[int, int]
#: From which port to which, None for one outside, and their addresses.
Way = tuple[Port | None, Port | None, Address, Address]
LAST = 0xFFFF
FAMILIES = {4: "IPV4", 6: "IPV6"}
#: The protocols of questions, and one of no rule or question.
ASKED = ("tcp", "udp", "icmp", "icmpv6", "47")
OTHER = 200


@dataclass(frozen=True, slots=True)
class Question:
    """A side is ports, or a CIDR outside."""

    source: Side
    target: Side
    protocol: str | None = None
    port: int | None = None

    @property
    def versions(self) -> set[int]:
        return {"icmp": {4}, "icmpv6": {6}}.get(self.protocol or "", {4, 6})

    @property
    def services(self) -> set[Service]:
        """Those that it names: of ICMP with a code that rules name, and one that none does."""
        if self.protocol is None or self.port is None:
            return set()
        number = _number(self.protocol)
        if self.protocol in WITH_TYPES:
            return {(number, self.port << 8 | code) for code in (0, 1)}
        return {(number, self.port)}

    def is_about(self, service: Service) -> bool:
        number, detail = service
        if self.protocol is None:
            return True
        asked = detail >> 8 if self.protocol in WITH_TYPES else detail
        return number == _number(self.protocol) and self.port in (None, asked)


@dataclass(frozen=True)
class Judge:
    """Answers questions about a world."""

    world: Inventory

    def verdict(self, question: Question) -> str:
        """The verdict of every completion: nothing of what is not known is held, all of it, or one thing alone."""
        completions = [frozenset[str](), self._unknown, *(frozenset({name}) for name in self._unknown)]
        verdicts = {self._completed(question, held) for held in completions}
        return verdicts.pop() if len(verdicts) == 1 else "unknown"

    def _completed(self, question: Question, held: Set[str]) -> str:
        verdicts = [self._of_family(question, version, held) for version in question.versions]
        return next((word for word in ("allowed", "partly") if word in verdicts), "blocked")

    def _of_family(self, question: Question, version: int, held: Set[str]) -> str:
        """Every service has to pass on some way, with every address outside."""
        ways = defaultdict(list)
        for way in self._ways(question, version):
            ways[_outside(way)].append(way)
        passing = {
            any(self._passes(way, service, held) for way in alike)
            for alike in ways.values()
            for service in filter(question.is_about, self._services | question.services)
        }
        return "blocked" if True not in passing else "partly" if False in passing else "allowed"

    def _ways(self, question: Question, version: int) -> Iterator[Way]:
        for (source, here), (target, there) in product(self._ends(question.source), self._ends(question.target)):
            if source is not target and here.version == there.version == version:
                yield source, target, here, there

    def _ends(self, side: Side) -> list[tuple[Port | None, Address]]:
        if isinstance(side, str):
            return [(None, address) for address in self._addresses if _is_in(address, side)]
        return [(port, ip_address(address)) for port in side for address in port.ip_addresses]

    def _passes(self, way: Way, service: Service, held: Set[str]) -> bool:
        source, target, here, there = way
        return (source is None or self._lets(source, "outbound", there, service, held)) and (
            target is None or self._lets(target, "inbound", here, service, held)
        )

    def _lets(self, port: Port, direction: str, other: Address, service: Service, held: Set[str]) -> bool:
        return not port.port_security_enabled or any(
            rule.direction == direction
            and rule.group_ref in port.group_refs
            and rule.network_protocol in (None, FAMILIES[other.version])
            and _serves(rule, service, held)
            and self._names(rule, other, held)
            for rule in self.world.rules
        )

    def _names(self, rule: Rule, other: Address, held: Set[str]) -> bool:
        """Whether a rule is for this other side."""
        if rule.source_group_ref:
            return any(_is_in(other, address) for address in self._members[rule.source_group_ref])
        if rule.source_ip_range is None:
            return True
        if (name := self._unknown_name(rule)) is not None:
            return name in held
        entries = self._entries[rule.address_list_ref] if rule.address_list_ref else (rule.source_ip_range,)
        return any(_is_in(other, entry) for entry in entries or ())

    def _unknown_name(self, rule: Rule) -> str | None:
        if rule.address_list_ref:
            return rule.source_ip_range if self._entries[rule.address_list_ref] is None else None
        return None if rule.source_ip_range is None or _is_range(rule.source_ip_range) else rule.source_ip_range

    @cached_property
    def _unknown(self) -> frozenset[str]:
        """What holds nobody knows what."""
        names = (name for rule in self.world.rules for name in (self._unknown_name(rule), _unknown_service(rule)))
        return frozenset(filter(None, names))

    @cached_property
    def _entries(self) -> dict[str, tuple[str, ...] | None]:
        return {each.ref: each.entries for each in self.world.address_lists}

    @cached_property
    def _members(self) -> dict[str, list[str]]:
        """What rules mean that name a group."""
        return {
            group.ref: [
                address
                for port in self.world.ports
                if group.ref in port.group_refs
                for address in (*port.own_ip_addresses, *port.allowed_address_pairs)
            ]
            for group in self.world.groups
        }

    @cached_property
    def _addresses(self) -> set[Address]:
        """One address at least of each part into which ranges and members cut all."""
        texts = {text for rule in self.world.rules if (text := rule.source_ip_range) and _is_range(text)}
        texts |= {entry for entries in self._entries.values() for entry in entries or ()}
        texts |= {address for members in self._members.values() for address in members}
        return {address for text in (*texts, "0.0.0.0/0", "::/0") for address in _edges(text)}

    @cached_property
    def _services(self) -> set[Service]:
        """The same of services."""
        services = {(number, detail) for number in (*map(_number, ASKED), OTHER) for detail in (0, LAST)}
        for rule in self.world.rules:
            if rule.host_protocol and not _unknown_service(rule):
                first, last = _details(rule)
                inner = {min(max(edge, 0), LAST) for edge in (first - 1, first, last, last + 1)}
                services |= {(_number(rule.host_protocol), detail) for detail in inner}
        return services


def _outside(way: Way) -> Address | None:
    source, target, here, there = way
    return here if source is None else there if target is None else None


def _serves(rule: Rule, service: Service, held: Set[str]) -> bool:
    if rule.host_protocol is None:
        return True
    is_protocol = not _is_protocol(rule.host_protocol) or service[0] == _number(rule.host_protocol)
    if (name := _unknown_service(rule)) is not None:
        return is_protocol and name in held
    first, last = _details(rule)
    return is_protocol and first <= service[1] <= last


def _unknown_service(rule: Rule) -> str | None:
    """A protocol that nobody knows, or a port of one that has none."""
    protocol = rule.host_protocol
    has_ports = protocol in WITH_PORTS | WITH_TYPES or rule.port is None
    return None if protocol is None or (_is_protocol(protocol) and has_ports) else f"service of {rule.ref}"


def _is_protocol(name: str) -> bool:
    return name in NUMBERS or name.isdigit()


def _details(rule: Rule) -> tuple[int, int]:
    if rule.port is None:
        return 0, LAST
    if rule.host_protocol not in WITH_TYPES:
        return rule.port, rule.port if rule.end_port is None else rule.end_port
    codes = (0, 0xFF) if rule.end_port is None else (rule.end_port, rule.end_port)
    return rule.port << 8 | codes[0], rule.port << 8 | codes[1]


def _number(protocol: str) -> int:
    return NUMBERS[protocol] if protocol in NUMBERS else int(protocol)


@cache
def _parsed(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


def _is_range(text: str) -> bool:
    try:
        return bool(_parsed(text))
    except ValueError:
        return False


def _is_in(address: Address, text: str) -> bool:
    there = _parsed(text)
    return address.version == there.version and address in there


def _edges(text: str) -> Iterator[Address]:
    """The first and the last address of a range, and those beside it."""
    there = _parsed(text)
    first, last = there.network_address, there.broadcast_address
    yield from (first, last)
    if int(first):
        yield first - 1
    if int(last) < 2**there.max_prefixlen - 1:
        yield last + 1
