"""The life of a task, from its beginning to its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec
from django.db import connection, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from inventory.arguments import Arguments, Notes, Stored, UnreadableArguments
from inventory.drivers.limits import storable
from inventory.leases import QueueLease
from inventory.logs import abbreviated, running_tasks
from inventory.metrics import tasks_finished
from inventory.models import Task
from inventory.services.parents import TIME, settle_parents

logger = logging.getLogger(__name__)

#: Keys in the context of an unfinished task that has failed: the time of the first failure and the next attempt.
FIRST_FAILURE, NEXT = "first_failure_on", "next_attempt_on"

ArgumentsType = TypeVar("ArgumentsType", bound=Arguments)


def begin(tasks: Sequence[Task]) -> list[Task]:
    """Begin an attempt at these tasks. Returns them as `Active`, without cancelled ones."""
    now = timezone.now()
    unfinished = Task.objects.unfinished().filter(pk__in=[task.pk for task in tasks])
    active = {"state": Task.State.ACTIVE, "started_on": Coalesce("started_on", now)}
    updated, begun = unfinished.update(**active, next_attempt_on=None, updated_on=now), list(tasks)
    if updated < len(tasks):
        remaining = set(unfinished.values_list("pk", flat=True))
        begun = [task for task in tasks if task.pk in remaining]
    for task in begun:
        task.state, task.started_on = Task.State.ACTIVE, task.started_on or now
    delayed = [task for task in begun if task.next_attempt_on]
    set_next_attempt(delayed, None)
    save_all(delayed, ["context_data"])
    return begun


def readable(
    tasks: Iterable[Task], parse: Callable[[Stored], ArgumentsType], lease: QueueLease
) -> dict[Task, ArgumentsType]:
    """The arguments of each task, parsed by `parse`. Tasks that this version can't read end as errors."""
    arguments: dict[Task, ArgumentsType] = {}
    unreadable = []
    for task in tasks:
        try:
            arguments[task] = parse(task.arguments)
        except UnreadableArguments as error:
            unreadable.append(TaskResult(task, Task.Status.ERROR, str(error)))
    if unreadable:
        lease.ensure()
        complete_tasks(unreadable)
    return arguments


def note(tasks: Iterable[Task], notes: Notes) -> None:
    """Add these notes to the tasks; the caller saves their `arguments`."""
    for task in tasks:
        task.arguments |= msgspec.to_builtins(notes)


def put_back(tasks: Iterable[Task]) -> None:
    """Queue tasks again that were claimed together with another one, which goes first."""
    active = Task.objects.filter(pk__in=[task.pk for task in tasks], state=Task.State.ACTIVE)
    active.update(state=Task.State.QUEUED, started_on=None)


def set_next_attempt(tasks: Iterable[Task], moment: datetime | None) -> None:
    """Set the time of the next attempt, or None; the caller saves it."""
    for task in tasks:
        task.next_attempt_on = moment
        task.context_data.pop(NEXT, None)
        if moment:
            task.context_data[NEXT] = moment.strftime(TIME)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a task ends. `context` is added to its `context_data`."""

    task: Task
    status: Task.Status
    message: str
    context: dict[str, Any] = field(default_factory=dict)


def finish(task: Task, status: Task.Status, message: str, **context: Any) -> None:
    """End a task."""
    complete_tasks([TaskResult(task, status, message, context)])


def complete_tasks(results: Iterable[TaskResult]) -> None:
    """End many tasks together."""
    tasks, retried = [], []
    for result in results:
        task = result.task
        task.state, task.pct_complete = Task.State.FINISHED, 100
        task.status, task.message = result.status, storable(result.message)
        task.context_data |= result.context
        if task.context_data.pop(FIRST_FAILURE, None):
            retried.append(task)
        tasks.append(task)
    set_next_attempt(tasks, None)
    names = ["state", "status", "message", "pct_complete", "context_data", "next_attempt_on", "updated_on"]
    save_all(tasks, names)
    if claimed := running_tasks.get():
        transaction.on_commit(partial(tasks_finished, claimed[0], [str(task.status) for task in tasks]))
    if parents := {task.parent_id for task in tasks if task.parent_id}:
        transaction.on_commit(partial(settle_parents, parents), robust=True)  # the sweep would do it, too
    _log_the_end(retried)


def _log_the_end(retried: Iterable[Task]) -> None:
    """Log one line for all tasks of a queue that ended with the same message after earlier failures."""
    by_outcome: dict[tuple[str, bool, str], list[Task]] = {}
    for task in retried:
        is_failed = task.status == Task.Status.ERROR
        by_outcome.setdefault((task.queue, is_failed, task.message if is_failed else ""), []).append(task)
    for (_, is_failed, message), tasks in by_outcome.items():
        if is_failed:
            logger.warning("%s gave up: %s", described(tasks), message)
        else:
            logger.info("%s went well in the end", described(tasks))


def described(tasks: Sequence[Task]) -> str:
    """Describe tasks of one queue in the log."""
    ids = abbreviated(task.pk for task in tasks)
    return f"Task{'s' if len(tasks) > 1 else ''} {ids} of {tasks[0].queue}"


@transaction.atomic(savepoint=False)
def save_all(tasks: Iterable[Task], names: Collection[str]) -> int:
    """Save these fields of unfinished tasks, and return how many there are.

    `bulk_update` takes ten times as long.
    """
    fields = [field for field in Task._meta.concrete_fields if field.name in names]
    columns = ", ".join(f"{field.column} = %s" for field in fields)
    rows = [
        [*(field.get_db_prep_save(field.pre_save(task, False), connection) for field in fields), task.pk]
        for task in tasks
    ]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        condition = f"id = %s AND state <> '{Task.State.FINISHED}'"
        cursor.executemany(f"UPDATE {Task._meta.db_table} SET {columns} WHERE {condition}", rows)  # nosec B608  # noqa: S608 - only names of columns and tables are put in
        return int(cursor.rowcount)
