"""Carrying out changes of security groups: the tasks of an instance, folded into one write of each port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from typing import Any

from django.db import transaction

from inventory.drivers.exceptions import CloudError, CloudRefused, GroupNotFound
from inventory.drivers.values import Group, Port
from inventory.faults import seeing_others, unforeseen, unrecorded
from inventory.leases import QueueLease
from inventory.models import Task, Vm
from inventory.models.provider import DELETED
from inventory.rate_limit import SharedRateLimiter
from inventory.services import TaskResult, TaskRetries, complete_tasks, note, readable, save_all
from secgroups.arguments import ChangeNotes, MembershipChange, membership_task
from secgroups.models import SecurityGroup
from secgroups.plan import Change, Outcome, Plan, cannot, plan
from secgroups.port_writer import PortWriter
from secgroups.recording import record_ports
from secgroups.retrying import any_fresh


def handle_membership_tasks(tasks: Sequence[Task], lease: QueueLease) -> None:
    """Handle the queued additions and removals of one instance."""
    vm = Vm.objects.select_related("provider").filter(pk=tasks[0].vm_id).first()
    if vm is None:
        gone = "The instance is gone: it is no longer in the inventory."
        return _refuse(tasks, gone if tasks[0].provider_id else DELETED)
    if vm.provider.deleted_on:
        return _refuse(tasks, DELETED)
    if not vm.provider.enabled:
        return _refuse(tasks, f"Provider {vm.provider.name} is disabled.")
    if asked := readable(tasks, membership_task, lease):
        _Changes(vm, asked, lease).run()
    return None


def _refuse(tasks: Sequence[Task], reason: str) -> None:
    complete_tasks(TaskResult(task, Task.Status.ERROR, reason) for task in tasks)


class _Changes:
    """The tasks of one instance that are carried out together."""

    def __init__(self, vm: Vm, asked: Mapping[Task, MembershipChange], lease: QueueLease) -> None:
        self.vm = vm
        self.asked = asked
        self.tasks = [*asked]
        self.lease = lease
        self.driver = vm.provider.driver(SharedRateLimiter(vm.provider))
        self._named = {change.group.ems_ref for change in asked.values() if change.group.ems_ref}
        retries = TaskRetries(self.tasks, vm.provider, lease)
        retries.unsure |= any(task.interrupted for task in self.tasks)
        #: Whether what tasks note of how to take it back may have been written.
        self._resumed = retries.unsure
        self.cloud = PortWriter(self.driver, vm.ems_ref, lease, retries.backoff(), retries)
        self.cloud.waits_for_group = partial(any_fresh, vm.provider, *self._named)
        #: The groups that the tasks name and those of the ports, by their ref; None for one that nobody knows.
        self.groups: dict[str, Group | None] = {}
        #: What the cloud said of the others, each of which it is asked for once, by name and ref.
        self._found: dict[tuple[str, str | None], Group | CloudError] = {}
        self.outcomes: dict[int, Outcome] = {}

    def run(self) -> None:
        failure: CloudError | None = None
        before: tuple[Port, ...] = ()
        try:
            before = self.cloud.read()
            self._look_up(chain(self._named, _groups_of(before)))
            self._settle([change for one in self.asked.items() if (change := self._identified(*one))])
        except CloudError as error:
            failure = error
        except Exception as error:
            failure = self._interrupted(error)
        self._finish(before, failure)

    def _interrupted(self, error: Exception) -> CloudError:
        """What tasks say that have no outcome because of an error that nobody foresaw."""
        reason = unforeseen(error, f"The changes of {self.vm}")
        if not (written := ", ".join(self.cloud.request_ids)):
            return CloudError(reason)
        try:
            self.cloud.read()
        except CloudError:
            self.cloud.read_on = None  # the next refresh reads it
        return CloudError(f"{reason} These ports were written before: {written}.")

    def _settle(self, changes: Sequence[Change]) -> None:
        try:
            self._apply(changes)
        except (CloudRefused, GroupNotFound):
            # One of them is in the way of the rest: one at a time, those that can be done are done.
            for change in changes:
                self._apply_alone(change)

    def _apply(self, changes: Sequence[Change]) -> None:
        begun, self._begun = self._begun, Plan()
        before = begun.applied_to(self.cloud.ports)
        self._look_up(_groups_of(before))
        made = plan(
            self.vm.name,
            before,
            changes,
            minimum=self.driver.minimum_groups_per_port,
            confined=self.driver.groups_have_networks,
            stateless={ref for ref, group in self.groups.items() if group and not group.stateful},
        ).after(begun)  # of which not all can be done any more: then none of that stays
        if not begun.wanted:  # else "nothing was changed" holds only once that is taken back
            self.outcomes |= {key: outcome for key, outcome in made.outcomes.items() if not outcome.written}
        undone = made.undone(before)
        self._note(undone)
        self.cloud.apply(made, undone)
        for key, outcome in made.outcomes.items():
            written = [self.cloud.request_ids.get(ref) for ref in outcome.written]
            self.outcomes[key] = replace(outcome, request_id=written[-1] if written else None)

    @cached_property
    def _begun(self) -> Plan:
        """How to take back what a worker wrote that did not come to an end, as it noted before."""
        if not self._resumed:
            return Plan()
        noted = (ChangeNotes.read(task.arguments).undone for task in self.tasks)
        return Plan(wanted=next(filter(None, noted), {}))

    def _note(self, undone: Plan) -> None:
        """Note how to take it back, where that may be half done: several ports are written one after the other."""
        if len(undone.wanted) > 1:
            note(self.tasks, ChangeNotes(undone=undone.wanted))
            self.lease.ensure()
            save_all(self.tasks, ["arguments"])

    def _apply_alone(self, change: Change) -> None:
        try:
            self._apply([change])
        except (CloudRefused, GroupNotFound) as error:
            reason = f"{cannot(change.action, change.group.name, self.vm.name)}: {error}"
            self.outcomes[change.id] = Outcome("Error", reason, request_id=error.request_id)

    def _identified(self, task: Task, asked: MembershipChange) -> Change | None:
        """What a task asks for, as the cloud knows it; None, with the outcome noted, if it has no such group."""
        try:
            group = self._group(asked.group.name, asked.group.ems_ref)
        except (CloudRefused, GroupNotFound) as error:
            reason = f"{cannot(asked.action, asked.group.name, self.vm.name)}: {error}"
            self.outcomes[task.pk] = Outcome("Error", reason, request_id=error.request_id)
            return None
        return Change(task.pk, asked.action, group, asked.ports)

    def _group(self, name: str, ref: str | None) -> Group:
        """The group of this ref as the inventory or the cloud has it, or the one of this name at the cloud."""
        if ref and (known := self.groups.get(ref)):
            return known
        if (name, ref) not in self._found:
            try:
                self._found[name, ref] = self._at_cloud(name, ref)
            except (CloudRefused, GroupNotFound) as error:
                self._found[name, ref] = error
        found = self._found[name, ref]
        if isinstance(found, CloudError):
            raise found
        return found

    def _at_cloud(self, name: str, ref: str | None) -> Group:
        if ref:
            found = self.cloud.ask(lambda: self.driver.groups_by_ref([ref]))
        else:
            found = self.cloud.ask(lambda: self.driver.groups_named(name, self.cloud.ports))
        if not found:
            raise GroupNotFound(f"the cloud has no such group that {self.vm.name} could have.")
        if len(found) > 1:
            refs = ", ".join(group.ref for group in found)
            raise GroupNotFound(f"the cloud has several groups of this name, choose one by its ems_ref: {refs}.")
        if name not in {found[0].name, ref}:  # who gave no name has the ref in its place
            raise CloudRefused(f"the group {ref} has another name: {found[0].name}.")
        return found[0]

    def _finish(self, before: Sequence[Port], failure: CloudError | None) -> None:
        """Write what the cloud has now, and the end of every task, in one transaction."""
        after, read_on = self.cloud.ports, self.cloud.read_on
        self.lease.ensure()

        @transaction.atomic
        def write() -> None:
            if read_on and self.vm.provider.is_kept() and self.vm.is_kept():
                record_ports(self.vm, after, new_groups, read_on=read_on)
            seen = self._seen(before, after) if read_on else {}
            complete_tasks(self._ending(task, seen, failure) for task in self.tasks)

        try:
            new_groups = self._missing(after)
            self.lease.ensure()
            seeing_others(write)
        except Exception as error:
            self._finish_unrecorded(unforeseen(error, f"The changes of {self.vm}"), failure)

    def _finish_unrecorded(self, reason: str, failure: CloudError | None) -> None:
        """End every task with what became of it at the cloud, and nothing that could perhaps not be saved."""
        endings = []
        for task in Task.objects.filter(pk__in=[task.pk for task in self.tasks]):
            outcome = self.outcomes.get(task.pk) or _failed(failure)
            if outcome.written:
                outcome = replace(outcome, status="Warn", message=unrecorded(outcome.message, reason))
            context = {"request_id": outcome.request_id}
            endings.append(TaskResult(task, Task.Status(outcome.status), outcome.message, context))
        complete_tasks(endings)

    def _missing(self, ports: Sequence[Port]) -> tuple[Group, ...]:
        """The groups of these ports that the inventory does not know yet, asked of the cloud."""
        self._look_up(_groups_of(ports))
        unknown = [ref for ref in _groups_of(ports) if self.groups[ref] is None]
        try:
            found = self.driver.groups_by_ref(unknown) if unknown else ()
        except CloudError:
            return ()  # the next refresh brings them in
        self.groups |= {group.ref: group for group in found}
        return found

    def _look_up(self, refs: Iterable[str]) -> None:
        """Find those of these groups that the inventory has, each once."""
        if new := set(refs) - self.groups.keys():
            rows = SecurityGroup.objects.filter(provider=self.vm.provider, ems_ref__in=new)
            self.groups |= dict.fromkeys(new) | {group.ref: group for group in rows.as_values()}

    def _ending(self, task: Task, seen: dict[str, Any], failure: CloudError | None) -> TaskResult:
        outcome = self.outcomes.get(task.pk) or _failed(failure)
        context = seen | {"request_id": outcome.request_id}
        return TaskResult(task, Task.Status(outcome.status), outcome.message, context)

    def _seen(self, before: Sequence[Port], after: Sequence[Port]) -> dict[str, Any]:
        """The names of the groups that the instance had and has, each once, and the same for each of its ports."""
        had, has = ({p.ref: sorted(map(self._name, p.group_refs)) for p in ports} for ports in (before, after))
        return {
            "before": sorted(set(chain.from_iterable(had.values()))),
            "after": sorted(set(chain.from_iterable(has.values()))),
            "network_ports": [{"ems_ref": ref, "before": had.get(ref, []), "after": has[ref]} for ref in has],
        }

    def _name(self, ref: str) -> str:
        """The ref itself where nobody knows more."""
        group = self.groups.get(ref)
        return group.name if group else ref


def _failed(failure: CloudError | None) -> Outcome:
    return Outcome("Error", str(failure), request_id=failure.request_id if failure else None)


def _groups_of(ports: Iterable[Port]) -> set[str]:
    return {ref for port in ports for ref in port.group_refs}
