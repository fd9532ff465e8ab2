"""Carrying out tasks: from a wake-up call to finished rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.module_loading import import_string

from inventory.fields import UnreadableSecret
from inventory.leases import Holding, LeaseLost, lease
from inventory.models import Lease, Task
from inventory.services.tasks import finish, wake

logger = logging.getLogger(__name__)

#: Carries out all tasks of a queue and finishes each of them.
Handler = Callable[[Sequence[Task], Holding], None]

#: Read when a cloud is called and not before: one that can't be read must not stop the tasks from being taken.
_SECRETS = ("provider__credentials", "vm__provider__credentials")
#: How old a queued task is before the sweep doubts its message.
OVERDUE = timedelta(seconds=5)


def work_off(queue: str) -> None:
    """Carry out what is queued, all of it together, unless another worker is at it.

    A task that is queued while the lease is held is either seen by its holder, who looks again before it lets
    go, or found here, because this looks again afterwards.
    """
    while Task.objects.of_queue(queue).exists():
        with lease(queue) as holding:
            if holding is None:
                return
            while tasks := _take(queue):
                _carry_out(tasks, holding)


def sweep() -> None:
    """Wake a worker for each queue that has work and nobody at it: its message was lost, or its worker died."""
    now = timezone.now()
    held = Lease.objects.filter(ends_on__gte=now).values("queue")
    overdue = Task.objects.unfinished().filter(created_on__lt=now - OVERDUE).exclude(queue__in=held)
    for queue in overdue.order_by("queue").values_list("queue", flat=True).distinct():
        wake(queue, expires=OVERDUE.total_seconds())


def _take(queue: str) -> list[Task]:
    """All unfinished tasks, now `Active`; one that was so already lost its worker, for the lease is ours."""
    mine = Task.objects.of_queue(queue)
    ids = list(mine.values_list("pk", flat=True))
    now = timezone.now()
    mine.filter(pk__in=ids).order_by().update(
        state=Task.State.ACTIVE, started_on=Coalesce("started_on", now), updated_on=now
    )
    return list(mine.filter(pk__in=ids).select_related("provider", "vm__provider").defer(*_SECRETS))


def _carry_out(tasks: Sequence[Task], holding: Holding) -> None:
    handler: Handler = import_string(settings.TASK_HANDLERS[tasks[0].queue.partition("/")[0]])
    try:
        handler(tasks, holding)
    except (DatabaseError, LeaseLost):
        raise  # the rows still say what is to be done: whoever comes next does it
    except UnreadableSecret as error:
        _fail(tasks, str(error))
    except Exception:
        logger.exception("The tasks of %s failed", tasks[0].queue)
        _fail(tasks, "Portcullis failed to carry this out; its log says why.")


def _fail(tasks: Sequence[Task], reason: str) -> None:
    for task in tasks:
        if task.state != Task.State.FINISHED:
            finish(task, Task.Status.ERROR, reason)
