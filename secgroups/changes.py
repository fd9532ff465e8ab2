"""Runs changes to security groups. The tasks of an instance become one write for each port."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain, product
from typing import Any, Literal

from django.db import transaction
from msgspec import UNSET

from inventory.db.clock import database_now
from inventory.db.events import Cause, because
from inventory.db.statements import CompiledQuery, Param
from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError, CloudRefused, GroupNotFound
from inventory.drivers.values import Group, Port
from inventory.faults import seeing_others, unforeseen
from inventory.leases import QueueLease
from inventory.messages import PROVIDER_DELETED, RIGHT_LOST, provider_disabled, unrecorded
from inventory.models import Task, Vm
from inventory.rate_limit import SharedRateLimiter
from inventory.services import (
    Audience,
    OwnersRights,
    TaskResult,
    TaskRetries,
    cause_of_task,
    complete_tasks,
    found_at_cloud,
    note,
    put_back,
    readable,
    save_all,
)
from secgroups import ledger, messages
from secgroups.arguments import ChangeNotes, MembershipChange, WantedGroup, membership_task
from secgroups.expirations import claim
from secgroups.known_groups import KnownGroups, groups_of
from secgroups.plan import Action, Change, Outcome, Plan, plan
from secgroups.port_writer import PortWriter
from secgroups.recording import record_ports
from secgroups.retrying import any_fresh
from secgroups.reverting import changed_at_cloud, changes_of, in_the_way
from secgroups.services import MAY_CHANGE
from secgroups.task_effects import Written, effects_of_changes

#: An instance with its provider.
_VM = CompiledQuery(lambda: Vm.objects.select_related("provider").filter(pk=Param("pk")))


def handle_membership_tasks(tasks: Sequence[Task], lease: QueueLease) -> None:
    """Handle the queued additions and removals of one instance."""
    vm = next(iter(_VM.instances(pk=tasks[0].vm_id)), None)
    if vm is None:
        return _refuse(tasks, messages.INSTANCE_GONE if tasks[0].provider_id else PROVIDER_DELETED)
    if vm.provider.deleted_on:
        return _refuse(tasks, PROVIDER_DELETED)
    if not vm.provider.enabled:
        return _refuse(tasks, provider_disabled(vm.provider.name))
    if changes := readable(tasks, membership_task, lease):
        together = _together(changes)
        put_back(task for task in changes if task not in together)
        _Changes(vm, together, lease).run()
    return None


def _together(changes: Mapping[Task, MembershipChange]) -> Mapping[Task, MembershipChange]:
    """The first of these tasks that can run together. What was before the others must be recorded.

    A revert runs alone. Tasks that take back what was for a while only run with each other.
    """
    together: dict[Task, MembershipChange] = {}
    for task, change in changes.items():
        if change.reverts is not UNSET:
            return together or {task: change}
        if any((other.expiration is UNSET) != (change.expiration is UNSET) for other in together.values()):
            return together
        together[task] = change
    return together


def _refuse(tasks: Sequence[Task], reason: str) -> None:
    complete_tasks(TaskResult(task, Task.Status.ERROR, reason) for task in tasks)


class _Changes:
    """The tasks of one instance that run together."""

    def __init__(self, vm: Vm, asked: Mapping[Task, MembershipChange], lease: QueueLease) -> None:
        self.vm = vm
        self.asked = asked
        self.tasks = [*asked]
        self._by_pk = {task.pk: task for task in asked}
        self.lease = lease
        self.driver = vm.provider.driver(SharedRateLimiter(vm.provider))
        self._shown = Audience(vm.provider, self.tasks).shown
        groups = chain.from_iterable(map(_groups_of, asked.values()))
        self._named = {group.ems_ref for group in groups if group.ems_ref}
        retries = TaskRetries(self.tasks, vm.provider, lease)
        retries.unsure |= any(task.interrupted for task in self.tasks)
        #: Whether an earlier attempt may have written something. The notes say how to undo it.
        self._resumed = retries.unsure
        self.cloud = PortWriter(self.driver, vm.ems_ref, lease, retries.backoff(), retries)
        self.cloud.waits_for_group = partial(any_fresh, vm.provider, *self._named)
        self.groups = KnownGroups(vm, self.driver, self.cloud)
        #: The changes of the tasks (ids) whose groups were found.
        self._changes: dict[int, Change] = {}
        self.outcomes: dict[int, Outcome] = {}
        #: What follows the messages of tasks (ids).
        self._remarks: Mapping[int, str] = {}

    def run(self) -> None:
        failure: CloudError | None = None
        before: tuple[Port, ...] = ()
        try:
            before = self.cloud.read()
            self.groups.look_up(chain(self._named, groups_of(before)))
            self._changes = {
                task.pk: found for task, change in self.asked.items() if (found := self._identified(task, change))
            }
            self._changes = self._permitted()
            self._settle([*self._changes.values()])
        except CloudError as error:
            failure = error
        except Exception as error:
            failure = self._interrupted(error)
        self._finish(before, failure)

    def _interrupted(self, error: Exception) -> CloudError:
        """The error for tasks without an outcome, after an unexpected exception."""
        reason = unforeseen(error, f"The changes of {self.vm}")
        if not self.cloud.request_ids:
            return CloudError(reason)
        try:
            self.cloud.read()
        except CloudError:
            self.cloud.read_on = None  # the next refresh reads it
        return CloudError(messages.already_written(reason, self.cloud.request_ids))

    def _settle(self, changes: Sequence[Change]) -> None:
        try:
            self._apply(changes)
        except (CloudRefused, GroupNotFound):
            # One change blocks the others. Apply them one at a time, so that as many as possible succeed.
            for change in changes:
                self._apply_alone(change)

    def _apply(self, changes: Sequence[Change]) -> None:
        earlier, self._begun = self._begun, Plan()
        before = earlier.applied_to(self.cloud.ports)
        self.groups.look_up(groups_of(before))
        # The second is so that nothing of an unfinished attempt stays.
        new_plan = planned(self.vm, self.driver, before, changes, self.groups.by_ref).after(earlier)
        if not earlier.wanted:  # otherwise "nothing was changed" is only true after the undo
            self.outcomes |= {pk: outcome for pk, outcome in new_plan.outcomes.items() if not outcome.written}
        undone = new_plan.undone(before)
        self._note(new_plan, undone)
        self.cloud.apply(new_plan, undone)
        for pk, outcome in new_plan.outcomes.items():
            request_ids = [self.cloud.request_ids.get(ref) for ref in outcome.written]
            self.outcomes[pk] = replace(outcome, request_id=request_ids[-1] if request_ids else None)

    @cached_property
    def _begun(self) -> Plan:
        """How to undo what an earlier, unfinished attempt wrote, from its notes."""
        if not self._resumed:
            return Plan()
        noted = (ChangeNotes.read(task.arguments).undone for task in self.tasks)
        return Plan(wanted=next(filter(None, noted), {}))

    def _note(self, new_plan: Plan, undone: Plan) -> None:
        """Store how to undo the change if it writes several ports, and so may be half done.

        Also if something of it is for a while: what was there before stays then, whoever goes on.
        """
        temporary = [
            (task, change.group, ending, new_plan.outcomes[task.pk].written)
            for task in self.tasks
            if (change := self._changes.get(task.pk)) and (ending := self.asked[task].ending) is not UNSET
            if task.pk in new_plan.outcomes and new_plan.outcomes[task.pk].written
        ]
        if len(undone.wanted) > 1 or temporary:
            note(self.tasks, ChangeNotes(undone=undone.wanted))
            self.lease.ensure()
            with transaction.atomic():
                save_all(self.tasks, ["arguments"])
                for task, group, ending, ports in temporary:
                    ledger.note(self.vm, task, group, ending, ports)

    def _apply_alone(self, change: Change) -> None:
        try:
            self._apply([change])
        except (CloudRefused, GroupNotFound) as error:
            task = self._by_pk[change.id]
            self.outcomes[change.id] = self._refused(task, change.action, change.group.name, error)

    def _permitted(self) -> dict[int, Change]:
        """The changes that their tasks' owners may still make, or that change nothing after those before them.

        Without reverts that something is in the way of.
        """
        rights = OwnersRights()
        permitted: dict[int, Change] = {}
        for task in self.tasks:
            if not (change := self._changes.get(task.pk)):
                continue
            asked = self.asked[task]
            # What was for a while is taken back, whatever became of who asked for it.
            is_lost = asked.expiration is UNSET and not rights.allow(task, MAY_CHANGE, self.vm)
            if asked.ending is not UNSET and not self._resumed and asked.ending.expires_on <= database_now():
                self.outcomes[task.pk] = Outcome("Error", messages.TIME_OVER)
            elif is_lost and self._is_to_do(change, after=[*permitted.values()]):
                self.outcomes[task.pk] = Outcome("Error", RIGHT_LOST)
            elif reason := self._obstacle(task, change):
                subject = messages.change_of(change.action, change.group.name, self.vm.name)
                self.outcomes[task.pk] = Outcome("Error", messages.cannot(change.action, subject, reason))
            else:
                permitted[task.pk] = change
        return permitted

    def _is_to_do(self, change: Change, *, after: Sequence[Change]) -> bool:
        together = planned(self.vm, self.driver, self.cloud.ports, [*after, change], self.groups.by_ref)
        return bool(together.outcomes[change.id].written)

    def _obstacle(self, task: Task, change: Change) -> str | None:
        """What is in the way of a revert. One that may be half done goes on if nothing was before it began."""
        reverted = self.asked[task].reverts
        if reverted is UNSET:
            return None
        until = task.started_on if self._resumed else None
        reason = in_the_way(reverted, changes_of(reverted), user=task.owner, until=until)
        if reason or self._resumed or self.cloud.read_on is None:
            return reason
        return changed_at_cloud(reverted, change, self.cloud.ports, self.cloud.read_on)

    def _identified(self, task: Task, change: MembershipChange) -> Change | None:
        """The change that a task requests. If the group doesn't exist, notes the outcome and returns None."""
        try:
            group, *others = (self.groups.find(named.name, named.ems_ref) for named in _groups_of(change))
        except (CloudRefused, GroupNotFound) as error:
            self.outcomes[task.pk] = self._refused(task, change.action, change.group.name, error)
            return None
        if change.expiration is not UNSET:
            return self._taking_back(task, group, change.expiration)
        change_of_ports = Change(task.pk, change.action, group, change.ports, whole=change.reverts is not UNSET)
        if change.substitutes is UNSET:
            return change_of_ports
        return replace(change_of_ports, whole=True, substitutes=tuple(others), always=change.substitutes.always)

    def _taking_back(self, task: Task, group: Group, expiration: int) -> Change | None:
        """The removal of what was for a while, from ports of this instance. It leaves out those that refuse."""
        self.lease.ensure()
        claimed = claim(expiration, task)
        of_it = set() if isinstance(claimed, str) else {*claimed.port_refs()}
        if not (refs := of_it.intersection(port.ref for port in self.cloud.ports)):
            message = claimed if isinstance(claimed, str) else messages.ALREADY_ENDED
            self.outcomes[task.pk] = Outcome("Ok", message)
            return None
        return Change(task.pk, "remove", group, tuple(sorted(refs)), partial=True)

    def _refused(self, task: Task, action: Action, group: str, error: CloudError) -> Outcome:
        shown = self._shown(task, error)
        message = messages.cannot(action, messages.change_of(action, group, self.vm.name), shown)
        return Outcome("Error", message, request_id=shown.request_id)

    def _failed(self, task: Task, failure: CloudError | None) -> Outcome:
        shown = failure and self._shown(task, failure)
        return Outcome("Error", str(shown), request_id=shown.request_id if shown else None)

    def _finish(self, before: Sequence[Port], failure: CloudError | None) -> None:
        """Record the ports as the cloud has them, and end every task, in one transaction."""
        after, read_on = self.cloud.ports, self.cloud.read_on
        self.lease.ensure()

        @transaction.atomic
        def write() -> None:
            if read_on and self.vm.provider.is_kept() and self.vm.is_kept():
                with because(self._cause()):
                    record_ports(self.vm, after, new_groups, read_on=read_on)
                    self._remarks = self._followed(after)
            seen = self._seen(before, after) if read_on else {}
            complete_tasks(self._ending(task, seen | effects.get(task.pk, {}), failure) for task in self.tasks)

        try:
            new_groups = self.groups.missing(after)
            effects = self._effects(after) if read_on else {}
            self.lease.ensure()
            seeing_others(write)
        except Exception as error:
            self._finish_unrecorded(unforeseen(error, f"The changes of {self.vm}"), failure)

    def _followed(self, ports: Sequence[Port]) -> Mapping[int, str]:
        """What the tasks did, written down as temporary or permanent. Returns what to say of it."""
        book = ledger.Ledger(self.vm, ports)
        book.follow(step for task in self.tasks if (step := self._step(task, ports)))
        return book.remarks

    def _step(self, task: Task, ports: Sequence[Port]) -> ledger.Step | None:
        asked, change, outcome = self.asked[task], self._changes.get(task.pk), self.outcomes.get(task.pk)
        ref = change.group.ref if change else asked.group.ems_ref
        if ref is None:
            return None
        failed: Literal["unknown", "unwritten"] = "unknown" if self.cloud.retries.unsure else "unwritten"
        is_refused = outcome is not None and outcome.status == "Error"
        return ledger.Step(
            task=task,
            action=asked.action,
            group=ref,
            ports=(change.ports if change else ()) or [port.ref for port in ports],
            written=outcome.written if outcome else (),
            state=failed if outcome is None else "refused" if is_refused else "done",
            ending=None if asked.ending is UNSET else asked.ending,
            expiration=None if asked.expiration is UNSET else asked.expiration,
        )

    def _effects(self, ports: Sequence[Port]) -> Mapping[int, dict[str, Any]]:
        """What the tasks that went well say of the effective rules. With substitutes, they say nothing."""
        written: list[Written] = []
        for task in self.tasks:
            outcome, change = self.outcomes.get(task.pk), self._changes.get(task.pk)
            if change and outcome and outcome.status != "Error":
                written += (Written(task, "add", other, [port]) for port, other in outcome.substituted)
                written.append(Written(task, change.action, change.group.ref, outcome.written))
        effects = effects_of_changes(self.vm, ports, written)
        return {pk: effect for pk, effect in effects.items() if not self._changes[pk].substitutes}

    def _cause(self) -> Cause:
        """What the tasks have changed is caused by them. Anything else was found at the cloud."""
        causes: dict[str, Cause] = {}
        has = {port.ref: port.group_refs for port in self.cloud.ports}
        # Those that failed come last: what they asked for may have been done by others.
        for task in sorted(self.tasks, key=self._has_failed):
            if change := self._changes.get(task.pk):
                for port in self._written(task, change):
                    row = f"{port}/{change.group.ref}"
                    if (change.group.ref in has.get(port, ())) == (change.action == "add"):
                        causes.setdefault(row, cause_of_task(task))
                    elif not self._has_failed(task):
                        causes.pop(row, None)  # a later task may have undone this one
                for port, other in self._substituted(task, change):
                    if other in has.get(port, ()):
                        causes.setdefault(f"{port}/{other}", cause_of_task(task))
        return replace(found_at_cloud(), of_rows=causes)

    def _has_failed(self, task: Task) -> bool:
        outcome = self.outcomes.get(task.pk)
        return outcome is None or outcome.status == "Error"

    def _written(self, task: Task, change: Change) -> Collection[str]:
        """The ports that a task has written, or may have: what an attempt without an outcome did is not known."""
        outcome = self.outcomes.get(task.pk)
        if outcome and not self._resumed:
            return outcome.written
        return change.ports or [port.ref for port in self.cloud.ports]

    def _substituted(self, task: Task, change: Change) -> Iterable[tuple[str, str]]:
        """The ports that a task gave another group, or may have."""
        outcome = self.outcomes.get(task.pk)
        if outcome and not self._resumed:
            return outcome.substituted
        return product(self._written(task, change), (other.ref for other in change.substitutes))

    def _finish_unrecorded(self, reason: str, failure: CloudError | None) -> None:
        """End every task with its outcome at the cloud, without the data that may have failed to save."""
        endings = []
        for task in Task.objects.filter(pk__in=[task.pk for task in self.tasks]):
            outcome = self.outcomes.get(task.pk) or self._failed(task, failure)
            if outcome.written:
                outcome = replace(outcome, status="Warn", message=unrecorded(outcome.message, reason))
            context = {"request_id": outcome.request_id}
            endings.append(TaskResult(task, Task.Status(outcome.status), outcome.message, context))
        complete_tasks(endings)

    def _ending(self, task: Task, seen: dict[str, Any], failure: CloudError | None) -> TaskResult:
        outcome = self.outcomes.get(task.pk) or self._failed(task, failure)
        context = seen | {"request_id": outcome.request_id}
        message = outcome.message + self._remarks.get(task.pk, "")
        return TaskResult(task, Task.Status(outcome.status), message, context)

    def _seen(self, before: Sequence[Port], after: Sequence[Port]) -> dict[str, Any]:
        """The names of the groups before and after, of the instance and of each port."""
        had, has = (
            {port.ref: sorted(map(self.groups.name, port.group_refs)) for port in ports}
            for ports in (before, after)
        )
        return {
            "before": sorted(set(chain.from_iterable(had.values()))),
            "after": sorted(set(chain.from_iterable(has.values()))),
            "network_ports": [{"ems_ref": ref, "before": had.get(ref, []), "after": has[ref]} for ref in has],
        }


def _groups_of(change: MembershipChange) -> tuple[WantedGroup, ...]:
    """The group that is added or removed, and its substitutes."""
    return (change.group, *(() if change.substitutes is UNSET else change.substitutes.groups))


def planned(
    vm: Vm,
    driver: Driver | type[Driver],
    ports: Sequence[Port],
    changes: Sequence[Change],
    groups: Mapping[str, Group | None],
) -> Plan:
    """The plan for these ports of an instance. `groups` has the groups on them by ref."""
    return plan(
        vm.name,
        ports,
        changes,
        minimum=driver.minimum_groups_per_port,
        confined=bool(driver.groups_have_networks),
        stateless={ref for ref, group in groups.items() if group and not group.stateful},
    )
