"""Accepting work and finishing it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from celery import current_app
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from inventory.models import Provider, Task, Vm

logger = logging.getLogger(__name__)

#: Who is named where nobody asked: the schedule.
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Work:
    """What a task is to do: `arguments` is for its handler, `context` is what the task shows of the request."""

    name: str
    message: str
    arguments: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)


@transaction.atomic
def queue_work(
    queue: str,
    works: Sequence[Work],
    *,
    user: User | None,
    provider: Provider | None,
    vm: Vm | None = None,
) -> list[Task]:
    """Write the tasks of one queue, all or none, and wake a worker up once they are there."""
    tasks = Task.objects.bulk_create(
        Task(
            queue=queue,
            name=work.name,
            message=work.message,
            arguments=work.arguments,
            context_data=work.context,
            userid=user.get_username() if user else SYSTEM,
            owner=user,
            provider=provider,
            vm=vm,
        )
        for work in works
    )
    transaction.on_commit(partial(wake, queue))
    return tasks


def wake(queue: str, **options: Any) -> None:
    """Send the message that makes a worker look at this queue. One that is lost is made up for by the sweep."""
    try:
        current_app.send_task("inventory.tasks.work", [queue], **options)
    except (OperationalError, OSError) as error:
        logger.warning("No message for %s, the next sweep will find it: %s", queue, error)


def finish(task: Task, status: Task.Status, message: str, **context: Any) -> None:
    """End a task; what `context` says of its outcome is shown beside what was asked."""
    task.state = Task.State.FINISHED
    task.status = status
    task.message = message
    task.pct_complete = 100
    task.context_data |= context
    task.save(update_fields=["state", "status", "message", "pct_complete", "context_data", "updated_on"])


class NotInTime(Exception):
    """A task has gone on, or has not yet come, to where this can be done; `str()` is for a person."""


def cancel_task(*, task: Task, user: User) -> None:
    """End a queued task before a worker takes it; `NotInTime` if one has it or had it."""
    queued = Task.objects.filter(pk=task.pk, state=Task.State.QUEUED)
    if not queued.update(
        state=Task.State.FINISHED,
        status=Task.Status.ERROR,
        message=f"Cancelled by {user.get_username()}.",
        pct_complete=100,
        updated_on=timezone.now(),
    ):
        raise NotInTime(f"Task {task.pk} can't be cancelled: only a queued task can be")


def delete_task(*, task: Task) -> None:
    """Forget a finished task; `NotInTime` for one that is still to be done."""
    forgotten, _ = Task.objects.filter(pk=task.pk, state=Task.State.FINISHED).delete()
    if not forgotten:
        raise NotInTime(f"Task {task.pk} can't be deleted: only a finished task can be")
