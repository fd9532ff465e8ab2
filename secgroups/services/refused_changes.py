"""Finished tasks for refused changes, for people who request many changes and look at their tasks."""

from __future__ import annotations

from django.contrib.auth.models import User

from inventory.arguments import Arguments
from inventory.models import Task, Vm
from inventory.services import TaskSpec, keep_refused
from secgroups import messages
from secgroups.plan import Action
from secgroups.services.changes import GroupReference


def keep_refused_change(*, vm: Vm, action: Action, reference: GroupReference, reason: str, user: User) -> Task:
    """Create a finished task for a refused change."""
    name = messages.doing(action, messages.change_of(action, messages.group_called(reference.label), vm.name))
    group = {"name": reference.label, "ems_ref": reference.ems_ref}
    context = {"action": action, "instance": vm.name, "security_group": group}
    # What it names was not found, or is out of reach, and so is nobody's, or another tenant's.
    spec = TaskSpec(name, reason, Arguments(names_others=True), context)
    return keep_refused(f"vms/{vm.pk}", spec, user=user, provider=vm.provider, vm=vm)
