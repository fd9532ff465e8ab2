"""The computed attribute `effective_rules`: what a resource's groups let through together, with the reasons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import NotRequired, TypedDict

from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer
from secgroups.analysis.effective_rules import EffectiveRules
from secgroups.analysis.rulebook import Rulebook
from secgroups.traffic.addresses import cidrs
from secgroups.traffic.effective import Line

#: How many addresses of a line an answer shows.
ADDRESSES = 1_000


class GroupLink(TypedDict):
    href: str
    id: str
    name: str


class RuleLink(TypedDict):
    href: str
    id: str


class Reason(TypedDict):
    """A rule, and the group that has it."""

    security_group: GroupLink
    firewall_rule: RuleLink


class EffectiveRule(TypedDict):
    """What these ports let through. `addresses` are those of the other side, null if they are not known.

    `more` is the number of addresses that are left out.
    """

    direction: str
    network_protocol: str | None
    host_protocol: str | None
    port: int | None
    end_port: int | None
    source_ip_range: str | None
    source_security_group: GroupLink | None
    source_name: str | None
    addresses: list[str] | None
    more: NotRequired[int]
    network_ports: list[str]
    because_of: list[Reason]
    reason: NotRequired[str]


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
    links = _Links(rules.rulebook, hrefs)
    return {pk: {"effective_rules": list(map(links.line, rules.lines[pk]))} for pk in pks}


class _Links:
    """Shows lines with links to what they name."""

    def __init__(self, rulebook: Rulebook, hrefs: Hrefs) -> None:
        self._rulebook, self._hrefs = rulebook, hrefs

    def line(self, line: Line) -> EffectiveRule:
        service, other_side = line.service, line.other_side
        source_group = other_side.source_security_group
        shown: EffectiveRule = {
            "direction": line.direction,
            "network_protocol": line.network_protocol,
            "host_protocol": service.host_protocol,
            "port": service.port,
            "end_port": service.end_port,
            "source_ip_range": other_side.source_ip_range or None,
            "source_security_group": self._group(source_group) if source_group else None,
            "source_name": other_side.source_name or None,
            "addresses": None,
            "network_ports": list(map(str, sorted(line.network_ports))),
            "because_of": list(map(self._reason, sorted(line.because_of))),
        }
        if line.addresses is not None:
            every = cidrs(line.addresses)
            shown["addresses"] = list(islice(every, ADDRESSES))
            if more := sum(1 for _ in every):
                shown["more"] = more
        if line.reason:
            shown["reason"] = line.reason
        return shown

    def _reason(self, rule: int) -> Reason:
        return {
            "security_group": self._group(self._rulebook.group_of[rule]),
            "firewall_rule": {"href": self._hrefs.resource("firewall_rules", rule), "id": str(rule)},
        }

    def _group(self, pk: int) -> GroupLink:
        href = self._hrefs.resource("security_groups", pk)
        return {"href": href, "id": str(pk), "name": self._rulebook.names[pk]}
