"""Deleting disconnected providers, in batches of rows; rows with foreign keys go before those they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

from django.db import transaction
from django.db.models import CASCADE, SET_NULL, Model, QuerySet
from django.utils import timezone

from inventory import messages, refresh
from inventory.arguments import DeletionNotes, ProviderRefresh, provider_task
from inventory.backoff import ShutdownRequested, stop
from inventory.db.bulk import among
from inventory.db.events import UNRECORDED, because
from inventory.leases import QueueLease
from inventory.models import Provider, Task
from inventory.services.providers import end_queued_tasks
from inventory.services.rights import OwnersRights
from inventory.services.tasks import TaskResult, complete_tasks, note, readable, save_all

#: Rows in one transaction, few enough that others don't wait long.
BATCH = 2_000

Models = type[Model]


def handle_provider_tasks(tasks: Sequence[Task], lease: QueueLease) -> None:
    """Handle the queue of a provider: its refreshes, then its deletion."""
    refreshes: dict[Task, ProviderRefresh] = {}
    deletions: list[Task] = []
    for task, arguments in readable(tasks, provider_task, lease).items():
        if isinstance(arguments, ProviderRefresh):
            refreshes[task] = arguments
        else:
            deletions.append(task)
    if refreshes := _permitted(refreshes):
        refresh.handle_refresh_tasks(refreshes, lease)
    if deletions:
        _Deletion(deletions, lease).run()


def _permitted(refreshes: Mapping[Task, ProviderRefresh]) -> dict[Task, ProviderRefresh]:
    """The refreshes whose owners may still request them. Ends the others.

    A deletion is done once it is accepted: its task only removes what nobody sees any more.
    """
    provider = next((task.provider for task in refreshes), None)
    if provider is None:
        return {**refreshes}
    rights = OwnersRights()
    permitted = {
        task: arguments
        for task, arguments in refreshes.items()
        if rights.allow_refresh(task, provider, in_part=arguments.within is not None)
    }
    complete_tasks(
        TaskResult(task, Task.Status.ERROR, messages.RIGHT_LOST) for task in refreshes if task not in permitted
    )
    return permitted


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to the rows of a model whose `owner` (a lookup) is the provider.

    They are deleted. If `named` is set, that foreign key is set to null instead.
    """

    model: Models
    owner: str
    named: str | None = None

    def rows(self, provider: int) -> QuerySet[Any]:
        return self.model._base_manager.filter(**{self.owner: provider})

    def execute(self, keys: Sequence[int]) -> None:
        rows = self.model._base_manager.filter(pk__in=among(keys))
        if self.named:
            rows.update(**{self.named: None})
        else:
            rows._raw_delete(rows.db)  # nothing refers to them, and no signals are needed


@cache
def steps() -> tuple[Step, ...]:
    """The steps before the provider itself is deleted, in their order, from the models' foreign keys."""
    owners: dict[Models, str] = {Provider: "pk"}
    for model, owner in _growing(owners):
        for child, field, on_delete in _references(model):
            if on_delete is CASCADE:
                owners.setdefault(child, f"{field}__{owner}")
    detachments = [
        Step(child, f"{field}__{owner}", named=field)
        for model, owner in owners.items()
        for child, field, on_delete in _references(model)
        if on_delete is SET_NULL and child not in owners
    ]
    referrers = {model: {child for child, *_ in _references(model) if child in owners} for model in owners}
    deletions = [Step(model, owners[model]) for model in TopologicalSorter(referrers).static_order()]
    return (*detachments, *deletions[:-1])


def _growing(mapping: Mapping[Models, str]) -> Iterator[tuple[Models, str]]:
    """The items of a mapping, including those added during the iteration."""
    position = 0
    while position < len(mapping):
        yield list(mapping.items())[position]
        position += 1


def _references(model: Models) -> list[tuple[Models, str, Any]]:
    """The foreign keys to a model: their models, names and `on_delete`."""
    relations: list[Any] = [
        field for field in model._meta.get_fields(include_hidden=True) if field.one_to_many and field.auto_created
    ]
    return [(relation.related_model, relation.field.name, relation.on_delete) for relation in relations]


class _Deletion:
    """The deletion of one provider, which continues where an earlier worker stopped."""

    def __init__(self, tasks: Sequence[Task], lease: QueueLease) -> None:
        self.tasks = tasks
        self.lease = lease
        self.provider = int(tasks[0].queue.partition("/")[2])
        self.name = tasks[0].context_data["provider"]
        #: Rows in total, and deleted so far.
        self.total = self.done = 0

    def run(self) -> None:
        self._outwait_writers()
        self._look_how_far_it_is()
        for step in steps():
            keys = list(step.rows(self.provider).order_by().values_list("pk", flat=True))
            for start in range(0, len(keys), BATCH):
                self._execute(step, keys[start : start + BATCH])
        self.lease.ensure()
        with transaction.atomic():
            Provider.objects.filter(pk=self.provider)._raw_delete(Provider.objects.db)
            complete_tasks(TaskResult(task, Task.Status.OK, messages.deleted(self.name)) for task in self.tasks)

    def _outwait_writers(self) -> None:
        """Wait for writers that began before the deletion was accepted. No others begin."""
        with transaction.atomic():
            for provider in Provider.objects.select_for_update().filter(pk=self.provider).only("pk"):
                end_queued_tasks(provider)

    def _look_how_far_it_is(self) -> None:
        remaining = sum(step.rows(self.provider).count() for step in steps())
        self.total = max(DeletionNotes.read(self.tasks[0].arguments).rows, remaining)
        self.done = self.total - remaining
        note(self.tasks, DeletionNotes(rows=self.total))
        save_all(self.tasks, ["arguments"])

    def _execute(self, step: Step, keys: Sequence[int]) -> None:
        if stop.is_asked():
            raise ShutdownRequested
        self.lease.ensure()
        self.done = min(self.done + len(keys), self.total)
        with transaction.atomic(), because(UNRECORDED):  # one event told of it all
            step.execute(keys)
            Task.objects.filter(pk__in=[task.pk for task in self.tasks]).update(
                message=messages.deleting_rows(self.name, self.done, self.total),
                pct_complete=99 * self.done // self.total,
                updated_on=timezone.now(),
            )
