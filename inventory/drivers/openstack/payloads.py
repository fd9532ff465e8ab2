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


def group(group: Group) -> dict[str, Any]:
    return {
        "security_group": {
            "name": group.name,
            "description": group.description or "",
            "project_id": group.tenant_ref,
            "stateful": group.stateful,
        }
    }


def rule(rule: Rule, tenant_ref: str | None) -> dict[str, Any]:
    """A rule counts on the quota of its project, so use the project of its group."""
    port, end_port = rule.port, rule.end_port
    if rule.host_protocol in WITH_PORTS and (port, end_port) in ALL_PORTS:
        port = end_port = None
    attributes = {
        "security_group_id": rule.group_ref,
        "direction": "egress" if rule.direction == "outbound" else "ingress",
        "ethertype": _ethertype(rule),
        "protocol": _protocol(rule.host_protocol),
        "port_range_min": port,
        "port_range_max": end_port,
        "remote_ip_prefix": None if rule.address_list_ref else rule.source_ip_range,
        "remote_group_id": rule.source_group_ref,
        "remote_address_group_id": rule.address_list_ref,
        "description": rule.description or "",
        "project_id": tenant_ref,
    }
    return {"security_group_rule": {name: value for name, value in attributes.items() if value is not None}}


def _protocol(name: str | None) -> str | None:
    return name if name is None or name in NAMES else str(NUMBERS.get(name, name))


def _ethertype(rule: Rule) -> str:
    """The family of the rule, else of its range or protocol, else IPv4, as in Neutron."""
    if rule.network_protocol:
        return "IPv6" if rule.network_protocol == "IPV6" else "IPv4"
    if rule.source_ip_range and not rule.address_list_ref:
        return f"IPv{ip_network(rule.source_ip_range).version}"
    return "IPv6" if rule.host_protocol == "icmpv6" else "IPv4"
