"""Whether what was accepted is done, once, and kept: what the tasks say against what there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from inventory.models import NetworkPort, Task
from inventory.services.queueing import SYSTEM
from secgroups.models import SecurityGroup
from tests.chaos.expirations import expected

Groups = Mapping[str, set[str]]


def judge(
    accepted: Sequence[int],
    cancelled: Sequence[int],
    unheard: Collection[str],
    before: Groups,
    given: Groups,
    now: Groups,
) -> Iterator[str]:
    """What is wrong; by interface: the groups `before`, what another tool has `given`, and the cloud's `now`.

    What the requests in `unheard` (ids) led to, if anything, nobody was told.
    """
    tasks = {task.pk: task for task in Task.objects.filter(queue__startswith="vms/").order_by("pk")}
    yield from _about_tasks(accepted, tasks, unheard)
    for undone in set(cancelled) & tasks.keys():
        if not tasks[undone].message.startswith("Cancelled by "):
            yield f"task {undone} was cancelled and ended with: {tasks[undone].message}"
    wanted_groups = expected(tasks.values(), before)
    for interface, groups in wanted_groups.items():
        wanted = groups | given.get(interface, set())
        if now[interface] != wanted:
            yield f"{interface} has {sorted(now[interface])} and should have {sorted(wanted)}"
    known = memberships()
    for interface, groups in wanted_groups.items():
        ours = known[interface] - {ref for refs in given.values() for ref in refs}
        if ours - groups or groups - ours:
            yield f"the inventory has {sorted(ours)} on {interface} and should have {sorted(groups)}"


def judge_parents(many: Mapping[int, int], cancelled: Collection[int], unheard: Collection[str]) -> Iterator[str]:
    """What is wrong with tasks with parts; `many` has how many instances each of them (ids) was to change."""
    parents = {task.pk: task for task in Task.objects.with_parts()}
    if not many:
        yield "no task with parts was accepted"
    for lost in many.keys() - parents.keys():
        yield f"task {lost} with parts was accepted and is not there"
    for unasked in parents.keys() - many.keys():
        if parents[unasked].request_id not in unheard:
            yield f"task {unasked} with parts was asked for by nobody"
    for pk, parent in parents.items():
        parts = [*Task.objects.filter(parent=pk)]
        ends = Counter(_end_of(part) for part in parts)
        told = Counter({name: parent.context_data[name] for name in ("ok", "warn", "error", "cancelled")})
        if parent.state != Task.State.FINISHED or ends != +told:
            yield f"task {pk} is {parent.state} and says {told}, but its parts ended {ends}"
        if pk in cancelled and not told["cancelled"]:
            yield f"task {pk} was cancelled, and none of its parts was"
        vms = [part.vm_id for part in parts if part.vm_id is not None]  # what the user may not see has none
        if len({*vms}) != len(vms) or len(parts) != many.get(pk, len(parts)):
            yield f"task {pk} has {len(parts)} parts for {many.get(pk)} instances"


def _end_of(part: Task) -> str:
    if part.state != Task.State.FINISHED:
        return str(part.state)
    return "cancelled" if "cancelled" in part.context_data else str(part.status).lower()


def memberships() -> dict[str, set[str]]:
    """The groups of each interface, as the inventory has them."""
    refs = dict(SecurityGroup.objects.values_list("pk", "ems_ref"))
    ports = NetworkPort.objects.prefetch_related("security_groups")
    return {port.ems_ref: {refs[group.pk] for group in port.security_groups.all()} for port in ports}


def outcomes() -> Counter[str]:
    """How the tasks ended, and in which words where that was an error."""
    told: Counter[str] = Counter()
    for task in Task.objects.filter(queue__startswith="vms/").select_related("vm"):
        words = task.message.rpartition(": ")[2].replace(str(task.vm), "...")
        told[f"Error ({words})" if task.status == Task.Status.ERROR else task.status] += 1
    return told


def _about_tasks(accepted: Sequence[int], tasks: Mapping[int, Task], unheard: Collection[str]) -> Iterator[str]:
    for task, times in Counter(accepted).items():
        if times > 1:
            yield f"task {task} was the answer to {times} requests"
    for lost in set(accepted) - tasks.keys():
        yield f"task {lost} was accepted and is not there"
    retried = {int(task.context_data.get("retries", 0)) for task in tasks.values()}
    own = {pk for pk, task in tasks.items() if "expiration" in task.arguments and task.userid == SYSTEM}
    alone = {pk for pk, task in tasks.items() if task.parent_id is None and task.request_id not in unheard}
    for unasked in alone - set(accepted) - retried - own:
        yield f"task {unasked} ({tasks[unasked]}) was asked for by nobody"
    for task in tasks.values():
        if task.state != Task.State.FINISHED:
            yield f"task {task.pk} is {task.state}: {task.message}"
        if "See the Portcullis log" in task.message:
            yield f"task {task.pk} ended with: {task.message}"
