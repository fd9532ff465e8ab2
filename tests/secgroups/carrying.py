"""Queueing changes of an instance and carrying them out, as the tests of changes do it."""

from __future__ import annotations

from inventory.models import Task, Vm
from inventory.runner import _claim_tasks
from secgroups.changes import handle_membership_tasks
from secgroups.plan import Action
from secgroups.services import Accepted, GroupReference, request_changes
from tests.clouds import Grip


def queue(vm: Vm, action: Action, *asked: str | GroupReference) -> list[Task]:
    """The tasks for these groups, each by its name unless it says otherwise."""
    wanted = [GroupReference(one) if isinstance(one, str) else one for one in asked]
    answers = request_changes(vm=vm, action=action, references=wanted, user=None)
    assert all(isinstance(answer, Accepted) for answer in answers)
    return [answer.task for answer in answers]


def carried_out(vm: Vm, grip: Grip | None = None) -> list[Task]:
    """What is queued for this instance, once it was carried out."""
    tasks = _claim_tasks(f"vms/{vm.pk}")
    handle_membership_tasks(tasks, grip or Grip())
    return list(Task.objects.filter(pk__in=[task.pk for task in tasks]))


def ends(tasks: list[Task]) -> list[tuple[str, str, str]]:
    return [(task.state, task.status, task.message) for task in tasks]
