"""Lines of effective rules as answers show them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import TypedDict

from secgroups.analysis.links import Links, NamedLink, Reason
from secgroups.traffic.addresses import cidrs, number_of_cidrs
from secgroups.traffic.effective import Line
from secgroups.traffic.ranges import Ranges

#: How many addresses of a line an answer shows.
ADDRESSES = 1_000
#: Addresses of more ranges than this are many.
FEW = 8


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
        addresses, more = (_of_many if len(line.addresses.ranges) > FEW else _of_few)(line.addresses)
        rule["addresses"] = list(addresses)
        if more:
            rule["more"] = more
    if line.reason:
        rule["reason"] = line.reason
    return rule


def _shown(addresses: Ranges) -> tuple[Sequence[str], int]:
    """The first addresses, and how many are left out."""
    first = tuple(islice(cidrs(addresses), ADDRESSES))
    return first, number_of_cidrs(addresses) - ADDRESSES if len(first) == ADDRESSES else 0


#: Rules repeat the same few ranges, and the same few groups, whose members take more memory.
_of_few, _of_many = lru_cache(maxsize=10_000)(_shown), lru_cache(maxsize=50)(_shown)
