"""Queueing the tasks that take back what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from msgspec import UNSET

from inventory.arguments import Arguments
from inventory.db.bulk import update_rows
from inventory.db.clock import database_now
from inventory.models import Task
from inventory.services import TaskSpec
from inventory.services.queueing import SYSTEM, wake
from secgroups import messages
from secgroups.arguments import MembershipChange, RuleEnding, WantedGroup
from secgroups.expirations import pause_after
from secgroups.models import Expiration, TemporaryMembership

#: Expirations in one transaction.
BATCH = 1_000


def queue_due_endings() -> int:
    """Queue a task for each expiration that is due by the database's clock. Returns how many.

    If there are none, it is one query of an index. However they end, the next attempts are planned with growing
    pauses: an expiration is gone once it is taken back.
    """
    number = 0
    if not Expiration.objects.due().exists():
        return number
    while queued := _queue_some():
        for queue in dict.fromkeys(task.queue for task in queued if task):
            wake(queue)
        number += len(queued)
        if len(queued) < BATCH:
            break
    return number


@transaction.atomic
def _queue_some() -> Sequence[Task | None]:
    """The tasks of one batch; None for what is on no instance for now."""
    rows = list(_locked(Expiration.objects.due())[:BATCH])
    if not rows:
        return []
    now = database_now()
    tasks = [_task(row) for row in rows]
    Task.objects.bulk_create(filter(None, tasks))
    paused = (
        (row.pk, now + pause_after(row.attempts), row.attempts + 1, False, task and task.pk)
        for row, task in zip(rows, tasks, strict=True)
    )
    update_rows(Expiration, ["due_on", "attempts", "is_ending", "removal"], paused)
    return tasks


def _locked(rows: QuerySet[Expiration]) -> QuerySet[Any]:
    """With what their tasks name. What another process is about to queue or to change is left to it."""
    skips = connection.features.has_select_for_update_skip_locked
    rows = rows.select_for_update(of=("self",), skip_locked=True) if skips else rows
    return with_place(rows)


def with_place(rows: QuerySet[Expiration]) -> QuerySet[Any]:
    """With the instance that has their ports now, and with what their tasks name."""
    ports = TemporaryMembership.objects.filter(expiration=OuterRef("pk"), network_port__vm__isnull=False)
    of_port = Subquery(ports.order_by("network_port__vm").values("network_port__vm")[:1])
    name, tenant = (
        Subquery(ports.order_by("network_port__vm").values(f"network_port__vm__{column}")[:1])
        for column in ("name", "cloud_tenant")
    )
    named = rows.select_related("security_group", "vm", "firewall_rule", "provider").defer("provider__credentials")
    return named.annotate(place=of_port, place_name=name, place_tenant=tenant)


@dataclass(frozen=True, slots=True)
class Removal:
    """The task that takes back what an expiration is about, in this queue; `vm` is the instance (id), if any."""

    queue: str
    spec: TaskSpec
    vm: int | None = None


def _task(row: Any) -> Task | None:
    """A task that nobody asks for now. Its context says who asked for the end."""
    if (removal := removal_of(row)) is None:
        return None
    return Task(
        queue=removal.queue,
        name=removal.spec.name,
        message=removal.spec.message,
        userid=SYSTEM,
        arguments=msgspec.to_builtins(removal.spec.arguments),
        context_data=removal.spec.context,
        provider_id=row.provider_id,
        vm_id=removal.vm,
    )


def removal_of(row: Any) -> Removal | None:
    """How to take back what an expiration is about, of `with_place`; None if it is on no instance."""
    if row.is_of_rule:
        return _of_rule(row)
    if row.place is not None:
        vm, name, tenant = row.place, row.place_name, row.place_tenant
    elif row.vm and row.noted:
        vm, name, tenant = row.vm_id, row.vm.name, row.vm.cloud_tenant_id
    else:
        return None
    group = row.security_group
    subject = messages.change_of("remove", messages.group_called(group.name), name)
    arguments = MembershipChange(
        action="remove",
        group=WantedGroup(name=group.name, ems_ref=group.ems_ref),
        expiration=row.pk,
        names_others=UNSET if group.cloud_tenant_id == tenant else True,
    )
    shown = {"name": group.name, "ems_ref": group.ems_ref}
    context = {"action": "remove", "instance": name, "security_group": shown}
    return Removal(f"vms/{vm}", _spec(row, messages.doing("remove", subject), arguments, context), vm)


def _of_rule(row: Any) -> Removal:
    group, rule = row.security_group, row.firewall_rule
    subject = messages.rule_of(rule and rule.ems_ref, group.name)
    arguments = RuleEnding(subject=subject, group_ref=group.ems_ref, expiration=row.pk)
    context = {
        "action": "delete",
        "provider": row.provider.name,
        "security_group": {"id": str(group.pk), "name": group.name, "ems_ref": group.ems_ref},
        "firewall_rule": {"id": rule and str(rule.pk), "ems_ref": rule and rule.ems_ref},
    }
    spec = _spec(row, messages.doing("delete", subject), arguments, context)
    return Removal(f"security_groups/{row.provider_id}", spec)


def _spec(row: Any, doing: str, arguments: Arguments, context: dict[str, Any]) -> TaskSpec:
    told = {
        "id": str(row.pk),
        "expires_on": row.expires_on.isoformat(),
        "reason": row.reason,
        "userid": row.userid,
        "task_id": row.task_id and str(row.task_id),
    }
    message = messages.ending_of(doing)
    return TaskSpec(message, message, arguments, context | {"expiration": told})
