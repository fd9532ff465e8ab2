"""Deleting a provider whose deletion was accepted: its rows go in batches, those that name others first."""

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
from inventory.leases import QueueLease
from inventory.models import Provider, Task
from inventory.services.providers import end_queued_tasks
from inventory.services.tasks import TaskResult, complete_tasks, note, readable, save_all

#: Rows in one transaction: so few that nobody waits for it.
BATCH = 2_000

Models = type[Model]


def handle_provider_tasks(tasks: Sequence[Task], lease: QueueLease) -> None:
    """Handle what is queued for a provider as a whole: its refreshes and, after them, its deletion."""
    refreshes: dict[Task, ProviderRefresh] = {}
    deletions: list[Task] = []
    for task, asked in readable(tasks, provider_task, lease).items():
        if isinstance(asked, ProviderRefresh):
            refreshes[task] = asked
        else:
            deletions.append(task)
    if refreshes:
        refresh.handle_refresh_tasks(refreshes, lease)
    if deletions:
        _Deletion(deletions, lease).run()


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of the rows of a model whose `owner`, a lookup, is the provider.

    They are deleted; where a column is `named`, they only stop naming what is.
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
            rows._raw_delete(rows.db)  # nothing names them, and nobody listens


@cache
def steps() -> tuple[Step, ...]:
    """What is done before the provider itself is deleted, in this order, as the models' foreign keys say."""
    owners: dict[Models, str] = {Provider: "pk"}
    for model, owner in _growing(owners):
        for child, field, on_delete in _references(model):
            if on_delete is CASCADE:
                owners.setdefault(child, f"{field}__{owner}")
    kept = [
        Step(child, f"{field}__{owner}", named=field)
        for model, owner in owners.items()
        for child, field, on_delete in _references(model)
        if on_delete is SET_NULL and child not in owners
    ]
    before = {model: {child for child, *_ in _references(model) if child in owners} for model in owners}
    deleted = [Step(model, owners[model]) for model in TopologicalSorter(before).static_order()]
    return (*kept, *deleted[:-1])


def _growing(found: Mapping[Models, str]) -> Iterator[tuple[Models, str]]:
    """The items of a mapping, those included that are added meanwhile."""
    seen = 0
    while seen < len(found):
        yield list(found.items())[seen]
        seen += 1


def _references(model: Models) -> list[tuple[Models, str, Any]]:
    """The foreign keys to a model: whose each is, what it is called, and what becomes of it."""
    relations: list[Any] = [
        field for field in model._meta.get_fields(include_hidden=True) if field.one_to_many and field.auto_created
    ]
    return [(relation.related_model, relation.field.name, relation.on_delete) for relation in relations]


class _Deletion:
    """The deletion of one provider, which goes on where a worker before this one left off."""

    def __init__(self, tasks: Sequence[Task], lease: QueueLease) -> None:
        self.tasks = tasks
        self.lease = lease
        self.provider = int(tasks[0].queue.partition("/")[2])
        self.name = tasks[0].context_data["provider"]
        #: Rows that there were at the beginning, and that are gone.
        self.total = self.done = 0

    def run(self) -> None:
        self._outwait_writers()
        self._look_how_far_it_is()
        for step in steps():
            keys = list(step.rows(self.provider).order_by().values_list("pk", flat=True))
            for at in range(0, len(keys), BATCH):
                self._execute(step, keys[at : at + BATCH])
        self.lease.ensure()
        with transaction.atomic():
            Provider.objects.filter(pk=self.provider)._raw_delete(Provider.objects.db)
            complete_tasks(TaskResult(task, Task.Status.OK, messages.deleted(self.name)) for task in self.tasks)

    def _outwait_writers(self) -> None:
        """Whoever writes rows of it since before this was accepted comes to an end; nobody else begins."""
        with transaction.atomic():
            for provider in Provider.objects.select_for_update().filter(pk=self.provider).only("pk"):
                end_queued_tasks(provider)

    def _look_how_far_it_is(self) -> None:
        left = sum(step.rows(self.provider).count() for step in steps())
        self.total = max(DeletionNotes.read(self.tasks[0].arguments).rows, left)
        self.done = self.total - left
        note(self.tasks, DeletionNotes(rows=self.total))
        save_all(self.tasks, ["arguments"])

    def _execute(self, step: Step, keys: Sequence[int]) -> None:
        if stop.is_asked():
            raise ShutdownRequested
        self.lease.ensure()
        self.done = min(self.done + len(keys), self.total)
        with transaction.atomic():
            step.execute(keys)
            Task.objects.filter(pk__in=[task.pk for task in self.tasks]).update(
                message=messages.deleting_rows(self.name, self.done, self.total),
                pct_complete=99 * self.done // self.total,
                updated_on=timezone.now(),
            )
