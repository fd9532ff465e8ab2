"""Running edits: the tasks of a provider's groups and rules, one after the other, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from inventory.backoff import Backoff
from inventory.db.events import because
from inventory.drivers.exceptions import CloudError
from inventory.faults import seeing_others, unforeseen
from inventory.leases import QueueLease
from inventory.logs import running
from inventory.messages import PROVIDER_DELETED, unrecorded
from inventory.models import Provider, Task
from inventory.rate_limit import SharedRateLimiter
from inventory.services import (
    Audience,
    TaskRetries,
    begin,
    cause_of_task,
    ensure_same_connection,
    finish,
    found_at_cloud,
    put_back,
    readable,
)
from secgroups.arguments import (
    EditArguments,
    GroupCreation,
    GroupDeletion,
    GroupEdit,
    GroupRestoration,
    PortDetachment,
    RuleCreation,
    RuleDeletion,
    RuleDetachment,
    RuleEnding,
    edit_task,
)
from secgroups.editing.base import EditHandler, RetryingWriter
from secgroups.editing.detaching import DetachPort, DetachRules
from secgroups.editing.endings import EndRule, abandon
from secgroups.editing.groups import CreateGroup, DeleteGroup, EditGroup
from secgroups.editing.restoring import RestoreGroup
from secgroups.editing.rules import CreateRule, DeleteRule
from secgroups.exposures import settle_exposures
from secgroups.messages import cannot

#: The handler of each kind of edit.
EDITS: Mapping[type[EditArguments], type[EditHandler[Any]]] = {
    GroupCreation: CreateGroup,
    GroupRestoration: RestoreGroup,
    GroupEdit: EditGroup,
    GroupDeletion: DeleteGroup,
    RuleCreation: CreateRule,
    RuleDeletion: DeleteRule,
    RuleEnding: EndRule,
    PortDetachment: DetachPort,
    RuleDetachment: DetachRules,
}


def handle_edit_tasks(tasks: Sequence[Task], lease: QueueLease) -> None:
    """Handle the queued edits of one provider."""
    provider = tasks[0].provider
    if provider is None:
        for task in tasks:
            finish(task, Task.Status.ERROR, PROVIDER_DELETED)
        return
    edits = readable(tasks, edit_task, lease)
    put_back([*edits][1:])
    driver = provider.driver(SharedRateLimiter(provider))
    backoff: Backoff | None = None
    for task, arguments in edits.items():
        ensure_same_connection(provider)
        if not begin([task]):
            continue
        retries = TaskRetries([task], provider, lease)
        retries.unsure |= task.interrupted
        # If a task's backoff ended without an answer, each following task tries only once, until one succeeds.
        backoff = backoff or retries.backoff()
        with running([task]):
            if _execute(task, arguments, provider, RetryingWriter(driver, lease, backoff, retries)):
                backoff = None


def _execute(task: Task, arguments: EditArguments, provider: Provider, cloud: RetryingWriter) -> bool:
    """Run one task to its end, whatever happens. Returns whether the cloud answered."""
    lease = cloud.lease
    edit: EditHandler[Any] | None = None
    try:
        provider.ensure_enabled()
        edit = EDITS[type(arguments)](task, arguments, provider, cloud)
        if not cloud.unsure:  # otherwise the cloud may have it
            edit.ensure_permitted()
        edit.ensure_unobstructed()
        edit.execute()
        cloud.done = True
        lease.ensure()
        seeing_others(_record, task, provider, edit)
    except CloudError as error:
        lease.ensure()
        shown = Audience(provider, [task]).shown(task, error)
        _end(task, arguments, edit, str(shown), request_id=shown.request_id)
        return error.permanent
    except Exception as error:
        reason = unforeseen(error, task)
        lease.ensure()
        # Reload it: its changes may be impossible to save.
        _end(Task.objects.get(pk=task.pk), arguments, edit, reason)
    return True


@transaction.atomic
def _record(task: Task, provider: Provider, edit: EditHandler[Any]) -> None:
    with because(cause_of_task(task) if edit.changed else found_at_cloud()):
        recorded = _recorded(edit) if provider.is_kept() else {}
    settle_exposures(provider.pk, own=True)
    finish(task, edit.status, edit.message, **recorded, request_id=edit.request_id)


def _recorded(edit: EditHandler[Any]) -> dict[str, Any]:
    """Record an edit. Returns what its task shows, with the rules that it creates or deletes."""
    deletes = edit.arguments.verb == "delete"
    before = edit.effect() if deletes else {}
    recorded = edit.record()
    return recorded | (before if deletes else edit.effect())


def _end(task: Task, arguments: EditArguments, edit: EditHandler[Any] | None, reason: str, **context: Any) -> None:
    """End a task after an error, with its outcome at the cloud."""
    if edit and edit.cloud.done:
        finish(task, Task.Status.WARN, unrecorded(edit.message, reason), **context)
        return
    with transaction.atomic():
        if edit and not edit.cloud.unsure and isinstance(arguments, RuleCreation):
            abandon(task)
        finish(task, Task.Status.ERROR, cannot(arguments.verb, arguments.subject, reason), **context)
