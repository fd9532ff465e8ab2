"""Accepts reverts: tasks that bring back what was before a finished task changed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from inventory.messages import PROVIDER_DELETED
from inventory.models import Provider, Task, Vm
from inventory.services import TaskSpec, queue_work
from secgroups.messages import INSTANCE_GONE, cannot
from secgroups.plan import Action
from secgroups.reverting import Changed, changes_of, in_the_way, messages, reach_back_to
from secgroups.services.answers import Accepted, Refused
from secgroups.services.bulk import queue_many, reverting_spec
from secgroups.services.bulk_reverts import ManyReverts, decide_reverts_of_parts
from secgroups.services.changes import MAY_CHANGE, GroupReference, decide_changes
from secgroups.services.edits import Edit
from secgroups.services.reverse_edits import require, reverse_edit

#: The rights of the changes that reverts make.
RIGHTS = (
    MAY_CHANGE,
    "secgroups.add_securitygroup",
    "secgroups.change_securitygroup",
    "secgroups.delete_securitygroup",
    "secgroups.add_firewallrule",
    "secgroups.delete_firewallrule",
)


@dataclass(frozen=True, slots=True)
class MembershipRevert:
    """A valid revert of what was added to the ports of an instance, or removed."""

    vm: Vm
    action: Action
    spec: TaskSpec


Single: TypeAlias = MembershipRevert | Edit
Decision: TypeAlias = Single | ManyReverts | Refused


def may_revert(user: User) -> bool:
    """Whether a user has the right of any of these changes. Which one a revert takes depends on its task."""
    return any(map(user.has_perm, RIGHTS))


@transaction.atomic
def request_reverts(decisions: Sequence[Decision], *, user: User) -> list[Accepted | Refused]:
    """Queue each revert as a task, all or none. The answers are in the order of `decisions`."""
    tasks: dict[int, Task] = {}
    by_place: dict[tuple[int, int], list[int]] = {}
    for key, decision in enumerate(decisions):
        if isinstance(decision, ManyReverts):  # which locks every queue, and so comes before others lock one
            many = decision.group, decision.action, decision.decisions
            tasks[key] = queue_many(*many, user=user, reverts=decision.task)
        elif not isinstance(decision, Refused):
            provider, vm = _place(decision)
            by_place.setdefault((provider.pk, vm.pk if vm else 0), []).append(key)
    # In a fixed order, as `request_edits` has it, so that two requests can't wait for each other.
    for _, keys in sorted(by_place.items()):
        reverts: list[Any] = [decisions[key] for key in keys]
        provider, vm = _place(reverts[0])
        queue = f"vms/{vm.pk}" if vm else f"security_groups/{provider.pk}"
        queued = queue_work(queue, [revert.spec for revert in reverts], user=user, provider=provider, vm=vm)
        tasks |= zip(keys, queued, strict=True)
    return [
        decision if isinstance(decision, Refused) else Accepted(_message(decision, tasks[key]), tasks[key])
        for key, decision in enumerate(decisions)
    ]


def _message(decision: Single | ManyReverts, task: Task) -> str:
    return task.message if isinstance(decision, ManyReverts) else decision.spec.message


def decide_revert(task: Task, *, user: User) -> Decision:
    """How to revert a task, or why it can't be reverted. Queues nothing.

    Raises `PermissionDenied` if the user may not make the reverse change there.
    """
    subject = messages.called(task.pk)
    if reason := _impossible(task):
        return Refused(cannot("revert", subject, reason))
    if task.has_parts:
        return decide_reverts_of_parts(task, user=user)
    changes = changes_of(task.pk)
    if not changes:
        return Refused(cannot("revert", subject, _unchanged(task)))
    decision = _decide(task, [*changes.values()], user)
    if obstacle := in_the_way(task.pk, changes, user=user):
        return Refused(cannot("revert", subject, obstacle))
    return (
        decision
        if isinstance(decision, Refused)
        else replace(decision, spec=reverting_spec(task.pk, decision.spec))
    )


def _impossible(task: Task) -> str | None:
    if task.state != Task.State.FINISHED:
        return messages.NOT_FINISHED
    kind = task.queue.partition("/")[0]
    if kind not in {"vms", "security_groups", ""}:
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
    if task.status == Task.Status.WARN:
        return messages.UNRECORDED
    return messages.FAILED if task.status == Task.Status.ERROR else messages.CHANGED_NOTHING


def _decide(task: Task, changes: Sequence[Changed], user: User) -> Single | Refused:
    """The reverse change, or why it is refused, apart from what was changed since."""
    if task.vm:
        return _memberships(task, task.vm, changes, user)
    if task.provider is None:
        raise LookupError("a task without its provider is refused before")
    if reason := _mixed(changes):
        return Refused(cannot("revert", messages.called(task.pk), reason))
    decision = reverse_edit(task.provider, changes, user)
    if isinstance(decision, str):
        return Refused(cannot("revert", messages.called(task.pk), decision))
    return decision


def _mixed(changes: Sequence[Changed]) -> str | None:
    """Why no single edit is the reverse of these changes, which no instance has; None if one is."""
    kinds = {changed.kind for changed in changes}
    if "membership" in kinds:
        return messages.PORT_OF_NONE
    return messages.SEVERAL_RULES if kinds == {"rule"} and len(changes) > 1 else None


def _memberships(task: Task, vm: Vm, changes: Sequence[Changed], user: User) -> MembershipRevert | Refused:
    require(user, MAY_CHANGE, vm)
    if len({changed.before is None for changed in changes}) > 1:
        return Refused(cannot("revert", messages.called(task.pk), messages.BOTH_WAYS))
    action: Action = "remove" if changes[0].before is None else "add"
    data: Mapping[str, Any] = changes[0].versions[0]
    ports = tuple(changed.versions[0]["network_port_ems_ref"] for changed in changes)
    group = GroupReference(ems_ref=data["security_group_ems_ref"], ports=ports, called=data["security_group"])
    [decision] = decide_changes(vm=vm, action=action, references=[group], user=user)
    return decision if isinstance(decision, Refused) else MembershipRevert(vm, action, decision)


def _place(decision: MembershipRevert | Edit) -> tuple[Provider, Vm | None]:
    """What a revert is about."""
    if isinstance(decision, MembershipRevert):
        return decision.vm.provider, decision.vm
    return decision.provider, None
