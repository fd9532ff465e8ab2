"""Events that services write themselves, and the causes of those that triggers write (`inventory.db.events`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from inventory.db.events import NOBODY, Cause, because
from inventory.logs import request_id, running_tasks
from inventory.models import EventStream, Provider, Task
from inventory.origin import origin


def cause_of_request(user: User | None) -> Cause:
    """The request that this thread answers. Without a user, a schedule or a command asks."""
    username = user.get_username() if user else None
    return Cause(EventStream.Source.PORTCULLIS, username, *origin(), request_id.get())


@contextmanager
def on_behalf_of(user: Any) -> Iterator[None]:
    """A transaction that the request of this user causes."""
    with transaction.atomic(), because(cause_of_request(user)):
        yield


def cause_of_task(task: Task) -> Cause:
    """Whoever asked for a task."""
    source = EventStream.Source.PORTCULLIS
    return Cause(source, task.userid, task.group, task.address, task.request_id, task.pk)


def cause_of_refresh() -> Cause:
    """The refresh that this thread runs, and who asked for it."""
    tasks = running_tasks.get()
    return replace(cause_of_task(cast(Task, tasks[0])), source=NOBODY.source) if tasks else NOBODY


def found_at_cloud() -> Cause:
    """What the tasks that this thread runs found. Whoever asked for them has not done it."""
    tasks = running_tasks.get()
    return Cause(task_id=tasks[0].pk) if tasks else NOBODY


def record_event(
    event_type: str,
    message: str,
    cause: Cause,
    *,
    provider: Provider | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    counted_as: str | None = None,
) -> bool:
    """Write an event. Call it in the transaction of what it tells of.

    Returns whether it was written: another one may be `counted_as` the same.
    """
    event = {
        "event_type": event_type,
        "timestamp": timezone.now(),
        "message": message,
        "ems_id": provider.pk if provider else None,
        "full_data": {"before": before, "after": after},
        **cause.attributes(),
    }
    if counted_as is None:
        EventStream.objects.create(**event)
        return True
    return EventStream.objects.get_or_create(counted_as=counted_as, defaults=event)[1]
