"""The progress of tasks with parts, their stages, and their end.

A part may wait for a stage. Once all parts that may run are finished, and none has failed, those of the next stage
may run. If one has failed, the parts that wait end as errors, without an attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, Min, Q, QuerySet
from django.utils import timezone

from inventory import messages
from inventory.db.statements import CompiledQuery, Param
from inventory.models import Task
from inventory.services.queueing import wake_parts

#: Keys in the context of a parent: its estimated end, and how many of its parts were refused at once.
ESTIMATE, REFUSED = "estimated_end_on", "refused"
#: The key in the context of a cancelled task.
CANCELLED = "cancelled"
#: The columns that tell of the progress of a parent.
PROGRESS = ("state", "status", "pct_complete", "message", "started_on", "context_data")
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
#: How old the progress of a parent is at least before the end of a part makes it new.
PAUSE = timedelta(seconds=1)

_FINISHED = Q(state=Task.State.FINISHED)
WAS_CANCELLED = Q(context_data__has_key=CANCELLED)
_COUNTS: Mapping[str, Count] = {
    "total": Count("pk"),
    "queued": Count("pk", filter=Q(state=Task.State.QUEUED)),
    "active": Count("pk", filter=Q(state=Task.State.ACTIVE)),
    "ok": Count("pk", filter=_FINISHED & Q(status=Task.Status.OK)),
    "warn": Count("pk", filter=_FINISHED & Q(status=Task.Status.WARN)),
    "error": Count("pk", filter=_FINISHED & Q(status=Task.Status.ERROR) & ~WAS_CANCELLED),
    "cancelled": Count("pk", filter=_FINISHED & WAS_CANCELLED),
}
#: What decides whether the next stage begins.
_STAGES: Mapping[str, Count | Min] = {
    "running": Count("pk", filter=~_FINISHED & Q(stage=None)),
    "failed": Count("pk", filter=_FINISHED & Q(stage=None, status=Task.Status.ERROR)),
    "next": Min("stage", filter=~_FINISHED),
}


def _is_due() -> Any:
    parts = Task.objects.may_run().filter(parent=Param("parent")).order_by()
    parents = Task.objects.unfinished().filter(pk=Param("parent"))
    return parents.filter(Q(updated_on__lt=Param("before")) | ~Exists(parts)).values_list("pk")


#: The parent, if its progress is old, or if all parts that may run are finished.
_DUE = CompiledQuery(_is_due)


def settle_parents(parents: Collection[int]) -> None:
    """Bring the progress of these parents (ids) up to date, and end those whose parts are all finished.

    Call this after the transaction that changed a part. If two parts end at the same time, the later of the two
    calls sees both. If a worker dies before it, the next sweep does this.
    """
    for parent in parents:
        if any(_DUE(parent=parent, before=timezone.now() - PAUSE)):
            settle(parent)


def settle_unfinished() -> None:
    """The same for all parents."""
    unfinished = Task.objects.unfinished().with_parts().order_by("pk")
    for parent in unfinished.values_list("pk", flat=True):
        settle(parent)


@transaction.atomic
def settle(parent: int) -> None:
    """Bring the progress of one parent up to date, begin its next stage, and end it if all parts are finished."""
    task = Task.objects.select_for_update().unfinished().filter(pk=parent).first()
    if task is None:
        return
    counts = _counted(parent)
    if counts.items() <= task.context_data.items() and counts["queued"] + counts["active"]:
        return
    now = timezone.now()
    _set_progress(task, counts)
    if task.state != Task.State.QUEUED:
        task.started_on = task.started_on or now
    task.context_data |= counts
    task.context_data.pop(ESTIMATE, None)
    if estimate := _estimate(task, now):
        task.context_data[ESTIMATE] = estimate.strftime(TIME)
    task.save(update_fields=[*PROGRESS, "updated_on"])


def _counted(parent: int) -> dict[str, int]:
    """The numbers of its parts, once the next stage has begun if it is time."""
    parts = Task.objects.filter(parent=parent)
    numbers: dict[str, Any] = parts.aggregate(**_COUNTS, **_STAGES)
    running, failed, stage = (numbers.pop(name) for name in _STAGES)
    if running or stage is None:
        return numbers
    waiting = parts.unfinished().exclude(stage=None)
    if failed:
        _give_up(parent, waiting)
        return parts.aggregate(**_COUNTS)
    waiting.filter(stage=stage).update(stage=None, updated_on=timezone.now())
    transaction.on_commit(partial(wake_parts, parent), robust=True)  # the sweep would do it, too
    return numbers


def _give_up(parent: int, waiting: QuerySet[Task]) -> None:
    """End the parts that wait for a stage that never comes."""
    failed = Task.objects.filter(_FINISHED, parent=parent, stage=None, status=Task.Status.ERROR)
    pks = [*failed.order_by("pk").values_list("pk", flat=True)]
    waiting.update(
        state=Task.State.FINISHED,
        status=Task.Status.ERROR,
        message=messages.not_attempted(pks),
        pct_complete=100,
        updated_on=timezone.now(),
    )


def _set_progress(task: Task, counts: Mapping[str, int]) -> None:
    total, unfinished = counts["total"], counts["queued"] + counts["active"]
    failed = counts["error"] + counts["cancelled"]
    task.pct_complete = 100 * (total - unfinished) // total if total else 100
    task.status = Task.Status.WARN if failed or counts["warn"] else Task.Status.OK
    if unfinished:
        has_begun = counts["queued"] + task.context_data[REFUSED] < total
        task.state = Task.State.ACTIVE if has_begun else Task.State.QUEUED
        return
    task.state = Task.State.FINISHED
    task.message = messages.parts_ended(task.name, counts)
    if failed == total:
        task.status = Task.Status.ERROR


def _estimate(task: Task, now: datetime) -> datetime | None:
    """The end of a parent, if the rest takes as long as what was done; None if nothing was."""
    counts = task.context_data
    unfinished = counts["queued"] + counts["active"]
    done = counts["total"] - unfinished - counts[REFUSED]
    if task.started_on is None or not unfinished or done <= 0:
        return None
    remaining: timedelta = (now - task.started_on) * unfinished / done
    return now + remaining
