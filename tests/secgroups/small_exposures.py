"""Small random clouds, and what their groups open to the public, found out rule by rule and address by address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

from inventory.drivers.values import AddressList, Group, Instance, Network, Port, Rule
from secgroups.models import Exposure
from secgroups.traffic.services import Service
from secgroups.traffic.severity import Holder, severity
from tests.clouds import MemoryCloud

#: The halves of everything, and of the upper half.
HALVES = ("0.0.0.0/1", "128.0.0.0/1", "128.0.0.0/2", "192.0.0.0/2")
RANGES = (
    *HALVES, "0.0.0.0/0", "::/0", "2000::/3", "2a00::/16", "2a00::/33", "8.8.0.0/15", "8.8.8.0/24", "10.0.0.0/8",
    "fd00::/8", "192.168.0.0/16", "pl-of-another", None,
)  # fmt: skip
SERVICES = (
    (None, None, None), ("tcp", None, None), ("tcp", 22, 22), ("tcp", 20, 25), ("tcp", 0, 32767),
    ("tcp", 32768, 65535), ("udp", 53, 53), ("udp", None, None), ("icmp", 8, None), ("icmp", 8, 0), ("odd", 1, 2),
)  # fmt: skip
LISTS = {
    "pl-all": ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"),
    "pl-few": ("9.9.9.9/32", "10.0.0.0/8"),
    "pl-none": (),
    "pl-unknown": None,
}
ADDRESSES = ((), ("10.0.0.1",), ("10.0.0.2", "2a00::2"), ("fd00::3",), ("7.7.7.7",))
TRANSLATED = ((), (), ("52.0.0.1",), ("172.24.4.9",))
GROUPS = ("g-0", "g-1", "g-2", "g-3", "g-nothing-has")
VMS = ("i-0", "i-1", "i-2")

#: One address of each part into which all of the above cut the public ones, by family.
PROBES: dict[str, tuple[str, ...]] = {
    "IPV4": ("1.1.1.1", "8.8.8.8", "8.9.0.1", "9.9.9.9", "130.0.0.1", "193.0.0.9"),
    "IPV6": ("2a00::1", "2a00:8000::1", "2b00::1"),
}
#: As above, of services: the protocol's number and the port, or the type and code.
POINTS = (
    (6, 0), (6, 20), (6, 22), (6, 23), (6, 30), (6, 40000), (17, 52), (17, 53), (1, 0), (1, 8 << 8),
    (1, 8 << 8 | 1), (47, 0),
)  # fmt: skip
NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1}


def fill(cloud: MemoryCloud, random: Random) -> None:
    """Make it a random small cloud."""
    cloud.network_list, cloud.address_lists = [Network("n", "n")], [address_list(ref) for ref in LISTS]
    cloud.group_list = [Group(ref, ref, network_ref="n") for ref in GROUPS]
    cloud.instance_list = [Instance(ref, ref, "on", "running") for ref in VMS]
    cloud.rule_list = [random_rule(random, number) for number in range(random.randint(0, 8))]
    cloud.port_list = [random_port(random, f"p-{number}") for number in range(random.randint(0, 5))]


def address_list(ref: str) -> AddressList:
    return AddressList(ref, ref, entries=LISTS[ref])


def random_rule(random: Random, number: int) -> Rule:
    protocol, port, end_port = random.choice(SERVICES)
    rule = Rule(
        f"r-{number}",
        random.choice(GROUPS),
        random.choice(("inbound", "inbound", "inbound", "outbound")),
        random.choice((None, None, "IPV4", "IPV6")),
        protocol,
        port,
        end_port,
    )
    kind = random.randrange(6)
    if kind == 0:
        ref = random.choice([*LISTS])
        return replace(rule, source_ip_range=ref, address_list_ref=ref)
    if kind == 1:
        return replace(rule, source_group_ref=random.choice(GROUPS))
    return replace(rule, source_ip_range=random.choice(RANGES))


def random_port(random: Random, ref: str) -> Port:
    return Port(
        ref,
        network_ref="n",
        instance_ref=random.choice((None, *VMS)),
        ip_addresses=random.choice(ADDRESSES),
        public_ip_addresses=random.choice(TRANSLATED),
        group_refs=tuple(random.sample(GROUPS[:-1], random.randint(1, 3))),
        revision="1",
    )


def kept() -> list[dict[str, Any]]:
    """The rows, without their ids, with the refs of their groups and rules."""
    rows = [
        {"group": row.security_group.ems_ref, "rules": sorted(rule.ems_ref for rule in row.firewall_rules.all())}
        | {name: getattr(row, name) for name in COLUMNS}
        for row in Exposure.objects.select_related("security_group").prefetch_related("firewall_rules")
    ]
    return sorted(rows, key=repr)


COLUMNS = (
    "provider_id", "network_protocol", "host_protocol", "port", "end_port", "service", "source_ip_ranges",
    "breadth", "severity", "total_vms", "total_public_vms",
)  # fmt: skip


def openers(cloud: MemoryCloud, group: str, probe: str, point: tuple[int, int]) -> set[str]:
    """The rules of a group that let this address reach this service."""
    family = "IPV6" if ":" in probe else "IPV4"
    return {
        rule.ref
        for rule in cloud.rule_list
        if (rule.group_ref, rule.direction) == (group, "inbound")
        and rule.network_protocol in (None, family)
        and _opens(rule, point)
        and any(_holds(text, probe) for text in _texts(rule, cloud))
    }


def _texts(rule: Rule, cloud: MemoryCloud) -> Iterator[str]:
    if rule.source_group_ref:
        return
    if rule.address_list_ref:
        [entries] = (one.entries for one in cloud.address_lists if one.ref == rule.address_list_ref)
        yield from entries or ()
    elif rule.source_ip_range is None:
        yield from ("0.0.0.0/0", "::/0")
    elif "/" in rule.source_ip_range:
        yield rule.source_ip_range


def _opens(rule: Rule, point: tuple[int, int]) -> bool:
    number, detail = point
    if rule.host_protocol is None:
        return True
    if NUMBERS.get(rule.host_protocol) != number:
        return False
    if rule.port is None:
        return True
    if rule.host_protocol == "icmp":
        return detail >> 8 == rule.port and rule.end_port in (None, detail & 0xFF)
    return rule.port <= detail <= (rule.port if rule.end_port is None else rule.end_port)


def _holds(text: str, probe: str) -> bool:
    """Whether a CIDR has an address, by their bits."""
    network, address = ip_network(text), ip_address(probe)
    if network.version != address.version:
        return False
    shift = network.max_prefixlen - network.prefixlen
    return int(network.network_address) >> shift == int(address) >> shift


def row_of(rows: list[dict[str, Any]], group: str, family: str, point: tuple[int, int]) -> dict[str, Any] | None:
    """The narrowest row that names a service."""
    naming = [
        row
        for row in rows
        if (row["group"], row["network_protocol"]) == (group, family)
        and _opens(Rule("", "", "inbound", None, row["host_protocol"], row["port"], row["end_port"]), point)
    ]

    def width(row: dict[str, Any]) -> tuple[bool, bool, int]:
        last = row["end_port"] if row["end_port"] is not None else 1 << 16
        return row["host_protocol"] is None, row["port"] is None, last - (row["port"] or 0)

    return min(naming, key=width, default=None)


def _first_point(row: dict[str, Any]) -> tuple[int, int]:
    number, port = NUMBERS[row["host_protocol"]], row["port"]
    return number, port << 8 | (row["end_port"] or 0) if row["host_protocol"] == "icmp" else port


def assert_none_false_none_missed(cloud: MemoryCloud, points: Sequence[tuple[int, int]] = POINTS) -> None:
    """The rows say of each service and address exactly what the rules say, and count what has each group."""
    rows = kept()
    rules: defaultdict[int, set[str]] = defaultdict(set)
    for group in GROUPS:
        for family, probes in PROBES.items():
            for point in points:
                row = row_of(rows, group, family, point)
                for probe in probes:
                    by = openers(cloud, group, probe, point)
                    shown = row is not None and any(_holds(text, probe) for text in row["source_ip_ranges"])
                    assert bool(by) == shown, (group, probe, point, row)
                    if row is not None:
                        rules[rows.index(row)] |= by
    for index, row in enumerate(rows):
        if row["port"] is not None:  # a split into codes of ICMP has more parts than there are points
            for probe in PROBES[row["network_protocol"]]:
                rules[index] |= openers(cloud, row["group"], probe, _first_point(row))
        assert set(row["rules"]) == rules[index], row
    vms = {instance.ref for instance in cloud.instance_list}  # a port may name one that is gone
    for row in rows:
        assert row["total_vms"] == len(vms.intersection(port.instance_ref for port in _having(cloud, row)))
        public = {port.instance_ref for port in _having(cloud, row) if _is_public(port, row["network_protocol"])}
        assert row["total_public_vms"] == len(public & vms)
        assert row["breadth"] == _breadth(row), row
        assert row["severity"] == severity(
            Service(row["host_protocol"], row["port"], row["end_port"]), row["breadth"], _holder(cloud, row)
        )
        assert row["severity"] in ("low", "none") or any(_having(cloud, row))


def _having(cloud: MemoryCloud, row: dict[str, Any]) -> Iterator[Port]:
    return (port for port in cloud.port_list if row["group"] in port.group_refs)


def _holder(cloud: MemoryCloud, row: dict[str, Any]) -> Holder:
    if any(_is_public(port, row["network_protocol"]) for port in _having(cloud, row)):
        return "public"
    return "private" if any(_having(cloud, row)) else "nothing"


def _is_public(port: Port, family: str) -> bool:
    addresses = {*port.public_ip_addresses, *{"2a00::2", "7.7.7.7"}.intersection(port.ip_addresses)}
    return any((":" in address) == (family == "IPV6") for address in addresses)


def _breadth(row: dict[str, Any]) -> str:
    texts, probes = row["source_ip_ranges"], PROBES[row["network_protocol"]]
    if all(any(_holds(text, probe) for text in texts) for probe in probes):
        return "world"
    narrow = 32 if row["network_protocol"] == "IPV6" else 16
    return "wide" if any(int(text.partition("/")[2]) < narrow for text in texts) else "narrow"
