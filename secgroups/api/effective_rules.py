"""The computed attribute `effective_rules`: what a resource's groups let through together, with the reasons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import TypedDict

from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer
from secgroups.analysis.effective_rules import EffectiveRules
from secgroups.api.links import Links, NamedLink, Reason
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


Shown = Mapping[int, Mapping[str, list[EffectiveRule]]]


def of_ports(ports: Sequence[int], viewer: Viewer, hrefs: Hrefs) -> Shown:
    return _shown(EffectiveRules.of_ports, ports, viewer, hrefs)


def of_vms(vms: Sequence[int], viewer: Viewer, hrefs: Hrefs) -> Shown:
    return _shown(EffectiveRules.of_vms, vms, viewer, hrefs)


def of_groups(groups: Sequence[int], viewer: Viewer, hrefs: Hrefs) -> Shown:
    return _shown(EffectiveRules.of_groups, groups, viewer, hrefs)


def _shown(
    compute: Callable[[Collection[int], Viewer], EffectiveRules], pks: Sequence[int], viewer: Viewer, hrefs: Hrefs
) -> Shown:
    rules = compute(pks, viewer)
    links = Links(rules.rulebook, hrefs)
    return {pk: {"effective_rules": [shown(line, links) for line in rules.lines.get(pk, ())]} for pk in pks}


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
