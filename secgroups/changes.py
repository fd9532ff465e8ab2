"""Carrying out changes of security groups: the tasks of an instance, folded into one write of each port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Any

from django.conf import settings
from django.db import transaction

from inventory.drivers.failures import CloudError, CloudRefused, GroupNotFound
from inventory.drivers.values import Group, Port
from inventory.leases import Holding
from inventory.models import Task, Vm
from inventory.pacing import SharedPace
from inventory.patience import Patience
from inventory.services import Ending, finish_all, save_all, say
from secgroups.asking import fresh_until
from secgroups.models import SecurityGroup
from secgroups.plan import Change, Outcome, Plan, cannot, plan
from secgroups.recording import group_names, missing_groups, record_ports, stateless_groups
from secgroups.writing import PortWriter


def carry_out(tasks: Sequence[Task], holding: Holding) -> None:
    """Handle the queued additions and removals of one instance."""
    vm = tasks[0].vm
    if vm is None:
        return _refuse(tasks, "The instance is gone: it is no longer in the inventory.")
    if not vm.provider.enabled:
        return _refuse(tasks, f"Provider {vm.provider.name} is disabled.")
    return _Changes(vm, tasks, holding).carry_out()


def _refuse(tasks: Sequence[Task], reason: str) -> None:
    finish_all(Ending(task, Task.Status.ERROR, reason) for task in tasks)


class _Changes:
    """The tasks of one instance that are carried out together."""

    def __init__(self, vm: Vm, tasks: Sequence[Task], holding: Holding) -> None:
        self.vm = vm
        self.tasks = tasks
        self.holding = holding
        self.driver = vm.provider.driver(SharedPace(vm.provider))
        patience = Patience(settings.CHANGE_PATIENCE.total_seconds())
        self.cloud = PortWriter(
            self.driver, vm.ems_ref, holding, patience, lambda waiting: say(tasks, str(waiting))
        )
        self.outcomes: dict[int, Outcome] = {}

    @cached_property
    def known(self) -> dict[str | None, Group]:
        """The groups that the tasks name by their ref, as the inventory has them."""
        refs = {task.arguments["group"]["ems_ref"] for task in self.tasks} - {None}
        self.cloud.fresh_until = fresh_until(self.vm.provider, *refs)
        return {group.ref: group for group in SecurityGroup.objects.as_values(self.vm.provider, refs)}

    def carry_out(self) -> None:
        failure: CloudError | None = None
        before: tuple[Port, ...] = ()
        try:
            before = self.cloud.read()
            self._settle([change for task in self.tasks if (change := self._identified(task))])
        except CloudError as error:
            failure = error
        self._finish(before, failure)

    def _settle(self, changes: Sequence[Change]) -> None:
        try:
            self._apply(changes)
        except (CloudRefused, GroupNotFound):
            # One of them is in the way of the rest: one at a time, those that can be done are done.
            for change in changes:
                self._apply_alone(change)

    def _apply(self, changes: Sequence[Change]) -> None:
        before = self._before.applied_to(self.cloud.ports)
        made = plan(
            self.vm.name,
            before,
            changes,
            minimum=self.driver.minimum_groups_per_port,
            stateless=stateless_groups(self.vm, before),
        )
        self.outcomes |= {key: outcome for key, outcome in made.outcomes.items() if not outcome.written}
        undone = made.undone(before)
        self._note(undone)
        self._before = Plan()
        self.cloud.carry_out(made, undone)
        for key, outcome in made.outcomes.items():
            written = [self.cloud.request_ids.get(ref) for ref in outcome.written]
            self.outcomes[key] = replace(outcome, request_id=written[-1] if written else None)

    @cached_property
    def _before(self) -> Plan:
        """How to take back what a worker wrote that did not come to an end, as it noted before."""
        noted = (task.arguments["undone"] for task in self.tasks if "undone" in task.arguments)
        return Plan(wanted=next(noted, {}))

    def _note(self, undone: Plan) -> None:
        """Note how to take it back, where that may be half done: several ports are written one after the other."""
        if len(undone.wanted) > 1:
            for task in self.tasks:
                task.arguments["undone"] = undone.wanted
            self.holding.ensure()
            save_all(self.tasks, ["arguments"])

    def _apply_alone(self, change: Change) -> None:
        try:
            self._apply([change])
        except (CloudRefused, GroupNotFound) as error:
            reason = f"{cannot(change.action, change.group.name, self.vm.name)}: {error}"
            self.outcomes[change.id] = Outcome("Error", reason, request_id=error.request_id)

    def _identified(self, task: Task) -> Change | None:
        """What a task asks for, as the cloud knows it; None, with the outcome noted, if it has no such group."""
        asked, action = task.arguments["group"], task.arguments["action"]
        try:
            group = self._group(asked["name"], asked["ems_ref"])
        except (CloudRefused, GroupNotFound) as error:
            reason = f"{cannot(action, asked['name'], self.vm.name)}: {error}"
            self.outcomes[task.pk] = Outcome("Error", reason, request_id=error.request_id)
            return None
        return Change(task.pk, action, group, tuple(task.arguments["ports"]))

    def _group(self, name: str, ref: str | None) -> Group:
        """The group of this ref as the inventory or the cloud has it, or the one of this name at the cloud."""
        if ref in self.known:
            return self.known[ref]
        if ref:
            found = self.cloud.ask(lambda: self.driver.groups_by_ref([ref]))
        else:
            found = self.cloud.ask(lambda: self.driver.groups_named(name, self.cloud.ports))
        if not found:
            raise GroupNotFound(f"the cloud has no such group that {self.vm.name} could have.")
        if len(found) > 1:
            refs = ", ".join(group.ref for group in found)
            raise GroupNotFound(f"the cloud has several groups of this name, choose one by its ems_ref: {refs}.")
        return found[0]

    def _finish(self, before: Sequence[Port], failure: CloudError | None) -> None:
        """Write what the cloud has now, and the end of every task, in one transaction."""
        after, read_on = self.cloud.ports, self.cloud.read_on
        new_groups = missing_groups(self.vm, self.driver, after)
        self.holding.ensure()
        with transaction.atomic():
            if read_on:
                record_ports(self.vm, self.driver, after, new_groups, read_on=read_on)
            names = group_names(self.vm, (*before, *after))
            seen = _seen(before, after, names) if read_on else {}
            finish_all(self._ending(task, seen, failure) for task in self.tasks)

    def _ending(self, task: Task, seen: dict[str, Any], failure: CloudError | None) -> Ending:
        outcome = self.outcomes.get(task.pk) or _failed(failure)
        context = seen | {"request_id": outcome.request_id}
        return Ending(task, Task.Status(outcome.status), outcome.message, context)


def _failed(failure: CloudError | None) -> Outcome:
    return Outcome("Error", str(failure), request_id=failure.request_id if failure else None)


def _seen(before: Sequence[Port], after: Sequence[Port], names: dict[str, str]) -> dict[str, Any]:
    """The names of the groups that the instance had and has, each once, and the same for each of its ports."""
    had, has = ({p.ref: sorted(names[ref] for ref in p.group_refs) for p in ports} for ports in (before, after))
    return {
        "before": sorted(set(chain.from_iterable(had.values()))),
        "after": sorted(set(chain.from_iterable(has.values()))),
        "network_ports": [{"ems_ref": ref, "before": had.get(ref, []), "after": has[ref]} for ref in has],
    }
