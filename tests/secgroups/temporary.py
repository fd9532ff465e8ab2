"""Groups that instances have for a while, and their ends, as the tests of expirations make them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from inventory.db.clock import database_now
from inventory.models import Task, Vm
from inventory.runner import _claim_tasks
from secgroups.arguments import Ending
from secgroups.changes import handle_membership_tasks
from secgroups.editing import handle_edit_tasks
from secgroups.models import Expiration
from secgroups.services import Accepted, GroupReference, queue_due_endings, request_changes
from tests.clouds import Grip

HANDLERS: dict[str, Any] = {"vms": handle_membership_tasks, "security_groups": handle_edit_tasks}


def ending(hours: float = 1, reason: str | None = "to look") -> Ending:
    return Ending(database_now() + timedelta(hours=hours), reason)


def queue_add(vm: Vm, group: str = "web", end: Ending | None = None, ports: tuple[str, ...] = ()) -> Task:
    """The task that adds a group until this end, or for good."""
    reference = GroupReference(group, ports=ports, ending=end)
    [answer] = request_changes(vm=vm, action="add", references=[reference], user=None)
    assert isinstance(answer, Accepted)
    return answer.task


def run(queue: str) -> None:
    """Carry out what is queued, as often as a worker would look."""
    while tasks := _claim_tasks(queue):
        HANDLERS[queue.partition("/")[0]](tasks, Grip())


def added(vm: Vm, group: str = "web", end: Ending | None = None, ports: tuple[str, ...] = ()) -> Task:
    task = queue_add(vm, group, end, ports)
    run(f"vms/{vm.pk}")
    task.refresh_from_db()
    return task


def let_pass() -> None:
    """The time of everything that is for a while is over."""
    over = database_now() - timedelta(seconds=1)
    Expiration.objects.update(expires_on=over, due_on=over)


def ended() -> list[Task]:
    """What takes back all that is due, once it was carried out."""
    known = set(Task.objects.values_list("pk", flat=True))
    queue_due_endings()
    tasks = Task.objects.exclude(pk__in=known).order_by("pk")
    for queue in sorted({task.queue for task in tasks}):
        run(queue)
    return list(tasks.all())


def ends() -> dict[str, Any]:
    """The ports of each expiration, by the names of their groups."""
    return {
        row.security_group.name: sorted(row.memberships.values_list("network_port__ems_ref", flat=True))
        for row in Expiration.objects.all()
    }
