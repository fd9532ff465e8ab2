"""Accepts one change of many instances: a task with a part for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from msgspec import structs

from inventory.arguments import Arguments
from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers, Texts
from inventory.models import Task, Vm
from inventory.querysets import scope_of
from inventory.services import Part, TaskSpec, queue_parts
from secgroups import messages
from secgroups.arguments import Ending
from secgroups.models import SecurityGroup
from secgroups.plan import Action
from secgroups.reverting import messages as reverting
from secgroups.services.changes import MAY_CHANGE, membership_spec
from secgroups.services.refusals import out_of_reach, read_only


@dataclass(frozen=True, slots=True)
class InstanceReference:
    """An instance as a request names it. Several names must belong to the same instance.

    `ports` (ems_refs) limits the change to these ports. It may revert a task (id) of the instance.
    """

    id: int | None = None
    guid: UUID | None = None
    ems_ref: str | None = None
    ports: tuple[str, ...] = ()
    reverts: int | None = None
    #: The end of what is added for a while.
    ending: Ending | None = None

    @property
    def label(self) -> str:
        return str(self.ems_ref or self.guid or self.id)


class Instance(NamedTuple):
    """What has to be known of an instance to change it."""

    pk: int
    guid: UUID | None
    ems_ref: str
    name: str
    cloud_tenant: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one instance: its change, or why it is refused.

    `reason` is the same for all instances with this obstacle.
    """

    name: str
    instance: Instance | None = None
    spec: TaskSpec | None = None
    reason: str = ""


def request_for_many(
    *, group: SecurityGroup, action: Action, references: Sequence[InstanceReference], user: User
) -> Task:
    """Queue a change of many instances as one task, with a part for each. Refused ones are parts that have failed.

    `group` has its provider, tenant and network. Raises `DoesNotExist` of the provider.
    """
    decisions = decide_for_many(group=group, action=action, references=references, user=user)
    return queue_many(group, action, decisions, user=user)


def queue_many(
    group: SecurityGroup, action: Action, decisions: Sequence[Decision], *, user: User, reverts: int | None = None
) -> Task:
    """Queue what was decided, which may revert a task (id)."""
    message = message_of_many(group, action, decisions, reverts)
    context = {
        "action": action,
        "security_group": {"name": group.name, "ems_ref": group.ems_ref},
        **({} if reverts is None else {"reverts": str(reverts)}),
    }
    parts = [_part(group, action, decision) for decision in decisions]
    return queue_parts(TaskSpec(message, message, context=context), parts, user=user, provider=group.provider)


def message_of_many(
    group: SecurityGroup, action: Action, decisions: Sequence[Decision], reverts: int | None = None
) -> str:
    """`Adding security group web to 40 instances`."""
    change = messages.change_of(action, messages.group_called(group.name), messages.instances(len(decisions)))
    message = messages.doing(action, change)
    return message if reverts is None else messages.doing("revert", reverting.by_change(reverts, message))


def decide_for_many(
    *, group: SecurityGroup, action: Action, references: Sequence[InstanceReference], user: User
) -> list[Decision]:
    """What becomes of each instance, in their order. One that is named twice is changed once. Queues nothing."""
    instances = _Instances(references, group, user)
    decisions: dict[object, Decision] = {}
    for reference in references:
        instance, reason = instances.named(reference)
        key = (instance.pk, reference.reverts) if instance else (0, reference.label)
        decisions.setdefault(key, _decide(group, action, reference, instance, reason))
    return [*decisions.values()]


def _decide(
    group: SecurityGroup,
    action: Action,
    reference: InstanceReference,
    instance: Instance | None,
    reason: str | None,
) -> Decision:
    if instance is None or reason:
        return Decision(instance.name if instance else reference.label, instance, reason=reason or "")
    spec = membership_spec(
        action,
        group.name,
        group.ems_ref,
        instance.name,
        reference.ports,
        names_others=group.cloud_tenant_id != instance.cloud_tenant,
        ending=reference.ending,
    )
    if reference.reverts is not None:
        spec = reverting_spec(reference.reverts, spec)
    return Decision(instance.name, instance, spec)


