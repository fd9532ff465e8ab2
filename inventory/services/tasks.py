"""Accepting work and finishing it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import orjson
from celery import current_app
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone
from kombu.exceptions import OperationalError

from inventory.drivers.limits import storable
from inventory.models import Provider, Task, Vm
from inventory.models.provider import KEPT
from inventory.prepared import Prepared, Slot, planned_cursor

logger = logging.getLogger(__name__)

#: Who is named where nobody asked: the schedule.
SYSTEM = "system"
#: What an unfinished task that has failed shows in its context: when that was first, and when it is tried next.
FIRST_FAILURE, NEXT = "first_failure_on", "next_attempt_on"
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
#: The argument of a task that its cloud may have carried out, in whole or in part, without our knowing.
UNSURE = "unsure"
#: Most ids in a line of the log.
MOST_LOGGED = 10


@dataclass(frozen=True, slots=True)
class Work:
    """What a task is to do: `arguments` is for its handler, `context` is what the task shows of the request."""

    name: str
    message: str
    arguments: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)


#: How many tasks wait in a queue.
_WAITING = Prepared(lambda: Task.objects.of_queue(Slot("queue")).counted())


class QueueFull(Exception):
    """So much waits there already that nothing was accepted; `str()` is for a person."""

    #: After how many seconds it is worth asking again.
    wait = 10

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} tasks are waiting there already: ask again when some of them are finished")


@transaction.atomic
def queue_work(
    queue: str,
    works: Sequence[Work],
    *,
    user: User | None,
    provider: Provider | None,
    vm: Vm | None = None,
) -> list[Task]:
    """Write the tasks of one queue, all or none, and wake a worker up once they are there.

    Raises `QueueFull` where there would be more than `settings.QUEUE_LIMIT`, and `Provider.DoesNotExist` if the
    provider's deletion was accepted.
    """
    _one_after_another(queue)
    [[waiting]] = _WAITING(queue=queue)
    if waiting + len(works) > settings.QUEUE_LIMIT:
        raise QueueFull(waiting)
    userid = user.get_username() if user else SYSTEM
    tasks = _insert(Task(queue=queue, userid=userid, owner=user, provider=provider, vm=vm), works)
    transaction.on_commit(partial(wake, queue))
    return tasks


def keep_refused(
    queue: str, work: Work, *, user: User | None, provider: Provider | None, vm: Vm | None = None
) -> Task:
    """A finished task for work that was refused, for the reason that is its message."""
    refused: Task = Task.objects.create(
        queue=queue,
        name=work.name,
        message=work.message,
        context_data=work.context,
        state=Task.State.FINISHED,
        status=Task.Status.ERROR,
        pct_complete=100,
        userid=user.get_username() if user else SYSTEM,
        owner=user,
        provider=provider,
        vm=vm,
    )
    return refused


#: Of the works, as JSON in one parameter, the columns of `_OF_WORK` in the order of the works.
_WORKS = {
    "postgresql": """one->>'name', one->>'message', one->'arguments', one->'context'
        FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS works(one, place) WHERE {kept} ORDER BY place""",
    "sqlite": """json_extract(value, '$.name'), json_extract(value, '$.message'),
        json_extract(value, '$.arguments'), json_extract(value, '$.context')
        FROM json_each(%s) WHERE {kept} ORDER BY key""",
}
_OF_WORK = ("name", "message", "arguments", "context_data")


def _insert(like: Task, works: Sequence[Work]) -> list[Task]:
    """Insert a task like this one for each work: in one parameter, where `bulk_create` prepares each value.

    They are read where more than their ids is asked for.
    """
    shared = [field for field in Task._meta.concrete_fields if field.name not in {"id", *_OF_WORK}]
    columns = ", ".join([*(str(field.column) for field in shared), *_OF_WORK])
    values = [field.get_db_prep_save(field.pre_save(like, add=True), connection) for field in shared]
    of_provider = [like.provider_id] if like.provider_id else []
    kept = f"EXISTS ({KEPT[connection.vendor]})" if of_provider else "TRUE"
    chosen = f"{'%s, ' * len(shared)}{_WORKS[connection.vendor].format(kept=kept)}"
    with planned_cursor(connection) as cursor:
        cursor.execute(
            f"INSERT INTO {Task._meta.db_table} ({columns}) SELECT {chosen} RETURNING id",
            [*values, orjson.dumps(works).decode(), *of_provider],
        )
        ids = sorted(pk for (pk,) in cursor.fetchall())  # which they were given in this order
    if len(ids) < len(works):
        raise Provider.DoesNotExist(f"Couldn't find Provider with 'id'={like.provider_id}")
    alias = connection.alias
    return [Task.from_db(alias, ["id"], [pk]) for pk in ids]


def _one_after_another(queue: str) -> None:
    """Let nobody else accept work for this queue until this transaction ends.

    Else a task could be accepted after one with a higher id was carried out, and the order of the ids would not be
    that in which things were done. SQLite's transactions are one after another anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [queue])


def wake(queue: str, **options: Any) -> None:
    """Send the message that makes a worker look at this queue. One that is lost is made up for by the sweep."""
    try:
        current_app.send_task("inventory.tasks.work", [queue], **options)
    except (OperationalError, OSError) as error:
        logger.warning("No message for %s, the next sweep will find it: %s", queue, error)


