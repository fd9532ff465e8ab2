"""Reverting tasks and carrying that out, as the tests of reverts do it."""

from __future__ import annotations

from django.contrib.auth.models import User

from inventory.models import Task
from inventory.runner import _claim_tasks
from secgroups.changes import handle_membership_tasks
from secgroups.editing import handle_edit_tasks
from secgroups.services import Accepted, Refused, decide_revert, request_reverts
from tests.clouds import Grip

HANDLERS = {"vms": handle_membership_tasks, "security_groups": handle_edit_tasks}


def revert(task: Task, user: User | None = None) -> Accepted | Refused:
    """What is answered to who reverts a task, by default to a superuser."""
    user = user or User.objects.get_or_create(username="root", is_superuser=True)[0]
    [answer] = request_reverts([decide_revert(Task.objects.get(pk=task.pk), user=user)], user=user)
    return answer


def accepted(task: Task, user: User | None = None) -> Task:
    answer = revert(task, user)
    assert isinstance(answer, Accepted), answer.message
    return Task.objects.get(pk=answer.task.pk)


def refusal(task: Task, user: User | None = None) -> str:
    answer = revert(task, user)
    assert isinstance(answer, Refused), answer.message
    return answer.message


def reverted(task: Task, user: User | None = None) -> Task:
    """The task that reverts this one, once it was carried out."""
    reverting = accepted(task, user)
    run(reverting.queue)
    reverting.refresh_from_db()
    return reverting


def run(queue: str) -> None:
    """Carry out what is queued, as often as a worker would look."""
    while tasks := _claim_tasks(queue):
        HANDLERS[queue.partition("/")[0]](tasks, Grip())
