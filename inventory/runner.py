"""Carrying out tasks: from a wake-up call to finished rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import BoundedSemaphore

from django.conf import settings
from django.utils.module_loading import import_string

from inventory import overdue
from inventory.backoff import RestartRequested, ShutdownRequested, stop
from inventory.faults import unforeseen
from inventory.fields import UnreadableSecret
from inventory.leases import QueueLease, hold_lease
from inventory.models import Task
from inventory.services.queueing import wake
from inventory.services.tasks import begin, finish

logger = logging.getLogger(__name__)

#: Carries out all tasks of a queue and finishes each of them.
Handler = Callable[[Sequence[Task], QueueLease], None]

#: How old a queued task is before the sweep doubts its message.
SWEEP_AFTER = timedelta(seconds=5)
#: A refresh may take minutes: half of the threads are always left to what takes seconds.
_refreshing = BoundedSemaphore(max(1, settings.CELERY_WORKER_CONCURRENCY // 2))


def run_queue(queue: str) -> None:
    """Carry out what is queued, all of it together, unless another worker is at it.

    A task that is queued while the lease is held is either seen by its holder, who looks again before it lets
    go, or found here, because this looks again afterwards.
    """
    with _refresh_slot(queue) as has_slot:
        if has_slot:
            _run_queue(queue)


@contextmanager
def _refresh_slot(queue: str) -> Iterator[bool]:
    """Whether this worker has a thread for it; what it has none for is found by the next sweep."""
    if not queue.startswith("providers/"):
        yield True
        return
    has_slot = _refreshing.acquire(blocking=False)
    try:
        yield has_slot
    finally:
        if has_slot:
            _refreshing.release()


def _run_queue(queue: str) -> None:
    while Task.objects.of_queue(queue).exists():
        with hold_lease(queue) as lease:
            if lease is None:
                return
            try:
                while not stop.is_asked() and (tasks := _claim_tasks(queue)):
                    with suppress(RestartRequested):
                        _handle(tasks, lease)
            except ShutdownRequested:
                logger.info("Handed %s back", queue)
        if stop.is_asked():
            return  # the sweep of another finds what is left


def sweep() -> None:
    """Wake a worker for each queue that has work and nobody at it: its message was lost, or its worker died."""
    for queue in overdue.tasks(SWEEP_AFTER).order_by("queue").values_list("queue", flat=True).distinct():
        wake(queue, expires=SWEEP_AFTER.total_seconds())


def _claim_tasks(queue: str) -> list[Task]:
    """All unfinished tasks, now `Active`; one that was so already lost its worker, for the lease is ours."""
    tasks = list(Task.objects.of_queue(queue))
    for task in tasks:
        task.interrupted = task.state == Task.State.ACTIVE and task.next_attempt_on is None
    return begin(tasks)


def _handle(tasks: Sequence[Task], lease: QueueLease) -> None:
    handler: Handler = import_string(settings.TASK_HANDLERS[tasks[0].queue.partition("/")[0]])
    try:
        handler(tasks, lease)
        return
    except UnreadableSecret as error:
        reason = str(error)
    except Exception as error:
        reason = unforeseen(error, f"The tasks of {tasks[0].queue}")
    lease.ensure()
    _fail(tasks, reason)


def _fail(tasks: Sequence[Task], reason: str) -> None:
    """End those that the handler did not, as the database knows it: what it rolled back is not finished."""
    for task in Task.objects.unfinished().filter(pk__in=[task.pk for task in tasks]):
        finish(task, Task.Status.ERROR, reason)
