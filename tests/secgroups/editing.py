"""Queueing edits and carrying them out, as the tests of edits do it."""

from __future__ import annotations

from inventory.models import Provider, Task
from inventory.runner import _claim_tasks
from secgroups.editing import handle_edit_tasks
from secgroups.services import Accepted, Edit, Refused, request_edits
from tests.clouds import Grip


def queue(*decided: Edit | Refused) -> list[Task]:
    """The tasks of these edits."""
    answers = request_edits(decided, user=None)
    assert all(isinstance(answer, Accepted) for answer in answers)
    return [answer.task for answer in answers]


def edited(provider: Provider, *decided: Edit | Refused, grip: Grip | None = None) -> list[Task]:
    """What is queued for this provider, these edits at last, once it was carried out."""
    queue(*decided)
    tasks = _claim_tasks(f"security_groups/{provider.pk}")
    handle_edit_tasks(tasks, grip or Grip())
    return list(Task.objects.filter(pk__in=[task.pk for task in tasks]))
