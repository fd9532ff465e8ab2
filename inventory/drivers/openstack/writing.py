"""From our values to what Neutron takes; no SDK and no network."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from inventory.drivers.values import Group, Rule


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
    """A rule counts on the quota of its project, which is to be that of its group."""
    asked = {
        "security_group_id": wanted.group_ref,
        "direction": "egress" if wanted.direction == "outbound" else "ingress",
        "ethertype": _ethertype(wanted),
        "protocol": wanted.host_protocol,
        "port_range_min": wanted.port,
        "port_range_max": wanted.end_port,
        "remote_ip_prefix": wanted.source_ip_range,
        "remote_group_id": wanted.source_group_ref,
        "description": wanted.description or "",
        "project_id": tenant_ref,
    }
    return {"security_group_rule": {name: value for name, value in asked.items() if value is not None}}


def _ethertype(wanted: Rule) -> str:
    """What is said goes before what a range or a protocol tells; without any it is IPv4, as Neutron has it."""
    if wanted.network_protocol:
        return "IPv6" if wanted.network_protocol == "IPV6" else "IPv4"
    if wanted.source_ip_range:
        return f"IPv{ip_network(wanted.source_ip_range).version}"
    return "IPv6" if wanted.host_protocol in {"icmpv6", "ipv6-icmp"} else "IPv4"
