"""The Linux kernel: nftables and connection tracking, between namespaces of which each stands for a port.

Each port has a link of its own to a router, which decides like the host of an instance: first what its groups let
out of the one port, then what they let into the other. What no rule accepts is refused rather than dropped, so the
sender learns of it at once. Replies pass because their connection does.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from inventory.drivers.protocols import NUMBERS, WITH_PORTS, WITH_TYPES
from inventory.drivers.values import Inventory, Port, Rule
from tests.oracles.connections import End, connects
from tests.oracles.namespaces import Namespace
from tests.oracles.worlds import Packet

#: nftables' words for a family and for its ICMP, and how its addresses are told.
FAMILIES = {"IPV4": ("ip", "ipv4", "icmp", "."), "IPV6": ("ip6", "ipv6", "icmpv6", ":")}
#: The interface that belongs to a port, and the address of the other side.
DIRECTIONS = {"outbound": ("iifname", "daddr"), "inbound": ("oifname", "saddr")}
#: The router, as every port sees it.
GATEWAYS = ("169.254.0.1", "fe80::1")
#: Addresses are there at once, without a look whether others have them.
EVERY = {"ipv6/conf/default/accept_dad": 0, "ipv6/conf/default/addr_gen_mode": 1}
#: A router refuses as often as it has to.
ROUTER = {
    "ipv4/ip_forward": 1,
    "ipv6/conf/all/forwarding": 1,
    "ipv4/icmp_ratelimit": 0,
    "ipv6/icmp/ratelimit": 0,
    "ipv4/icmp_msgs_per_sec": 1_000_000,
    "ipv4/icmp_msgs_burst": 1_000_000,
}
NETLINK_NETFILTER = 12
#: The message that makes the kernel forget all connections, from <linux/netfilter/nfnetlink_conntrack.h>: its
#: length, IPCTNL_MSG_CT_DELETE of NFNL_SUBSYS_CTNETLINK, NLM_F_REQUEST with NLM_F_ACK, nothing that narrows it.
FORGET = struct.pack("=IHHII4x", 20, 1 << 8 | 2, 1 | 4, 0, 0)


class Kernel:
    """A router and the ports of a world. `packages` is the folder that `install` fills."""

    def __init__(self, packages: Path) -> None:
        root = packages / "root"
        folders = [f"{root}/{name}" for name in ("usr/sbin", "usr/bin", "sbin", "bin")]
        libraries = [f"{root}/{name}/{os.uname().machine}-linux-gnu" for name in ("usr/lib", "lib")]
        self._environment = {
            "PATH": ":".join([*folders, os.environ["PATH"]]),
            "LD_LIBRARY_PATH": ":".join(libraries),
        }
        self._namespaces: dict[str, Namespace] = {}
        self._addresses: set[str] = set()
        self._router = self._namespace("router")
        self._router.set(ROUTER)
        with self._router.inside():
            self._tracking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)

    def load(self, world: Inventory) -> None:
        """Replace the world. Ports and addresses of earlier ones stay where they are."""
        for port in world.ports:
            if port.ref not in self._namespaces:
                self._connect(port.ref)
            for address in port.ip_addresses:
                if address not in self._addresses:
                    self._give(port.ref, address)
        self._world = world
        self._enforce()

    def add_rules(self, rules: Iterable[Rule]) -> None:
        self._world = replace(self._world, rules=(*self._world.rules, *rules))
        self._enforce()

    def delete_rules(self, rules: Iterable[Rule]) -> None:
        gone = set(rules)
        self._world = replace(self._world, rules=tuple(rule for rule in self._world.rules if rule not in gone))
        self._enforce()

    def lets(self, packet: Packet, family: str, source: str, target: str, code: int) -> bool:
        """Whether a packet between these addresses makes a connection, as if it were the first one."""
        self._forget()
        here = End(self._namespaces[packet.source.ref], source)
        there = End(self._namespaces[packet.target.ref], target)
        return connects(here, there, packet.protocol, packet.port, code)

    def end(self) -> None:
        self._tracking.close()
        for namespace in self._namespaces.values():
            namespace.end()

    def _enforce(self) -> None:
        self._router.run("nft", "--file", "-", reads="\n".join(_ruleset(self._world)))

    def _forget(self) -> None:
        self._tracking.send(FORGET)
        error: int = struct.unpack_from("=i", self._tracking.recv(4096), 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error))

    def _namespace(self, name: str) -> Namespace:
        namespace = self._namespaces[name] = Namespace(self._environment)
        namespace.set(EVERY)
        namespace.ip("link set lo up")
        return namespace

    def _connect(self, ref: str) -> None:
        """Make a namespace, with an interface that has the name of the port at the router."""
        port = self._namespace(ref)
        self._router.ip(
            f"link add {ref} type veth peer name eth0 netns {port.path}",
            *(f"address add {gateway} dev {ref}" for gateway in GATEWAYS),
            f"link set {ref} up",
        )
        routes = (f"{to} dev eth0" for gateway in GATEWAYS for to in (gateway, f"default via {gateway}"))
        port.ip("link set eth0 up", *(f"route add {route}" for route in routes))

    def _give(self, ref: str, address: str) -> None:
        self._namespaces[ref].ip(f"address add {address} dev eth0")
        self._router.ip(f"route add {address} dev {ref}")
        self._addresses.add(address)


def _ruleset(world: Inventory) -> Iterator[str]:
    """A table with what each group has and allows, and with the groups of each port."""
    yield from ("table inet cloud", "delete table inet cloud", "table inet cloud {")
    for group in world.groups:
        members = [port for port in world.ports if group.ref in port.group_refs]
        for _, kind, _, mark in FAMILIES.values():
            addresses = ", ".join(text for port in members for text in port.ip_addresses if mark in text)
            elements = f"elements = {{ {addresses} }}" if addresses else ""
            yield f"set {group.ref}_{kind} {{ type {kind}_addr; {elements} }}"
    for priority, direction in enumerate(DIRECTIONS):
        for group in world.groups:
            rules = (rule for rule in world.rules if (rule.group_ref, rule.direction) == (group.ref, direction))
            yield _chain(f"{group.ref}_{direction}", *(f"{_match(rule)} accept" for rule in rules))
        for port in world.ports:
            yield _chain(f"{port.ref}_{direction}", *_verdicts(port, direction))
        interface, _ = DIRECTIONS[direction]
        jumps = ", ".join(f'"{port.ref}" : jump {port.ref}_{direction}' for port in world.ports)
        yield _chain(
            direction,
            f"type filter hook forward priority {priority}; policy drop;",
            "ct state established,related accept",
            f"{interface} vmap {{ {jumps} }}",
            "meta l4proto tcp reject with tcp reset",
            "reject with icmpx admin-prohibited",
        )
    yield "}"


def _chain(name: str, *lines: str) -> str:
    return "\n".join([f"chain {name} {{", *lines, "}"])


def _verdicts(port: Port, direction: str) -> Iterator[str]:
    if port.port_security_enabled:
        yield from (f"jump {group}_{direction}" for group in port.group_refs)
    else:
        yield "accept"


def _match(rule: Rule) -> str:
    ip, kind, icmp, _ = FAMILIES[rule.network_protocol or ""]
    _, far = DIRECTIONS[rule.direction]
    parts = [f"meta nfproto {kind}"]
    if rule.source_ip_range:
        parts.append(f"{ip} {far} {rule.source_ip_range}")
    elif rule.source_group_ref:
        parts.append(f"{ip} {far} @{rule.source_group_ref}_{kind}")
    if rule.host_protocol:
        parts.append(f"meta l4proto {NUMBERS.get(rule.host_protocol) or rule.host_protocol}")
    if rule.host_protocol in WITH_TYPES:
        parts += [] if rule.port is None else [f"{icmp} type {rule.port}"]
        parts += [] if rule.end_port is None else [f"{icmp} code {rule.end_port}"]
    elif rule.host_protocol in WITH_PORTS and rule.port is not None:
        parts.append(f"{rule.host_protocol} dport {rule.port}-{rule.end_port}")
    return " ".join(parts)
