"""From our values to the parameters that EC2 takes; no boto3 and no network."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, Literal

from inventory.drivers.ec2.parsers import ANY, PROTOCOLS_WITH_PORTS
from inventory.drivers.exceptions import CloudRefused
from inventory.drivers.protocols import NUMBERS
from inventory.drivers.values import Direction, Rule

#: How the names of EC2's actions call a direction.
WAYS: dict[Direction, Literal["ingress", "egress"]] = {"inbound": "ingress", "outbound": "egress"}
ALL_PORTS = (0, 65535)


def permission(rule: Rule) -> dict[str, Any]:
    """One of `IpPermissions`, with the one source of a rule. For a source group it is for IPv4 and IPv6 alike."""
    described = {"Description": rule.description} if rule.description else {}
    return {"IpProtocol": _protocol(rule.host_protocol), **_ports(rule), **_source(rule, described)}


def _protocol(name: str | None) -> str:
    """The name that EC2 knows, else the number."""
    if name is None:
        return str(ANY)
    return name if name in PROTOCOLS_WITH_PORTS else str(NUMBERS.get(name, name))


def _ports(rule: Rule) -> dict[str, int]:
    if rule.port is not None and rule.host_protocol not in PROTOCOLS_WITH_PORTS:
        # EC2 would take the request and let every port through.
        raise CloudRefused(f"EC2 does not support ports for the protocol {rule.host_protocol or 'any'}.")
    first, last = ALL_PORTS if rule.host_protocol in {"tcp", "udp"} else (ANY, ANY)
    return {
        "FromPort": first if rule.port is None else rule.port,
        "ToPort": last if rule.end_port is None else rule.end_port,
    }


def _source(rule: Rule, described: dict[str, str]) -> dict[str, Any]:
    if rule.source_group_ref:
        return {"UserIdGroupPairs": [{"GroupId": rule.source_group_ref, **described}]}
    if ip_network(rule.source_ip_range or "").version == 6:
        return {"Ipv6Ranges": [{"CidrIpv6": rule.source_ip_range, **described}]}
    return {"IpRanges": [{"CidrIp": rule.source_ip_range, **described}]}
