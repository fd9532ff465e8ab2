"""What the pages of instances, VMs, network ports and groups say about the traffic that is let through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Generic, NamedTuple, Self, TypeVar

from django.http import HttpRequest
from django.urls import reverse

from inventory.admin.base import LinkedAdmin, Tool
from inventory.admin.columns import M
from inventory.models import Instance, NetworkPort, Vm
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.effective_rules import Bounds, EffectiveRules
from secgroups.analysis.rulebook import DIRECTIONS, Rulebook, TooMuch
from secgroups.messages import ANYBODY, CAN_BE_REACHED, CAN_REACH, ports_called, protocol_called, too_much_to_read
from secgroups.models import SecurityGroup
from secgroups.traffic.addresses import cidrs, number_of_cidrs
from secgroups.traffic.effective import Line

T = TypeVar("T")

#: How much a page reads, and how much of it it shows.
PORTS, RULES = 100, 2_000
LINES, ADDRESSES, REASONS = 200, 8, 8
#: The name of the page that answers whether one can reach another.
REACHABILITY = "secgroups_securitygroup_reachability"
#: The name of each model in the API, and what computes its effective rules.
EXPLAINED: Mapping[type[Any], tuple[str, Callable[..., EffectiveRules]]] = {
    Instance: ("instances", EffectiveRules.of_vms),
    Vm: ("vms", EffectiveRules.of_vms),
    NetworkPort: ("network_ports", EffectiveRules.of_ports),
    SecurityGroup: ("security_groups", EffectiveRules.of_groups),
}


def may_ask(user: Any) -> bool:
    """Whether a user may ask who can reach what: with the permissions to see instances and groups."""
    return all(
        user.has_perms(get_resource_type(name).view_permissions) for name in ("instances", "security_groups")
    )


class Some(NamedTuple, Generic[T]):
    """The first of some things, and how many more there are."""

    first: list[T]
    more: int = 0

    @classmethod
    def of(cls, things: Iterable[T], count: int, at_most: int) -> Self:
        return cls(list(islice(things, at_most)), max(count - at_most, 0))


class Reason(NamedTuple):
    """A rule (its id) and the group that has it."""

    group: int
    name: str
    rule: int


class Row(NamedTuple):
    """An effective rule in words. `group` is the id of the other side if that is one.

    `addresses` is None if they are not known. `network_ports` have their ids and names.
    """

    direction: str
    protocol: str
    ports: str
    other_side: str
    group: int
    addresses: Some[str] | None
    network_ports: list[tuple[int, str]]
    because_of: Some[Reason]
    reason: str | None


def reasons(rules: Iterable[int], rulebook: Rulebook) -> Some[Reason]:
    """These rules (ids) with their groups."""
    found = sorted((rulebook.group_of[rule], rule) for rule in rules)
    shown = (Reason(group, rulebook.names[group], rule) for group, rule in found)
    return Some.of(shown, len(found), REASONS)


def row(line: Line, rulebook: Rulebook, port_names: Mapping[int, str]) -> Row:
    service, side, addresses = line.service, line.other_side, line.addresses
    group = side.source_security_group
    return Row(
        line.direction,
        protocol_called(service.host_protocol, line.network_protocol),
        ports_called(service.host_protocol, service.port, service.end_port),
        rulebook.names[group] if group else side.source_ip_range or side.source_name or ANYBODY,
        group,
        None if addresses is None else Some.of(cidrs(addresses), number_of_cidrs(addresses), ADDRESSES),
        [(pk, port_names[pk]) for pk in sorted(line.network_ports) if pk in port_names],
        reasons(line.because_of, rulebook),
        line.reason,
    )


class ExplainedAdmin(LinkedAdmin[M]):
    """Pages with the effective rules of their object, and links to ask whom it can reach."""

    change_form_template = "admin/secgroups/explained_change_form.html"

    def get_tools(self, request: HttpRequest, row: M) -> list[Tool]:
        side = f"{EXPLAINED[self.model][0]}/{row.pk}"
        questions = [
            Tool(label, reverse(f"admin:{REACHABILITY}", query={parameter: side}))
            for parameter, label in (("from", CAN_REACH), ("to", CAN_BE_REACHED))
            if may_ask(request.user)
        ]
        return [*super().get_tools(request, row), *questions]

    def page_context(self, request: HttpRequest, row: M) -> dict[str, Any]:
        return {**super().page_context(request, row), **self.explain(request, row)}

    def explain(self, request: HttpRequest, obj: M) -> dict[str, Any]:
        """What the templates show below the object."""
        _, compute = EXPLAINED[self.model]
        try:
            computed = compute([obj.pk], Viewer(request.user), Bounds(PORTS, RULES))
        except TooMuch:
            return {"too_much": too_much_to_read(PORTS, RULES)}
        lines = computed.lines.get(obj.pk, [])
        ports = obj.network_ports.all() if isinstance(obj, Vm) else ()  # of others, each line is about the object
        port_names = {port.pk: str(port) for port in ports}
        shown = (row(line, computed.rulebook, port_names) for line in lines)
        present = {line.direction for line in lines}
        return {
            "effective_rules": Some.of(shown, len(lines), LINES),
            "closed": [direction for direction in DIRECTIONS if direction not in present],
            "shows_ports": bool(ports),
        }
