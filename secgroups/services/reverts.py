"""Accepts reverts: tasks that bring back what was before a finished task changed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from inventory.messages import PROVIDER_DELETED
from inventory.models import Task, Vm
from inventory.querysets import reaches
from inventory.services import TaskSpec, queue_work
from secgroups.messages import INSTANCE_GONE, cannot, doing
from secgroups.plan import Action
from secgroups.reverting import Changed, changes_of, in_the_way, messages, reach_back_to
from secgroups.services.answers import Accepted, Refused
from secgroups.services.changes import GroupReference, decide_changes

MAY_CHANGE = "inventory.change_vm_security_groups"


@dataclass(frozen=True, slots=True)
class MembershipRevert:
    """A valid revert of what was added to the ports of an instance, or removed."""

    vm: Vm
    action: Action
    spec: TaskSpec


Decision: TypeAlias = MembershipRevert | Refused


@transaction.atomic
def request_reverts(decisions: Sequence[Decision], *, user: User) -> list[Accepted | Refused]:
    """Queue each revert as a task, all or none. The answers are in the order of `decisions`."""
    queues: dict[tuple[str, int], list[int]] = {}
    for key, decision in enumerate(decisions):
        if not isinstance(decision, Refused):
            queues.setdefault(_queue(decision), []).append(key)
    tasks: dict[int, Task] = {}
    # In a fixed order, so that two requests can't wait for each other.
    for (kind, pk), keys in sorted(queues.items(), reverse=True):
        reverts: list[Any] = [decisions[key] for key in keys]
        vm = reverts[0].vm
        specs = [revert.spec for revert in reverts]
        queued = queue_work(f"{kind}/{pk}", specs, user=user, provider=vm.provider, vm=vm)
        tasks |= zip(keys, queued, strict=True)
    return [
        decision if isinstance(decision, Refused) else Accepted(decision.spec.message, tasks[key])
        for key, decision in enumerate(decisions)
    ]


def decide_revert(task: Task, *, user: User) -> Decision:
    """How to revert a task, or why it can't be reverted. Queues nothing.

    Raises `PermissionDenied` if the user may not make the reverse change there.
    """
    subject = messages.called(task.pk)
    if reason := _impossible(task):
        return Refused(cannot("revert", subject, reason))
    changes = changes_of(task.pk)
    if not changes:
        return Refused(cannot("revert", subject, _unchanged(task)))
    decision = _memberships(task, [*changes.values()], user)
    if isinstance(decision, Refused):
        return decision
    if obstacle := in_the_way(task.pk, changes, user=user):
        return Refused(cannot("revert", subject, obstacle))
    return replace(decision, spec=_reverting(task, decision.spec))


def _impossible(task: Task) -> str | None:
    if task.state != Task.State.FINISHED:
        return messages.NOT_FINISHED
    kind = task.queue.partition("/")[0]
    if kind not in {"vms", "security_groups"}:
        return messages.NOTHING_TO_REVERT
    if task.provider is None or task.provider.deleted_on:
        return PROVIDER_DELETED
    if kind == "vms" and task.vm is None:
        return INSTANCE_GONE
    if task.updated_on < timezone.now() - settings.EVENTS_RETENTION:
        return messages.NO_EVENTS  # some of them may be there
    return None


def _unchanged(task: Task) -> str:
    """Why a task has no events."""
    if not reach_back_to(task.updated_on):
        return messages.NO_EVENTS
    return messages.FAILED if task.status == Task.Status.ERROR else messages.CHANGED_NOTHING


def _memberships(task: Task, changes: Sequence[Changed], user: User) -> MembershipRevert | Refused:
    vm = task.vm
    if vm is None:
        raise LookupError("a task without its instance is refused before")
    _require(user, MAY_CHANGE, vm)
    if len({changed.before is None for changed in changes}) > 1:
        return Refused(cannot("revert", messages.called(task.pk), messages.BOTH_WAYS))
    action: Action = "remove" if changes[0].before is None else "add"
    data: Mapping[str, Any] = changes[0].versions[0]
    ports = tuple(changed.versions[0]["network_port_ems_ref"] for changed in changes)
    group = GroupReference(ems_ref=data["security_group_ems_ref"], ports=ports, called=data["security_group"])
    [decision] = decide_changes(vm=vm, action=action, references=[group], user=user)
    return decision if isinstance(decision, Refused) else MembershipRevert(vm, action, decision)


def _require(user: User, permission: str, row: Model) -> None:
    """Raise `PermissionDenied` unless the user has the permission, and it reaches this row."""
    if not (user.has_perm(permission) and reaches(user, permission, type(row), row.pk)):
        raise PermissionDenied(messages.NOT_PERMITTED)


def _reverting(task: Task, spec: TaskSpec) -> TaskSpec:
    """A change as the revert of a task."""
    message = doing("revert", messages.by_change(task.pk, spec.message))
    arguments: Any = msgspec.structs.replace(spec.arguments, reverts=task.pk)
    return TaskSpec(message, message, arguments, spec.context | {"reverts": str(task.pk)})


def _queue(decision: MembershipRevert) -> tuple[str, int]:
    return "vms", decision.vm.pk
