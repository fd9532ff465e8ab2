"""Work on a group and everything that uses it: a task with parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from inventory.models import Provider, Task
from inventory.services import Part, TaskSpec, queue_parts
from inventory.services.parents import REFUSED
from secgroups import messages
from secgroups.services.answers import Accepted, Refused


@dataclass(frozen=True, slots=True)
class GroupWork:
    """A valid replacement or deletion of a group in use. `ports` (ids) are those to write."""

    provider: Provider
    verb: messages.Verb
    subject: str
    spec: TaskSpec
    parts: Sequence[Part]
    ports: Sequence[int]


def request_group_work(work: GroupWork, *, user: User) -> Accepted | Refused:
    """Queue the task with all of its parts, or none."""
    with transaction.atomic():
        task = queue_parts(work.spec, work.parts, user=user, provider=work.provider)
        if not task.context_data[REFUSED]:
            return Accepted(task.message, task)
        reason = Task.objects.filter(parent=task, state=Task.State.FINISHED).values_list("message", flat=True)[0]
        transaction.set_rollback(True)
    return Refused(messages.cannot(work.verb, work.subject, reason))
