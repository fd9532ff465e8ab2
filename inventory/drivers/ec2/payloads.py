"""Converts our values to EC2's parameters, without boto3 and network."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, Literal

from inventory.drivers.ec2.parsers import ANY, PROTOCOLS_WITH_PORTS
from inventory.drivers.exceptions import CloudRefused
from inventory.drivers.protocols import NUMBERS
from inventory.drivers.values import Direction, Rule

#: Directions in the names of EC2's actions.
WAYS: dict[Direction, Literal["ingress", "egress"]] = {"inbound": "ingress", "outbound": "egress"}
ALL_PORTS = (0, 65535)
#: The keys of an entry of `IpPermissions` that have its sources.
SOURCES = ("UserIdGroupPairs", "PrefixListIds", "Ipv6Ranges", "IpRanges")


def permission(rule: Rule) -> dict[str, Any]:
    """An entry of `IpPermissions` for a rule. With a source group it applies to IPv4 and IPv6."""
    description = {"Description": rule.description} if rule.description else {}
    return {"IpProtocol": _protocol(rule.host_protocol), **_ports(rule), **_source(rule, description)}


def stored(rule: Rule) -> dict[str, Any]:
    """A rule as EC2 lists it once it exists, but for its id. Raises `CloudRefused` if it can't be sent."""
    entry = permission(rule)
    sources = {key: value for kind in SOURCES for source in entry.get(kind, ()) for key, value in source.items()}
    return {
        "SecurityGroupRuleId": "",
        "GroupId": rule.group_ref,
        "IsEgress": rule.direction == "outbound",
        "IpProtocol": entry["IpProtocol"],
        "FromPort": entry["FromPort"],
        "ToPort": entry["ToPort"],
        "CidrIpv4": sources.get("CidrIp"),
        "CidrIpv6": sources.get("CidrIpv6"),
        "PrefixListId": sources.get("PrefixListId"),
        "ReferencedGroupInfo": {"GroupId": sources.get("GroupId")},
        "Description": rule.description,
    }


def _protocol(name: str | None) -> str:
    """The protocol's name if EC2 knows it, else its number."""
    if name is None:
        return str(ANY)
    return name if name in PROTOCOLS_WITH_PORTS else str(NUMBERS.get(name, name))


def _ports(rule: Rule) -> dict[str, int]:
    if rule.port is not None and rule.host_protocol not in PROTOCOLS_WITH_PORTS:
        # EC2 would accept the request and allow every port.
        raise CloudRefused(f"EC2 does not support ports for the protocol {rule.host_protocol or 'any'}.")
    first, last = ALL_PORTS if rule.host_protocol in {"tcp", "udp"} else (ANY, ANY)
    return {
        "FromPort": first if rule.port is None else rule.port,
        "ToPort": last if rule.end_port is None else rule.end_port,
    }


def _source(rule: Rule, description: dict[str, str]) -> dict[str, Any]:
    if rule.source_group_ref:
        return {"UserIdGroupPairs": [{"GroupId": rule.source_group_ref, **description}]}
    if rule.address_list_ref:
        return {"PrefixListIds": [{"PrefixListId": rule.address_list_ref, **description}]}
    if ip_network(rule.source_ip_range or "").version == 6:
        return {"Ipv6Ranges": [{"CidrIpv6": rule.source_ip_range, **description}]}
    return {"IpRanges": [{"CidrIp": rule.source_ip_range, **description}]}
