"""Queueing tasks, and waking up a worker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from typing import Any

import msgspec
import orjson
from celery import current_app
from celery.app.amqp import task_message
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from kombu.utils.uuid import uuid

from inventory import messages
from inventory.arguments import Arguments
from inventory.db.queues import WAITING
from inventory.db.statements import planned_cursor
from inventory.logs import request_id
from inventory.models import Provider, Task, Vm
from inventory.origin import origin

logger = logging.getLogger(__name__)

#: The user of scheduled tasks.
SYSTEM = "system"
#: The name of Celery's task that runs a queue.
WORK = "inventory.tasks.work"
#: The name of the one that wakes up workers for the parts of a task.
WAKE = "inventory.tasks.wake_parts"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task to be queued. `arguments` is for its handler, `context` is shown in `context_data`."""

    name: str
    message: str
    arguments: Arguments = field(default_factory=Arguments)
    context: dict[str, Any] = field(default_factory=dict)


class QueueFull(Exception):
    """The queue is full, and nothing was accepted; `str()` is for people."""

    #: `Retry-After`, in seconds.
    wait = 10

    def __init__(self, waiting: int) -> None:
        super().__init__(messages.queue_full(waiting))


def queue_work(
    queue: str,
    specs: Sequence[TaskSpec],
    *,
    user: User | None,
    provider: Provider | None,
    vm: Vm | None = None,
) -> list[Task]:
    """Insert tasks into one queue, all or none, and wake up a worker on commit.

    Raises `QueueFull` if the queue would exceed `settings.QUEUE_LIMIT`, and `DoesNotExist` of the provider or the
    VM if it was deleted in the meantime.
    """
    template = Task(queue=queue, **asked_by(user), provider=provider, vm=vm)
    tasks = _insert(template, specs, limit=settings.QUEUE_LIMIT)
    transaction.on_commit(partial(wake, queue))
    return tasks


def keep_refused(
    queue: str, spec: TaskSpec, *, user: User | None, provider: Provider | None, vm: Vm | None = None
) -> Task:
    """Create a finished task for a refused request; its message is the reason.

    It refers to the provider and the VM, unless they no longer exist, which may be the reason.
    """
    template = Task(
        queue=queue,
        state=Task.State.FINISHED,
        status=Task.Status.ERROR,
        pct_complete=100,
        **asked_by(user),
        provider=provider,
        vm=vm,
    )
    try:
        [task] = _insert(template, [spec])
    except ObjectDoesNotExist:
        template.provider = template.vm = None
        [task] = _insert(template, [spec])
    return task


def asked_by(user: User | None) -> dict[str, Any]:
    """Who asks for a task, in which request, and from where."""
    userid = user.get_username() if user else SYSTEM
    return {"userid": userid, "owner": user, "request_id": request_id.get(), **origin()._asdict()}


