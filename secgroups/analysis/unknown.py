"""What is not known, and may let more instances through than a list has."""

from __future__ import annotations

from inventory.db.conditions import EVERYTHING
from inventory.models import NetworkPort, PortAddress, Provider
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis import messages
from secgroups.analysis.doubts import Doubt, doubts
from secgroups.analysis.networks import confining
from secgroups.analysis.one_side import OneSide
from secgroups.models import Membership
from secgroups.traffic.effective import Line
from secgroups.traffic.reachability import is_known

#: How many things an answer names.
NAMED = 100


#: A line of the named side or a rule of another one that is not known, or a message about what else is not.
Unknown = Line | Doubt | str


def unknown_of(one_side: OneSide) -> list[Unknown]:
    side, viewer = one_side.side, one_side.viewer
    lines: dict[object, Line] = {}
    for port in one_side.ports:
        lines |= {line.key: line for line, _ in one_side.lines(port) if not is_known(line)}
    found = {doubt.rule: doubt for rules in one_side.rule_sets for doubt in doubts(rules, NAMED)}
    told = [messages.hidden_ports(side.name)] if side.hidden_ports else []
    if _with_hidden_rules(viewer):
        told.append(messages.HIDDEN_RULE)
    if _with_unknown_ports(viewer):
        told.append(messages.UNKNOWN_PORTS)
    unknown: list[Unknown] = [*told, *lines.values(), *found.values()]
    return unknown[:NAMED]


def _with_hidden_rules(viewer: Viewer) -> bool:
    """Whether an instance has a group whose rules the user may not see."""
    if not viewer.user.has_perms(get_resource_type("firewall_rules").view_permissions):
        return True
    groups = get_resource_type("security_groups")
    if viewer.scope(groups) is EVERYTHING:
        return False
    members = Membership.objects.connected().filter(vm__isnull=False)
    return bool(members.exclude(security_group__in=viewer.visible(groups).values("pk")).exists())


def _with_unknown_ports(viewer: Viewer) -> bool:
    """Whether an instance has a port of which too little is known, or that the user may not see."""
    ports = get_resource_type("network_ports")
    unreadable = PortAddress.objects.filter(first=None).exclude(kind=PortAddress.Kind.PAIR)
    of_instances = NetworkPort.objects.connected().filter(vm__isnull=False)
    if of_instances.filter(pk__in=unreadable.values("network_port")).exists():
        return True
    confined = confining(Provider.objects.connected().values_list("pk", flat=True))
    if of_instances.filter(cloud_network=None, provider__in=confined).exists():
        return True
    if viewer.scope(ports) is EVERYTHING:
        return False
    return bool(of_instances.exclude(pk__in=viewer.visible(ports).values("pk")).exists())
