"""Lines of effective rules as answers show them."""

from __future__ import annotations

from itertools import islice
from typing import TypedDict

from secgroups.analysis.links import Links, NamedLink, Reason
from secgroups.traffic.addresses import cidrs, number_of_cidrs
from secgroups.traffic.effective import Line

#: How many addresses of a line an answer shows.
ADDRESSES = 1_000


class _Line(TypedDict):
    direction: str
    network_protocol: str | None
    host_protocol: str | None
    port: int | None
    end_port: int | None
    source_ip_range: str | None
    source_security_group: NamedLink | None
    source_name: str | None
    addresses: list[str] | None
    network_ports: list[str]
    because_of: list[Reason]


class EffectiveRule(_Line, total=False):
    """What these ports let through. `addresses` are those of the other side, null if they are not known.

    `more` is the number of addresses that are left out. `reason` says why without rules.
    """

    more: int
    reason: str


def shown(line: Line, links: Links) -> EffectiveRule:
    service, other_side = line.service, line.other_side
    source_group = other_side.source_security_group
    rule: EffectiveRule = {
        "direction": line.direction,
        "network_protocol": line.network_protocol,
        "host_protocol": service.host_protocol,
        "port": service.port,
        "end_port": service.end_port,
        "source_ip_range": other_side.source_ip_range or None,
        "source_security_group": links.group(source_group) if source_group else None,
        "source_name": other_side.source_name or None,
        "addresses": None,
        "network_ports": list(map(str, sorted(line.network_ports))),
        "because_of": list(map(links.reason, sorted(line.because_of))),
    }
    if line.addresses is not None:
        addresses = rule["addresses"] = list(islice(cidrs(line.addresses), ADDRESSES))
        if len(addresses) == ADDRESSES and (more := number_of_cidrs(line.addresses) - ADDRESSES):
            rule["more"] = more
    if line.reason:
        rule["reason"] = line.reason
    return rule