def is_kept(user: User) -> bool:
    """Whether a user still exists. If so, they are not deleted until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_OWNER[connection.vendor]}", [user.pk])
        return bool(cursor.fetchone() != (None,))


#: Selects the columns `_OF_SPEC` from specs that are JSON in one parameter, in their order.
_SPECS = {
    "postgresql": """one->>'name', one->>'message', one->'arguments', one->'context'
        FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS specs(one, place)
        WHERE {condition} ORDER BY place""",
    "sqlite": """json_extract(value, '$.name'), json_extract(value, '$.message'),
        json_extract(value, '$.arguments'), json_extract(value, '$.context')
        FROM json_each(%s) WHERE {condition} ORDER BY key""",
}
#: The requesting user, or null if they were deleted since they logged in.
_FOUND = f"SELECT id FROM {User._meta.db_table} WHERE id = %s"  # nosec B608  # noqa: S608 - only names of columns and tables are put in
_OWNER = {"postgresql": f"({_FOUND} FOR KEY SHARE)", "sqlite": f"({_FOUND})"}
_OF_SPEC = ("name", "message", "arguments", "context_data")
#: What the tasks of one request have in common.
_SHARED = [field for field in Task._meta.concrete_fields if field.name not in {"id", *_OF_SPEC}]


@cache
def _insertion(vendor: str, kept: tuple[type[Provider | Vm], ...], is_limited: bool) -> str:
    """The statement that inserts tasks if the queue has room and a row of each of these models exists.

    It keeps these rows, and locks the queue for other requests until this transaction ends. Otherwise a task could
    be committed after one with a higher id has run, and tasks would not run in the order of their ids.
    """
    columns = ", ".join([*(f'"{field.column}"' for field in _SHARED), *_OF_SPEC])
    slots = ", ".join(_OWNER[vendor] if field.name == "owner" else "%s" for field in _SHARED)
    condition = " AND ".join(f"EXISTS ({model.keeping()})" for model in kept) or "TRUE"
    if is_limited:  # looks for the rows first: a deletion might be accepted while this waits for the queue
        condition = f"(SELECT {WAITING[vendor]} WHERE {condition}) <= %s"  # nosec B608
    chosen = f"{slots}, {_SPECS[vendor].format(condition=condition)}"
    return f"INSERT INTO {Task._meta.db_table} ({columns}) SELECT {chosen} RETURNING id"


def _insert(template: Task, specs: Sequence[TaskSpec], *, limit: int | None = None) -> list[Task]:
    """Insert a copy of this task for each spec, all or none. All specs are one parameter, unlike in `bulk_create`.

    With a `limit`, the queue may have so many unfinished tasks then. The returned tasks have only their ids. Other
    fields are fetched on access.
    """
    values = [field.get_db_prep_save(field.pre_save(template, add=True), connection) for field in _SHARED]
    subjects: list[Provider | Vm] = [row for row in (template.provider, template.vm) if row]
    as_json = orjson.dumps(specs, default=msgspec.to_builtins).decode()
    pks = [row.pk for row in subjects]
    parameters = pks if limit is None else [template.queue, *pks, limit - len(specs)]
    with planned_cursor(connection) as cursor:
        statement = _insertion(connection.vendor, tuple(map(type, subjects)), is_limited=limit is not None)
        cursor.execute(statement, [*values, as_json, *parameters])
        ids = sorted(pk for (pk,) in cursor.fetchall())  # assigned in the order of the specs
    if len(ids) < len(specs):
        for row in subjects:
            if not row.is_kept():
                raise row.DoesNotExist(messages.not_found(str(row._meta.object_name), row.pk))
        raise QueueFull(Task.objects.of_queue(template.queue).count())
    alias = connection.alias
    return [Task.from_db(alias, ["id"], [pk]) for pk in ids]


def wake(queue: str, lifetime: timedelta | None = None) -> None:
    """Tell a worker to look at this queue. If the message gets lost, the sweep finds the tasks."""
    _send(WORK, queue, lifetime=lifetime)


def wake_parts(parent: int, after: int = 0) -> None:
    """Tell a worker to wake up one for the queue of each part after this one (its id).

    If the message gets lost, the sweep finds them.
    """
    _send(WAKE, parent, after)


def _send(name: str, *arguments: object, lifetime: timedelta | None = None) -> None:
    """Send the message of a Celery task.

    Celery's `send_task` writes more headers and looks at more options, which takes twice as many function calls.
    """
    producer = current_app.producer_pool.acquire(block=True)
    broker: Any = producer.connection
    lost = (*broker.recoverable_connection_errors, *broker.recoverable_channel_errors, OperationalError, OSError)
    try:
        with producer:
            current_app.amqp.send_task_message(producer, name, _message(name, arguments, lifetime))
    except lost as error:
        logger.warning("No message for %s, the next sweep will find it: %s", arguments[0], error)


def _message(name: str, arguments: Sequence[object], lifetime: timedelta | None) -> task_message:
    """A message of Celery's protocol 2, with the headers that a worker needs."""
    headers = {"lang": "py", "task": name, "id": uuid()}
    if lifetime:
        headers["expires"] = (timezone.now() + lifetime).isoformat()
    return task_message(headers, {"correlation_id": headers["id"]}, ([*arguments], {}, {}), None)
