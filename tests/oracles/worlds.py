"""Random worlds of ports, groups and rules, and packets between the ports, the same for each seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from inventory.drivers.protocols import WITH_PORTS, WITH_TYPES
from inventory.drivers.values import Group, Instance, Inventory, Network, Port, Rule, Tenant

PORTS, GROUPS, RULES = 40, 10, 100
TENANT, NETWORK = Tenant("t-1", "tenant"), Network("net", "network", tenant_ref="t-1")
RANGES = {
    "IPV4": ("10.0.0.0/8", "10.0.0.0/27", "10.0.0.16/28", "10.0.0.5/32", "0.0.0.0/0", "0.0.0.0/1", "192.0.2.0/24"),
    "IPV6": ("fd00::/64", "fd00::/123", "fd00::5/128", "::/0", "2000::/3"),
}
#: Protocols of rules and packets: with ports, with types, by number.
PROTOCOLS: tuple[str | None, ...] = ("tcp", "tcp", "tcp", "udp", "sctp", "icmp", "icmp", "vrrp", "47", None)
#: The last of all ports.
LAST = 0xFFFF
PORT_NUMBERS = (22, 80, 443, 5432, 8000)
ICMP = {"IPV4": ("icmp", (8, 8, 0, 3)), "IPV6": ("icmpv6", (128, 128, 1))}


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection. Of ICMP, `port` is the type."""

    source: Port
    target: Port
    protocol: str
    port: int | None


def random_world(random: Random, ports: int = PORTS, groups: int = GROUPS, rules: int = RULES) -> Inventory:
    all_groups = tuple(Group(f"g{number}", f"group-{number}", tenant_ref=TENANT.ref) for number in range(groups))
    instances = tuple(
        Instance(f"i{n}", f"instance-{n}", "on", "ACTIVE", tenant_ref=TENANT.ref) for n in range(ports)
    )
    all_ports = tuple(_port(random, number, all_groups) for number in range(ports))
    all_rules = tuple(_rule(random, number, all_groups) for number in range(rules))
    return Inventory((TENANT,), (NETWORK,), all_groups, all_rules, instances, all_ports)


def _port(random: Random, number: int, groups: tuple[Group, ...]) -> Port:
    addresses = (f"10.0.0.{number + 1}", f"fd00::{number + 1:x}")
    chosen = random.sample(groups, random.choice((0, 1, 1, 2, 3)))
    return Port(
        f"p{number}",
        instance_ref=f"i{number}",
        tenant_ref=TENANT.ref,
        network_ref=NETWORK.ref,
        ip_addresses=random.choice((addresses, addresses, addresses[:1], addresses[1:])),
        group_refs=tuple(group.ref for group in chosen),
        port_security_enabled=bool(chosen) or random.random() < 0.5,
    )


def _rule(random: Random, number: int, groups: tuple[Group, ...]) -> Rule:
    family: Literal["IPV4", "IPV6"] = random.choice(("IPV4", "IPV4", "IPV6"))
    protocol, port, end_port = _service(random, family)
    other_side = random.choice(("group", "group", "range", "range", "anybody"))
    return Rule(
        f"r{number}",
        random.choice(groups).ref,
        random.choice(("inbound", "outbound")),
        family,
        protocol,
        port,
        end_port,
        source_ip_range=random.choice(RANGES[family]) if other_side == "range" else None,
        source_group_ref=random.choice(groups).ref if other_side == "group" else None,
    )


def _service(random: Random, family: str) -> tuple[str | None, int | None, int | None]:
    protocol = random.choice(PROTOCOLS)
    if protocol in WITH_TYPES:
        name, types = ICMP[family]
        kind = random.choice((None, *types))
        return name, kind, None if kind is None else random.choice((None, 0))
    if protocol in WITH_PORTS and random.random() < 0.9:
        first = random.choice((*PORT_NUMBERS, 0, LAST))
        return protocol, first, min(first + random.choice((0, 0, 10, 1000, LAST)), LAST)
    return protocol, None, None


def packets(random: Random, world: Inventory) -> Iterator[Packet]:
    """Packets between two ports that have addresses of a common family; no end.

    Most are what a rule is about that one of the two ports has, and at the edges of that.
    """
    while True:
        source, target = random.sample(world.ports, 2)
        if any(True for _ in pairs(source, target)):
            sides = {"outbound": source.group_refs, "inbound": target.group_refs}
            rules = [rule for rule in world.rules if rule.group_ref in sides[rule.direction]]
            chosen = random.choice(rules) if rules and random.random() < 0.8 else None
            yield Packet(source, target, *(_of_rule(random, chosen) if chosen else _any(random)))


def _of_rule(random: Random, rule: Rule) -> tuple[str, int | None]:
    if rule.host_protocol is None or (rule.port is None and rule.host_protocol in WITH_PORTS | WITH_TYPES):
        return _any(random)
    if rule.host_protocol in WITH_PORTS:
        first, last = rule.port or 0, rule.end_port or 0
        port = random.choice((first - 1, first, last, last + 1, random.randint(first, last)))
        return rule.host_protocol, min(max(port, 0), LAST)
    return rule.host_protocol, rule.port


def _any(random: Random) -> tuple[str, int | None]:
    protocol = random.choice(("tcp", "udp", "sctp", "icmp", "icmpv6", "vrrp", "47", "51"))
    if protocol in WITH_PORTS:
        return protocol, random.choice((*PORT_NUMBERS, 0, LAST))
    return protocol, random.choice((8, 0, 3, 128, 1)) if protocol in WITH_TYPES else None


def pairs(source: Port, target: Port) -> Iterator[tuple[str, str, str]]:
    """Family by family, an address of each."""
    for family, mark in (("IPV4", "."), ("IPV6", ":")):
        here, there = ([address for address in port.ip_addresses if mark in address] for port in (source, target))
        if here and there:
            yield family, here[0], there[0]