def reverting_spec(task: int, spec: TaskSpec) -> TaskSpec:
    """A change as the revert of a task."""
    message = messages.doing("revert", reverting.by_change(task, spec.message))
    arguments: Any = structs.replace(spec.arguments, reverts=task)
    return TaskSpec(message, message, arguments, spec.context | {"reverts": str(task)})


def _part(group: SecurityGroup, action: Action, decision: Decision) -> Part:
    instance, spec = decision.instance, decision.spec
    queue = f"vms/{instance.pk if instance else 0}"
    pk = instance.pk if instance else None
    if spec:
        return Part(queue, spec, pk)
    change = messages.change_of(action, messages.group_called(group.name), decision.name)
    context = {
        "action": action,
        "instance": decision.name,
        "security_group": {"name": group.name, "ems_ref": group.ems_ref},
    }
    hidden = Arguments(names_others=True)  # who sees the instance need not see the group
    refused = TaskSpec(messages.doing(action, change), "", hidden, context)
    return Part(queue, refused, pk, messages.cannot(action, change, decision.reason))


class _Instances:
    """The instances that a request names, with what is in the way of changing them, in few queries."""

    def __init__(self, references: Sequence[InstanceReference], group: SecurityGroup, user: User) -> None:
        rows = [*map(Instance._make, _rows(references, group, user).values_list(*Instance._fields))]
        self._by_id = {row.pk: row for row in rows}
        self._by_guid = {row.guid: row for row in rows if row.guid}
        self._by_ref = {row.ems_ref: row for row in rows}
        self._obstacles = _obstacles(self._by_id.keys(), group, user)

    def named(self, reference: InstanceReference) -> tuple[Instance | None, str | None]:
        """The instance, and why it can't be changed; no instance if there is none."""
        names: tuple[tuple[Any, Mapping[Any, Instance]], ...] = (
            (reference.id, self._by_id),
            (reference.guid, self._by_guid),
            (reference.ems_ref, self._by_ref),
        )
        rows: list[Instance | None] = [by_name.get(name) for name, by_name in names if name is not None]
        instance = rows[0] if rows else None
        if instance is None or None in rows:
            return None, messages.no_instance(reference.label)
        if any(row != instance for row in rows):
            return None, messages.DIFFERENT_INSTANCES
        return instance, self._obstacles.get(instance.pk)


def _rows(references: Sequence[InstanceReference], group: SecurityGroup, user: User) -> QuerySet[Any]:
    ids = Numbers([reference.id for reference in references if reference.id is not None])
    guids = [reference.guid for reference in references if reference.guid is not None]
    refs = Texts([reference.ems_ref for reference in references if reference.ems_ref is not None])
    named = Q(pk__among=ids)
    if guids:
        named |= Q(guid__in=guids)
    if refs.texts:
        named |= Q(ems_ref__among=refs)
    return Vm.objects.visible_to(user).filter(named, provider=group.provider_id).order_by()


def _obstacles(pks: Iterable[int], group: SecurityGroup, user: User) -> Mapping[int, str]:
    """Why a group can't be added to these VMs (ids), or removed from them, for those of which that is known."""
    ids = Numbers([*pks])
    if not group.provider.supports_security_groups:
        return dict.fromkeys(ids.numbers, read_only(group.provider))
    vms = Vm.objects.filter(pk__among=ids).order_by()
    fitting = set(vms.filter(SecurityGroup.objects.holders_of(group)).values_list("pk", flat=True))
    others = vms.exclude(pk__among=Numbers(fitting)).select_related("provider", "cloud_tenant")
    obstacles = {vm.pk: out_of_reach(vm, group, called=messages.THE_INSTANCE) for vm in others}
    reach = scope_of(user, Vm, MAY_CHANGE)
    if reach is not EVERYTHING:
        reached = set(vms.filter(reach.q()).values_list("pk", flat=True))
        obstacles |= {pk: messages.BEYOND_GRANTS for pk in ids.numbers if pk not in reached}
    return obstacles
