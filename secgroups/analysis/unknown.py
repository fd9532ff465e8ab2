"""What is not known, and may let more instances through than a list has."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers
from inventory.db.statements import CompiledQuery, Param
from inventory.models import NetworkPort, PortAddress, Provider
from inventory.rest.reading.kept import kept
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis import messages
from secgroups.analysis.doubts import Doubt, doubts
from secgroups.analysis.networks import confining_by_vendor
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
    if viewer.scope(get_resource_type("security_groups")) is EVERYTHING:
        return False
    return bool(list(_of_hidden_groups(viewer)))


def _with_unknown_ports(viewer: Viewer) -> bool:
    """Whether an instance has a port of which too little is known, or that the user may not see."""
    if list(_unreadable()):
        return True
    vendors: Any = _connected_vendors()
    confined = confining_by_vendor(dict(vendors))
    if confined and list(_without_network(providers=Numbers(confined))):
        return True
    if viewer.scope(get_resource_type("network_ports")) is EVERYTHING:
        return False
    return bool(list(_hidden_ports(viewer)))


def _ports_of_instances() -> QuerySet[Any]:
    rows: QuerySet[Any] = NetworkPort.objects.connected().filter(vm__isnull=False).order_by()
    return rows


def _any(rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    return rows.order_by().values_list("pk")[:1]


@kept("security_groups", planned=False)
def _of_hidden_groups(groups: QuerySet[Any]) -> QuerySet[Any, Any]:
    members = Membership.objects.connected().filter(vm__isnull=False)
    return _any(members.exclude(security_group__in=groups.values("pk")))


@kept("network_ports", planned=False)
def _hidden_ports(ports: QuerySet[Any]) -> QuerySet[Any, Any]:
    return _any(_ports_of_instances().exclude(pk__in=ports.values("pk")))


_unreadable = CompiledQuery(
    lambda: _any(
        _ports_of_instances().filter(
            pk__in=PortAddress.objects.filter(first=None)
            .exclude(kind=PortAddress.Kind.PAIR)
            .values("network_port")
        )
    ),
    planned=False,
)
_without_network = CompiledQuery(
    lambda: _any(_ports_of_instances().filter(cloud_network=None, provider__among=Param("providers"))),
    planned=False,
)
_connected_vendors = CompiledQuery(lambda: Provider.objects.connected().values_list("pk", "vendor"))
