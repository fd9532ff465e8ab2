"""Converts our values to Neutron's parameters, without SDK and network."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from inventory.drivers.protocols import NUMBERS, WITH_PORTS
from inventory.drivers.values import Group, Rule

#: The protocols that Neutron knows by the same name. Others are sent by number.
NAMES = WITH_PORTS | {"ah", "egp", "esp", "gre", "hopopt", "icmp", "icmpv6", "igmp", "pgm", "rsvp", "vrrp"}
#: Ranges that mean all ports: Neutron refuses port 0, and stores the other range as none.
ALL_PORTS = frozenset({(0, 65535), (1, 65535)})


def group(wanted: Group) -> dict[str, Any]:
    return {
        "security_group": {
            "name": wanted.name,
            "description": wanted.description or "",
            "project_id": wanted.tenant_ref,
            "stateful": wanted.stateful,
        }
    }


def rule(wanted: Rule, tenant_ref: str | None) -> dict[str, Any]:
    """A rule counts on the quota of its project, so use the project of its group."""
    port, end_port = wanted.port, wanted.end_port
    if wanted.host_protocol in WITH_PORTS and (port, end_port) in ALL_PORTS:
        port = end_port = None
    asked = {
        "security_group_id": wanted.group_ref,
        "direction": "egress" if wanted.direction == "outbound" else "ingress",
        "ethertype": _ethertype(wanted),
        "protocol": _protocol(wanted.host_protocol),
        "port_range_min": port,
        "port_range_max": end_port,
        "remote_ip_prefix": wanted.source_ip_range,
        "remote_group_id": wanted.source_group_ref,
        "description": wanted.description or "",
        "project_id": tenant_ref,
    }
    return {"security_group_rule": {name: value for name, value in asked.items() if value is not None}}


def _protocol(name: str | None) -> str | None:
    return name if name is None or name in NAMES else str(NUMBERS.get(name, name))


def _ethertype(wanted: Rule) -> str:
    """The family of the rule, else of its range or protocol, else IPv4, as in Neutron."""
    if wanted.network_protocol:
        return "IPv6" if wanted.network_protocol == "IPV6" else "IPv4"
    if wanted.source_ip_range:
        return f"IPv{ip_network(wanted.source_ip_range).version}"
    return "IPv6" if wanted.host_protocol == "icmpv6" else "IPv4"
