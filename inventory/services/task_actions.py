"""What users do with tasks: cancel, retry and delete them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from inventory import messages
from inventory.arguments import Notes
from inventory.models import Task
from inventory.services.parents import CANCELLED, settle
from inventory.services.parts import retry_parts
from inventory.services.queueing import wake
from inventory.services.tasks import FIRST_FAILURE, TaskResult, complete_tasks, described

logger = logging.getLogger(__name__)


class NotInTime(Exception):
    """The state of the task does not allow this; `str()` is for people."""


@transaction.atomic
def cancel_task(*, task: Task, user: User) -> None:
    """Cancel a task that is queued or waiting for its next attempt. Raises `NotInTime` otherwise.

    Of a task with parts, cancel those parts.
    """
    waiting = [row for row in _locked(task) if row.waits]
    if not waiting:
        raise NotInTime(messages.cannot_cancel(task.pk))
    cancelled = [row for row in waiting if not Notes.read(row.arguments).unsure]
    if not cancelled:
        raise NotInTime(messages.cannot_cancel_unsure(task.pk))
    _cancel(cancelled, user)
    if task.has_parts:
        transaction.on_commit(partial(settle, task.pk))


def _locked(task: Task) -> Iterable[Task]:
    """The task, or its unfinished parts."""
    rows = Task.objects.select_for_update()
    return rows.unfinished().filter(parent=task.pk) if task.has_parts else rows.filter(pk=task.pk)


def _cancel(tasks: Sequence[Task], user: User) -> None:
    for task in tasks:
        if task.context_data.pop(FIRST_FAILURE, None):
            logger.info("%s was cancelled by %s", described([task]), user.get_username())
    reason = messages.cancelled(user.get_username())
    complete_tasks(TaskResult(task, Task.Status.ERROR, reason, {CANCELLED: True}) for task in tasks)


def retry_task(*, task: Task) -> None:
    """Retry a task now that is queued or waiting for its next attempt. Raises `NotInTime` otherwise.

    It retries all waiting tasks of the queue, because they run together or one after the other. Of a task with
    parts, it also queues anew those that failed.
    """
    if task.has_parts:
        if not retry_parts(task):
            raise NotInTime(messages.cannot_retry_parts(task.pk))
        return
    row = Task.objects.filter(pk=task.pk).first()
    if row is None or not row.waits:
        raise NotInTime(messages.cannot_retry(task.pk))
    Task.objects.waiting_in(row.queue).update(next_attempt_on=timezone.now())
    wake(row.queue)


@transaction.atomic
def delete_task(*, task: Task) -> None:
    """Delete a finished task, with its parts. Raises `NotInTime` for an unfinished one, and for a part of one."""
    # A retry of the parent, which would add parts, waits for this.
    list(Task.objects.select_for_update().filter(pk__in=[task.pk, task.parent_id or task.pk]).order_by("pk"))
    finished = Task.objects.filter(pk=task.pk, state=Task.State.FINISHED)
    deleted, _ = finished.exclude(parent__in=Task.objects.unfinished()).delete()
    if not deleted:
        raise NotInTime(messages.cannot_delete(task.pk))
