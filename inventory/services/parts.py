"""Queueing tasks with parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec
import orjson
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils import timezone

from inventory import messages
from inventory.arguments import without_notes
from inventory.db.lookups import Numbers, Texts
from inventory.db.queues import lock_queues
from inventory.models import Provider, Task, Vm
from inventory.services.parents import REFUSED, WAS_CANCELLED, settle
from inventory.services.queueing import TaskSpec, asked_by, is_kept, wake_parts

#: The columns of a part that its parent does not decide, with their types in PostgreSQL.
_OF_PART = {
    "queue": "text",
    "name": "text",
    "message": "text",
    "arguments": "jsonb",
    "context_data": "jsonb",
    "vm_id": "bigint",
    "state": "text",
    "status": "text",
    "pct_complete": "smallint",
    "stage": "smallint",
}
_SHARED = [field for field in Task._meta.concrete_fields if field.column not in {"id", *_OF_PART}]
_COLUMNS = ", ".join([*(f'"{field.column}"' for field in _SHARED), *_OF_PART])
_SOURCE = {
    "postgresql": "{columns} FROM jsonb_to_recordset(%s::jsonb) AS part({types}, place bigint) ORDER BY place",
    "sqlite": "{values} FROM json_each(%s) ORDER BY key",
}
#: What the context of a task says of its outcome.
OUTCOME = frozenset({"before", "after", "network_ports", "effective_rules", "request_id", "attempts"})
#: The parts to queue anew: those that a worker ended, because it can do so again, and those that waited in vain.
_TRIED = Q(started_on__isnull=False) | Q(stage__isnull=False)
_FAILED = Q(state=Task.State.FINISHED, status=Task.Status.ERROR) & _TRIED & ~WAS_CANCELLED


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a task: a task in a queue, of an instance (its id) if it is about one.

    With a `refusal`, which says why, it is finished at once. With a `stage`, it waits until all parts without one
    and of lower stages went well.
    """

    queue: str
    spec: TaskSpec
    vm: int | None = None
    refusal: str | None = None
    stage: int | None = None


@transaction.atomic
def queue_parts(spec: TaskSpec, parts: Sequence[Part], *, user: User, provider: Provider) -> Task:
    """Queue a task with these parts, and wake up workers on commit. A part whose queue is full is refused.

    Raises `DoesNotExist` if the provider was deleted in the meantime.
    """
    if not provider.is_kept():
        raise provider.DoesNotExist(messages.not_found("Provider", provider.pk))
    lock_queues()
    parts = _acceptable(parts)
    parent = Task.objects.create(
        name=spec.name,
        message=spec.message,
        queue="",
        provider=provider,
        arguments=msgspec.to_builtins(spec.arguments),
        context_data=spec.context | {REFUSED: sum(part.refusal is not None for part in parts)},
        **asked_by(user) | {"owner": user if is_kept(user) else None},
    )
    add_parts(parent, parts)
    parent.refresh_from_db()
    return parent


def add_parts(parent: Task, parts: Sequence[Part]) -> list[int]:
    """Insert the parts of a parent, and bring its progress up to date. Returns their ids, in this order.

    Call this in a transaction that has locked the queues.
    """
    now = timezone.now()
    template = Task(
        parent=parent,
        provider_id=parent.provider_id,
        userid=parent.userid,
        owner_id=parent.owner_id,
        request_id=parent.request_id,
        group=parent.group,
        address=parent.address,
        created_on=now,
        updated_on=now,
    )
    values = [field.get_db_prep_save(getattr(template, field.attname), connection) for field in _SHARED]
    rows = [{**_columns(part), "place": place} for place, part in enumerate(parts)]
    as_json = orjson.dumps(rows, default=msgspec.to_builtins).decode()
    source = _SOURCE[connection.vendor].format(
        columns=", ".join(_OF_PART),
        types=", ".join(f"{name} {kind}" for name, kind in _OF_PART.items()),
        values=", ".join(f"json_extract(value, '$.{name}')" for name in _OF_PART),
    )
    slots = ", ".join(["%s"] * len(_SHARED))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Task._meta.db_table} ({_COLUMNS}) SELECT {slots}, {source} RETURNING id",  # nosec B608
            [*values, as_json],
        )
        ids = sorted(pk for (pk,) in cursor.fetchall())
    settle(parent.pk)
    transaction.on_commit(partial(wake_parts, parent.pk))
    return ids


def _columns(part: Part) -> dict[str, Any]:
    spec, is_refused = part.spec, part.refusal is not None
    return {
        "queue": part.queue,
        "name": spec.name,
        "message": part.refusal or spec.message,
        "arguments": spec.arguments,
        "context_data": spec.context,
        "vm_id": part.vm,
        "state": Task.State.FINISHED if is_refused else Task.State.QUEUED,
        "status": Task.Status.ERROR if is_refused else Task.Status.OK,
        "pct_complete": 100 if is_refused else 0,
        "stage": part.stage,
    }


def _acceptable(parts: Sequence[Part]) -> list[Part]:
    """These parts, with a refusal where an instance has gone or a queue is full."""
    kept = Vm.kept({part.vm for part in parts if part.vm is not None})
    full = _full({part.queue for part in parts if part.refusal is None})
    return [_judged(part, kept, full) for part in parts]


def _full(queues: set[str]) -> set[str]:
    waiting = Task.objects.unfinished().filter(queue__among=Texts(queues)).order_by().values("queue")
    crowded = waiting.annotate(waiting=Count("pk")).filter(waiting__gte=settings.QUEUE_LIMIT)
    return set(crowded.values_list("queue", flat=True))


def _judged(part: Part, kept: set[int], full: set[str]) -> Part:
    if part.vm is not None and part.vm not in kept:
        return replace(part, vm=None, refusal=part.refusal or messages.not_found("Vm", part.vm))
    if part.refusal is None and part.queue in full:
        return replace(part, refusal=messages.queue_full(settings.QUEUE_LIMIT))
    return part


@transaction.atomic
def retry_parts(parent: Task) -> bool:
    """Attempt now the parts that wait for it, and queue anew those that failed. Whether there were any.

    A part that failed keeps its row, outside its parent: its place in the queue is behind what was queued since.
    Parts that were refused at once or cancelled stay as they are.
    """
    lock_queues()
    if not Task.objects.select_for_update().filter(pk=parent.pk).exists():
        return False
    parts = Task.objects.filter(parent=parent.pk)
    waiting = parts.unfinished().filter(next_attempt_on__isnull=False).update(next_attempt_on=timezone.now())
    failed = [*parts.filter(_FAILED).select_for_update().order_by("pk")]
    if not failed:
        if waiting:
            transaction.on_commit(partial(wake_parts, parent.pk))
        return bool(waiting)
    Task.objects.filter(pk__among=Numbers(part.pk for part in failed)).update(parent=None)
    Task.objects.filter(pk=parent.pk).update(state=Task.State.ACTIVE, message=parent.name, started_on=None)
    add_parts(parent, _acceptable([_again(part) for part in failed]))
    return True


def _again(failed: Task) -> Part:
    """The same part from its beginning: without what its workers noted and what became of it."""
    context = {name: value for name, value in failed.context_data.items() if name not in OUTCOME}
    arguments: Any = without_notes(failed.arguments)
    spec = TaskSpec(failed.name, failed.name, arguments, context | {"retries": str(failed.pk)})
    return Part(failed.queue, spec, failed.vm_id, stage=failed.stage)
