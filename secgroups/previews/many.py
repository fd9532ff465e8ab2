"""The preview of one change of many instances, by what the inventory has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast

from msgspec import UNSET

from inventory.db.lookups import Numbers, Texts
from inventory.drivers.values import Group, Port
from inventory.messages import provider_disabled
from inventory.models import NetworkPort, Vm
from inventory.rest.resources import Viewer, get_resource_type
from inventory.services import TaskSpec
from secgroups import messages
from secgroups.arguments import MembershipChange
from secgroups.changes import planned
from secgroups.models import Membership, SecurityGroup
from secgroups.plan import Action, Change, Outcome
from secgroups.previews.asking import driver_class_of
from secgroups.services import GroupWork, InstanceReference, decide_for_many
from secgroups.services.bulk import Decision, message_of_many

#: How many instances are looked at together.
BATCH = 2000


@dataclass(slots=True)
class ManyPreview:
    """How many instances there are, are changed, not changed, and refused by reason.

    `ports` are the ids of those to write.
    """

    message: str
    total: int
    as_of: datetime | None
    #: Whether any of them would be queued.
    accepted: bool = False
    change: int = 0
    no_change: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ports: list[int] = field(default_factory=list)


def preview_for_many(
    *, group: SecurityGroup, action: Action, references: Sequence[InstanceReference], viewer: Viewer
) -> ManyPreview:
    """What `request_for_many` would do, and its tasks."""
    decisions = decide_for_many(group=group, action=action, references=references, user=viewer.user)
    return preview_decided(group, action, decisions, viewer=viewer)


def preview_decided(
    group: SecurityGroup,
    action: Action,
    decisions: Sequence[Decision],
    *,
    viewer: Viewer,
    reverts: int | None = None,
) -> ManyPreview:
    """The same for what is decided, which may revert a task (id)."""
    message = message_of_many(group, action, decisions, reverts)
    preview = ManyPreview(message, len(decisions), group.provider.last_refresh_date)
    preview.refused.update(decision.reason for decision in decisions if not decision.spec)
    preview.accepted = any(decision.spec for decision in decisions)
    accepted = {each.instance.pk: each for each in decisions if each.spec and each.instance}
    if accepted and not group.provider.enabled:
        preview.refused[provider_disabled(group.provider.name)] += len(accepted)
    else:
        for start in range(0, len(accepted), BATCH):
            _foresee(preview, group, action, dict([*accepted.items()][start : start + BATCH]))
    visible = viewer.visible(get_resource_type("network_ports")).filter(pk__among=Numbers(preview.ports))
    preview.ports = sorted(visible.order_by().values_list("pk", flat=True))
    return preview


def preview_group_work(work: GroupWork, *, viewer: Viewer) -> ManyPreview:
    """What `request_group_work` would do: all of its parts, since nothing is in their way."""
    preview = ManyPreview(work.spec.message, len(work.parts), work.provider.last_refresh_date, accepted=True)
    if work.provider.enabled:
        preview.change = preview.total
        preview.ports = sorted(work.ports)
    else:
        preview.refused[provider_disabled(work.provider.name)] += preview.total
    return preview


def _foresee(
    preview: ManyPreview, group: SecurityGroup, action: Action, decisions: Mapping[int, Decision]
) -> None:
    ports = _ports([*decisions])
    refs = {ref for of_vm in ports.values() for port in of_vm.values() for ref in port.group_refs}
    rows = SecurityGroup.objects.filter(provider=group.provider, ems_ref__among=Texts(refs | {group.ems_ref}))
    groups: dict[str, Group] = {value.ref: value for value in rows.order_by("pk").as_values()}
    for pk, decision in decisions.items():
        change = _change(group, action, decision, groups)
        outcome = _outcome(group, change, ports[pk], groups)
        if outcome.status == "Error":
            preview.refused[outcome.reason or outcome.message] += 1
        elif outcome.written:
            preview.change += 1
            ids = {port.ref: port_pk for port_pk, port in ports[pk].items()}
            preview.ports += [ids[ref] for ref in outcome.written]
        else:
            preview.no_change += 1


def _change(group: SecurityGroup, action: Action, decision: Decision, groups: Mapping[str, Group]) -> Change:
    arguments = cast(MembershipChange, cast(TaskSpec, decision.spec).arguments)
    is_revert = arguments.reverts is not UNSET
    return Change(0, action, groups[group.ems_ref], arguments.ports, whole=is_revert)


def _outcome(
    group: SecurityGroup, change: Change, ports: Mapping[int, Port], groups: Mapping[str, Group]
) -> Outcome:
    vm = Vm(name=messages.THE_INSTANCE)
    return planned(vm, driver_class_of(group.provider), [*ports.values()], [change], groups).outcomes[change.id]


def _ports(vms: Sequence[int]) -> Mapping[int, Mapping[int, Port]]:
    """The ports of each of these VMs, by their ids, with their groups."""
    on_ports: defaultdict[int, list[str]] = defaultdict(list)
    memberships = Membership.objects.filter(vm__among=Numbers(vms)).order_by("pk")
    for port, group in memberships.values_list("network_port", "security_group__ems_ref"):
        on_ports[port].append(group)
    ports: dict[int, dict[int, Port]] = {vm: {} for vm in vms}
    mapping = NetworkPort.mapping
    rows = NetworkPort.objects.filter(vm__among=Numbers(vms)).order_by("pk")
    for vm, pk, *values in rows.values_list("vm", "pk", *mapping.paths.values()):
        ports[vm][pk] = replace(mapping.value(values), group_refs=tuple(on_ports[pk]))
    return ports
