"""Reverts of tasks with parts: a task with a part for each instance that was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from inventory.models import Task
from secgroups.messages import cannot
from secgroups.models import SecurityGroup
from secgroups.plan import Action
from secgroups.reverting import Changed, changes_of_each, messages
from secgroups.reverting.history import Thing
from secgroups.services.answers import Refused
from secgroups.services.bulk import Decision, InstanceReference, decide_for_many
from secgroups.services.changes import MAY_CHANGE


@dataclass(frozen=True, slots=True)
class ManyReverts:
    """A valid revert of what was added to many instances, or removed."""

    task: int
    group: SecurityGroup
    action: Action
    decisions: Sequence[Decision]


def decide_reverts_of_parts(parent: Task, *, user: User) -> ManyReverts | Refused:
    """How to revert a finished task with parts, each instance by itself. Queues nothing.

    What has been changed since is told by the part that finds it in its way. Raises `PermissionDenied`.
    """
    if not user.has_perm(MAY_CHANGE):
        raise PermissionDenied(messages.NOT_PERMITTED)
    subject = messages.called(parent.pk)
    if reason := _about_group_in_use(parent):
        return Refused(cannot("revert", subject, reason))
    vms = dict(parent.tasks.order_by("pk").values_list("pk", "vm"))
    changes = changes_of_each(vms)
    if not changes:
        return Refused(cannot("revert", subject, messages.CHANGED_NOTHING))
    of_all = [changed for of_part in changes.values() for changed in of_part.values()]
    groups = {changed.group_id for changed in of_all}
    ways = {changed.before is None for changed in of_all}
    if len(ways) > 1 or len(groups) > 1 or any(changed.kind != "membership" for changed in of_all):
        return Refused(cannot("revert", subject, messages.SEVERAL_CHANGES))
    visible = SecurityGroup.objects.visible_to(user).select_related("provider", "cloud_tenant", "cloud_network")
    group = visible.filter(pk=groups.pop()).first()
    if group is None:
        return Refused(cannot("revert", subject, messages.GROUP_GONE))
    action: Action = "remove" if ways.pop() else "add"
    references = [*_references(vms, changes)]
    decisions = decide_for_many(group=group, action=action, references=references, user=user)
    return ManyReverts(parent.pk, group, action, decisions)


def _about_group_in_use(parent: Task) -> str | None:
    """Why the replacement of a group, or its deletion with what used it, can't be reverted; None for others."""
    if parent.context_data.get("action") == "replace":
        return messages.REPLACED
    return messages.DETACHED if parent.context_data.get("detach") else None


def _references(
    vms: Mapping[int, int | None], changes: Mapping[int, Mapping[Thing, Changed]]
) -> Iterator[InstanceReference]:
    """The instances of the parts that changed something, with the ports that they changed."""
    for part, vm in vms.items():
        if part in changes:
            ports = tuple(changed.versions[0]["network_port_ems_ref"] for changed in changes[part].values())
            yield InstanceReference(vm or 0, ports=ports, reverts=part)
