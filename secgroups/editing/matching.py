"""Whether two rules let through the same, however they are written."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_network

from inventory.drivers.protocols import WITH_PORTS
from inventory.drivers.values import Rule

#: The ways to write all ports: EC2 requires and shows a range, Neutron stores none for it.
ALL_PORTS = frozenset({(None, None), (0, 65535), (1, 65535)})


def means_the_same(existing: Rule, requested: Rule) -> bool:
    """Whether a rule of the cloud is equal to the requested one, whatever their spelling."""
    family = requested.network_protocol or _family(requested)
    # EC2's rules for a group or a prefix list have no family, and apply to both.
    return existing.network_protocol in {None, family} and _reach(existing, family) == _reach(requested, family)


def _family(rule: Rule) -> str:
    """The family of a rule without one: from its range, else Neutron's default."""
    with suppress(ValueError):
        return f"IPV{ip_network(rule.source_ip_range or '', strict=False).version}"
    return "IPV6" if rule.host_protocol == "icmpv6" else "IPV4"


def _reach(rule: Rule, family: str) -> tuple[object, ...]:
    protocol = rule.host_protocol
    if protocol == "icmp" and family == "IPV6":
        protocol = "icmpv6"  # as Neutron stores it
    return rule.direction, protocol, _ports(rule), rule.source_group_ref or _range(rule.source_ip_range)


def _ports(rule: Rule) -> object:
    """The range of ports, None for all. For ICMP, the type and the code."""
    if rule.host_protocol not in WITH_PORTS:
        return rule.port, rule.end_port
    ports = rule.port, rule.port if rule.end_port is None else rule.end_port
    return None if ports in ALL_PORTS else ports


def _range(ip_range: str | None) -> str | None:
    """A CIDR in its canonical form: `10.0.0.5/8` is `10.0.0.0/8`."""
    with suppress(ValueError):
        return str(ip_network(ip_range or "", strict=False))
    return ip_range  # the cloud's own name