def begin(tasks: Sequence[Task]) -> list[Task]:
    """Begin an attempt at these tasks; returns them as `Active`, without those that were cancelled before."""
    now = timezone.now()
    unfinished = Task.objects.unfinished().filter(pk__in=[task.pk for task in tasks])
    active = {"state": Task.State.ACTIVE, "started_on": Coalesce("started_on", now)}
    begun, there = unfinished.update(**active, next_attempt_on=None, updated_on=now), list(tasks)
    if begun < len(tasks):
        left = set(unfinished.values_list("pk", flat=True))
        there = [task for task in tasks if task.pk in left]
    for task in there:
        task.state, task.started_on = Task.State.ACTIVE, task.started_on or now
    waited = [task for task in there if task.next_attempt_on]
    set_next_attempt(waited, None)
    save_all(waited, ["context_data"])
    return there


def put_back(tasks: Iterable[Task]) -> None:
    """Queue tasks again that were taken together with one that goes first: they have not begun."""
    taken = Task.objects.filter(pk__in=[task.pk for task in tasks], state=Task.State.ACTIVE)
    taken.update(state=Task.State.QUEUED, started_on=None)


def set_next_attempt(tasks: Iterable[Task], on: datetime | None) -> None:
    """Note when these tasks are tried next, to be saved; None if they do not wait."""
    for task in tasks:
        task.next_attempt_on = on
        task.context_data.pop(NEXT, None)
        if on:
            task.context_data[NEXT] = on.strftime(TIME)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ends; what `context` says of its outcome is shown beside what was asked."""

    task: Task
    status: Task.Status
    message: str
    context: dict[str, Any] = field(default_factory=dict)


def finish(task: Task, status: Task.Status, message: str, **context: Any) -> None:
    """End a task."""
    finish_all([Ending(task, status, message, context)])


def finish_all(endings: Iterable[Ending]) -> None:
    """End many tasks, in one go."""
    tasks, troubled = [], []
    for ending in endings:
        task = ending.task
        task.state, task.pct_complete = Task.State.FINISHED, 100
        task.status, task.message = ending.status, storable(ending.message)
        task.context_data |= ending.context
        if task.context_data.pop(FIRST_FAILURE, None):
            troubled.append(task)
        tasks.append(task)
    set_next_attempt(tasks, None)
    names = ["state", "status", "message", "pct_complete", "context_data", "next_attempt_on", "updated_on"]
    save_all(tasks, names)
    _log_the_end(troubled)


def _log_the_end(troubled: Iterable[Task]) -> None:
    """One line for all tasks of a queue that ended in the same words, after they had failed for a while."""
    ends: dict[tuple[str, bool, str], list[Task]] = {}
    for task in troubled:
        failed = task.status == Task.Status.ERROR
        ends.setdefault((task.queue, failed, task.message if failed else ""), []).append(task)
    for (_, failed, message), tasks in ends.items():
        if failed:
            logger.warning("%s gave up: %s", described(tasks), message)
        else:
            logger.info("%s went well in the end", described(tasks))


def described(tasks: Sequence[Task]) -> str:
    """Tasks of one queue, for a line in the log."""
    ids = [str(task.pk) for task in tasks]
    more = f" and {len(ids) - MOST_LOGGED} more" if len(ids) > MOST_LOGGED else ""
    return f"Task{'s' if len(ids) > 1 else ''} {', '.join(ids[:MOST_LOGGED])}{more} of {tasks[0].queue}"


@transaction.atomic(savepoint=False)
def save_all(tasks: Iterable[Task], names: Collection[str]) -> int:
    """Save these fields of the tasks that are not finished; returns how many those are.

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
        where = f"id = %s AND state <> '{Task.State.FINISHED}'"
        cursor.executemany(f"UPDATE {Task._meta.db_table} SET {columns} WHERE {where}", rows)  # noqa: S608
        return int(cursor.rowcount)


class NotInTime(Exception):
    """A task has gone on, or has not yet come, to where this can be done; `str()` is for a person."""


@transaction.atomic
def cancel_task(*, task: Task, user: User) -> None:
    """End a task that is queued or waits for its next attempt; `NotInTime` if it does neither."""
    row = Task.objects.select_for_update().filter(pk=task.pk).first()
    if row is None or not row.waits:
        raise NotInTime(
            f"Task {task.pk} can't be cancelled: only a task that is queued or waits for its next attempt can be"
        )
    if row.arguments.get(UNSURE):
        raise NotInTime(
            f"Task {task.pk} can't be cancelled: its cloud may have done it, or a part of it, already. "
            "It goes on until that is known"
        )
    finish(row, Task.Status.ERROR, f"Cancelled by {user.get_username()}.")


def retry_task(*, task: Task) -> None:
    """Have a task tried now that is queued or waits for its next attempt; `NotInTime` if it does neither.

    The tasks of a queue are carried out together or one after the other: it is for all that wait there.
    """
    row = Task.objects.filter(pk=task.pk).first()
    if row is None or not row.waits:
        raise NotInTime(
            f"Task {task.pk} can't be retried: only a task that is queued or waits for its next attempt can be"
        )
    Task.objects.waiting_in(row.queue).update(next_attempt_on=timezone.now())
    wake(row.queue)


def delete_task(*, task: Task) -> None:
    """Forget a finished task; `NotInTime` for one that is still to be done."""
    forgotten, _ = Task.objects.filter(pk=task.pk, state=Task.State.FINISHED).delete()
    if not forgotten:
        raise NotInTime(f"Task {task.pk} can't be deleted: only a finished task can be")
