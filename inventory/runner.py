"""Running tasks, from a wake-up message to finished rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import BoundedSemaphore

from django.conf import settings
from django.db.models import F
from django.utils.module_loading import import_string

from inventory import overdue
from inventory.backoff import RestartRequested, ShutdownRequested, stop
from inventory.db.statements import CompiledQuery, Param
from inventory.encryption import UnreadableSecret
from inventory.faults import unforeseen
from inventory.leases import QueueLease, hold_lease
from inventory.logs import running
from inventory.models import Task
from inventory.services.parents import settle_unfinished
from inventory.services.queueing import wake
from inventory.services.queueing import wake_parts as wake_next
from inventory.services.tasks import begin, finish
from inventory.tracing import span_of_tasks

logger = logging.getLogger(__name__)

#: Runs all tasks of a queue and finishes each of them.
Handler = Callable[[Sequence[Task], QueueLease], None]

#: The age of a queued task at which the sweep takes its message for lost.
SWEEP_AFTER = timedelta(seconds=5)
#: How many parts of a task are woken up together.
SLICE = 100
#: A refresh may take minutes, so half of the threads are reserved for tasks that take seconds.
_refreshing = BoundedSemaphore(max(1, settings.CELERY_WORKER_CONCURRENCY // 2))

# The plans of these queries depend on their values: only with them does the index of unfinished tasks fit.
#: The first unfinished task of a queue.
_UNFINISHED = CompiledQuery(lambda: Task.objects.of_queue(Param("queue")).values_list("pk")[:1], planned=False)
#: The unfinished tasks of a queue, with the names of their clouds.
_TASKS = CompiledQuery(
    lambda: Task.objects.of_queue(Param("queue")).annotate(
        vendor=F("provider__vendor"), provider_name=F("provider__name")
    ),
    planned=False,
)


def run_queue(queue: str) -> None:
    """Run the tasks of a queue together, unless another worker holds its lease.

    No task is missed: a holder looks again before it releases the lease, and this looks again afterwards.
    """
    with _refresh_slot(queue) as has_slot:
        if has_slot:
            _run_queue(queue)


@contextmanager
def _refresh_slot(queue: str) -> Iterator[bool]:
    """Whether this worker has a thread for it. Otherwise the next sweep finds the task."""
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
    while any(_UNFINISHED(queue=queue)):
        with hold_lease(queue) as lease:
            if lease is None:
                return
            try:
                while not stop.is_asked() and (tasks := _claim_tasks(queue)):
                    with suppress(RestartRequested), running(tasks), span_of_tasks():
                        _handle(tasks, lease)
            except ShutdownRequested:
                logger.info("Handed %s back", queue)
        if stop.is_asked():
            return  # another worker's sweep finds the rest


def sweep() -> None:
    """Wake up a worker for each queue that has tasks but no worker: a message was lost, or a worker died.

    Also end parents whose last part ended without a word, for the same reasons.
    """
    waiting = overdue.tasks(SWEEP_AFTER)
    alone = waiting.filter(parent=None).order_by("queue").values_list("queue", flat=True).distinct()
    parts = waiting.filter(parent__isnull=False).order_by("pk").values_list("queue", flat=True)[: 2 * SLICE]
    for queue in dict.fromkeys((*alone, *parts)):
        wake(queue, SWEEP_AFTER)
    settle_unfinished()


def wake_parts(parent: int, after: int) -> None:
    """Wake up a worker for the queue of each part that may run after this one (its id).

    It is done in slices, with a message for the next one behind each, so that messages for others, which come
    meanwhile, need not wait for all of them.
    """
    parts = Task.objects.may_run().filter(parent=parent, pk__gt=after).order_by("pk")
    rows = [*parts.values_list("pk", "queue")[:SLICE]]
    for _, queue in rows:
        wake(queue)
    if len(rows) == SLICE:
        last, _ = rows[-1]
        wake_next(parent, last)


def _claim_tasks(queue: str) -> list[Task]:
    """Claim all unfinished tasks. One that is already `Active` has lost its worker, because we hold the lease."""
    tasks = _TASKS.instances(queue=queue)
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
    """End the tasks that are still unfinished in the database."""
    for task in Task.objects.unfinished().filter(pk__in=[task.pk for task in tasks]):
        finish(task, Task.Status.ERROR, reason)
