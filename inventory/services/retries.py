"""What happens between two attempts: tasks show the pause, and can be cancelled or retried during it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min
from django.utils import timezone

from inventory import messages
from inventory.arguments import Notes
from inventory.backoff import Backoff, RestartRequested, Retries, Waiting
from inventory.drivers.exceptions import CloudError
from inventory.drivers.values import Connection
from inventory.encryption import UnreadableSecret
from inventory.leases import QueueLease
from inventory.models import Provider, Task
from inventory.rate_limit import RateLimited
from inventory.services.audience import Audience
from inventory.services.parents import TIME
from inventory.services.tasks import (
    FIRST_FAILURE,
    TaskResult,
    complete_tasks,
    described,
    note,
    save_all,
    set_next_attempt,
)

logger = logging.getLogger(__name__)


def ensure_same_connection(provider: Provider) -> None:
    """Raise `RestartRequested` if the provider's connection has changed since this was loaded."""
    current = Provider.objects.filter(pk=provider.pk).first()
    if current is None or (current.vendor, _connection(current)) != (provider.vendor, _connection(provider)):
        raise RestartRequested


def _connection(provider: Provider) -> Connection | None:
    """None if its credentials can't be read, which is an error only when they are used."""
    try:
        return provider.connection
    except UnreadableSecret:
        return None


class ProviderRetries(Retries):
    """Retries of a call to a provider's cloud, which end if it is disabled, deleted or edited."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def look(self) -> bool:
        self._provider.ensure_enabled()
        ensure_same_connection(self._provider)
        return False


class TaskRetries(ProviderRetries):
    """Retries of tasks that run together, while the lease of their queue is held."""

    def __init__(self, tasks: Sequence[Task], provider: Provider, lease: QueueLease) -> None:
        super().__init__(provider)
        self._tasks = tasks
        self._audience = Audience(provider, tasks)
        self._lease = lease
        self.unsure = any(Notes.read(task.arguments).unsure for task in tasks)
        #: Whether they may have failed before this worker took them.
        self._resumed = True

    def backoff(self) -> Backoff:
        """The remaining backoff, across workers. Editing the provider restarts it."""
        elapsed = [self._elapsed(task, timezone.now()) for task in self._tasks]
        attempts = [task.context_data.get("attempts", 0) for task in self._tasks]
        # Tasks that have failed for longer end before the others, see `_end_the_overdue`.
        return Backoff(_limit().total_seconds(), elapsed=min(elapsed).total_seconds(), attempts=max(attempts))

    def wait(self, waiting: Waiting) -> None:
        self._lease.ensure()
        self._end_the_overdue(waiting)
        is_failure = not isinstance(waiting.error, RateLimited)
        if is_failure and not any(FIRST_FAILURE in task.context_data for task in self._tasks):
            logger.warning("%s failed and will be retried: %s", described(self._tasks), waiting.error)
        self._next = waiting.until
        set_next_attempt(self._tasks, self._next)
        for task in self._tasks:
            reason = self._audience.shown(task, waiting.error)
            task.message = messages.will_retry(waiting.attempts, waiting.until, reason)
            task.context_data["attempts"] = waiting.attempts
            if is_failure:
                task.status = Task.Status.WARN
                task.context_data.setdefault(FIRST_FAILURE, timezone.now().strftime(TIME))
        if self.unsure:
            note(self._tasks, Notes(unsure=True))
        self._save(self._tasks, "status", "message", "next_attempt_on", "context_data", "arguments")

    def look(self) -> bool:
        try:
            super().look()
        except CloudError:
            self.go_on()  # so that nobody cancels a task that ends now
            raise
        waiting = Task.objects.waiting_in(self._tasks[0].queue).order_by()
        current = waiting.aggregate(tasks=Count("pk"), next=Min("next_attempt_on"))
        if current["tasks"] != len(self._tasks):
            raise RestartRequested
        return bool(current["next"] != self._next)

    @transaction.atomic
    def go_on(self) -> None:
        set_next_attempt(self._tasks, None)
        saved = self._save(self._tasks, "next_attempt_on", "context_data")
        if saved < len(self._tasks):
            raise RestartRequested  # one was cancelled, and the others continue to wait

    def succeed(self, waited: bool) -> None:
        has_recovered, self._resumed = waited or self._resumed, False
        failing = [task for task in self._tasks if has_recovered and task.status == Task.Status.WARN]
        for task in failing:
            task.status = Task.Status.OK
            task.message = messages.attempt_succeeded(task.context_data["attempts"] + 1)
        self._save(failing, "status", "message")

    def _save(self, tasks: Sequence[Task], *names: str) -> int:
        """Save these fields, unless another worker may have taken over the tasks."""
        self._lease.ensure()
        return save_all(tasks, [*names, "updated_on"])

    def _end_the_overdue(self, waiting: Waiting) -> None:
        """End the tasks whose time is over before the next attempt. If all are, the backoff itself ends."""
        overdue = [task for task in self._tasks if self._elapsed(task, waiting.until) > _limit()]
        if overdue and len(overdue) < len(self._tasks) and not self.unsure:
            context = {"request_id": waiting.error.request_id}
            complete_tasks(TaskResult(task, Task.Status.ERROR, str(waiting.error), context) for task in overdue)
            raise RestartRequested

    def _elapsed(self, task: Task, now: datetime) -> timedelta:
        if FIRST_FAILURE not in task.context_data:
            return timedelta()
        first_failure = datetime.strptime(task.context_data[FIRST_FAILURE], TIME).replace(tzinfo=UTC)
        return now - max(first_failure, self._provider.updated_on)


def _limit() -> timedelta:
    limit: timedelta = settings.CHANGE_PATIENCE
    return limit
