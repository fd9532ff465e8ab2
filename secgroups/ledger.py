"""What tasks of an instance make temporary, make permanent, and take back, in their order.

An expiration is written before the first write of its task, so that nothing that a dead worker left stays. What
it becomes is written in the transaction in which the tasks end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from inventory.db.bulk import among
from inventory.db.events import Cause
from inventory.drivers.values import Group, Port
from inventory.models import NetworkPort, Task, Vm
from inventory.services import cause_of_task, found_at_cloud
from secgroups import messages
from secgroups.arguments import Ending
from secgroups.expirations import EventType, end, extend, named, record
from secgroups.models import Expiration, SecurityGroup, TemporaryMembership
from secgroups.plan import Action
from secgroups.recording import record_group

#: A port and a group of it, by their refs.
Member: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """What became of a task that adds a group (its ref) to ports (refs) or removes it.

    If it failed without an outcome, it is `unknown` whether it was written, or it is `unwritten`.
    """

    task: Task
    action: Action
    group: str
    ports: Collection[str]
    written: Collection[str]
    state: Literal["done", "refused", "unknown", "unwritten"]
    ending: Ending | None = None
    #: The expiration (id) that it is for.
    expiration: int | None = None


def note(vm: Vm, task: Task, group: Group, ending: Ending, ports: Collection[str]) -> None:
    """Write down that a task may add a group to these ports, which lack it, until its end.

    Call it before its first write. What an earlier attempt noted stays noted.
    """
    row = Expiration.objects.filter(task=task).first()
    if row:
        row.noted = sorted({*(row.noted or ()), *ports})
        row.save(update_fields=["noted"])
        return
    Expiration.objects.create(
        provider=vm.provider,
        vm=vm,
        security_group=record_group(vm.provider, group),
        expires_on=ending.expires_on,
        due_on=ending.expires_on,
        reason=ending.reason,
        userid=task.userid,
        task=task,
        noted=sorted(ports),
    )


class Ledger:
    """The temporary memberships of an instance, as its tasks leave them. `ports` are those of the cloud now."""

    def __init__(self, vm: Vm, ports: Sequence[Port]) -> None:
        self._vm = vm
        self._has = {port.ref: port.group_refs for port in ports}
        self._stored = dict(self._read())
        self._now = dict(self._stored)
        self._by_pk = {expiration.pk: expiration for expiration in self._now.values()}
        left = self._left()
        #: Of expirations (ids), why they lose memberships, and what caused that.
        self._lost: dict[int, tuple[EventType, Cause]] = {}
        #: The expirations (ids) whose end is moved, with the new one and the cause.
        self._extended: dict[int, tuple[Ending, Cause]] = {}
        #: Those (ids) of tasks that are done now, with the cause.
        self._made: dict[int, Cause] = {}
        #: What follows the messages of tasks (ids).
        self.remarks: dict[int, str] = {}
        for expiration in left:
            self._settle(expiration)

    def _read(self) -> Iterator[tuple[Member, Expiration]]:
        rows = TemporaryMembership.objects.filter(network_port__vm=self._vm).order_by("pk")
        columns = ("network_port__ems_ref", "security_group__ems_ref", "expiration")
        found = list(rows.values_list(*columns))
        if not found:
            return
        locked = Expiration.objects.select_for_update(of=("self",)).filter(pk__in={pk for *_, pk in found})
        by_pk = {expiration.pk: expiration for expiration in locked.order_by("pk")}
        for port, group, pk in found:
            if pk in by_pk:
                yield (port, group), by_pk[pk]

    def _left(self) -> list[Expiration]:
        """What tasks have noted that ended without telling what they did."""
        rows = Expiration.objects.settled().filter(vm=self._vm, noted__isnull=False)
        return list(rows.select_for_update(of=("self",)).select_related("security_group").order_by("pk"))

    def _settle(self, expiration: Expiration) -> None:
        """Now that the ports were read, it is known what such a task did."""
        self._by_pk[expiration.pk] = expiration
        for port in expiration.noted or ():
            member = port, expiration.security_group.ems_ref
            if self._has_group(member):
                self._now.setdefault(member, expiration)
        expiration.noted = None
        self._lost[expiration.pk] = "expiration_ended", found_at_cloud()

    def follow(self, steps: Iterable[Step]) -> None:
        """Follow what the tasks did, in their order, and write what it comes to."""
        steps = list(steps)
        for step in steps:
            if step.expiration is not None:
                self._take_back(step, step.expiration)
            elif step.action == "remove":
                self._remove(step)
            elif step.ending:
                self._add_until(step, step.ending)
            elif step.state == "done":
                self._add_for_good(step)
        self._find_gone()
        self._write()

    def _has_group(self, member: Member) -> bool:
        port, group = member
        return group in self._has.get(port, ())

    def _remove(self, step: Step) -> None:
        if step.state == "done":
            for port in step.written:
                self._lose((port, step.group), "expiration_ended", cause_of_task(step.task))

    def _take_back(self, step: Step, pk: int) -> None:
        """What a task could not remove stays temporary."""
        expiration = self._by_pk.get(pk) or Expiration.objects.select_for_update().filter(pk=pk).first()
        if expiration is None or step.state in ("unknown", "unwritten"):
            return
        self._by_pk.setdefault(pk, expiration)
        self._lost[pk] = ("expiration_ended", cause_of_task(step.task))
        self._remove(step)
        if step.written:
            self.remarks[step.task.pk] = messages.TAKEN_BACK

    def _add_for_good(self, step: Step) -> None:
        was = [self._lose((port, step.group), "expiration_kept", cause_of_task(step.task)) for port in step.ports]
        if any(was):
            self.remarks[step.task.pk] = messages.NO_LONGER_TEMPORARY

    def _add_until(self, step: Step, ending: Ending) -> None:
        own = Expiration.objects.filter(task=step.task).first()
        if own and step.state == "unwritten":
            own.delete()
        if step.state in ("unknown", "unwritten"):
            return
        added = {*step.written, *((own.noted if own else None) or ())}
        if own:
            own.noted = None
            self._by_pk[own.pk] = own
            self._made[own.pk] = cause_of_task(step.task)
            for port in added:
                if self._has_group((port, step.group)):
                    self._now[port, step.group] = own
        if step.state == "done":
            others = [(port, step.group) for port in step.ports if port not in added]
            remark = self._prolong(step, ending, others)
            self.remarks[step.task.pk] = messages.taken_back_at(ending.expires_on) if step.written else remark

    def _prolong(self, step: Step, ending: Ending, members: Collection[Member]) -> str:
        """Of two ends the later counts. Returns what to say of ports that had the group already."""
        ends = {self._now[member].pk for member in members if member in self._now}
        for pk in ends:
            old = self._by_pk[pk]
            if old.expires_on >= ending.expires_on:
                continue
            held = {member for member, expiration in self._now.items() if expiration.pk == pk}
            if held <= {*members}:
                self._extend(old, ending, cause_of_task(step.task))
            else:
                own = self._own(step, ending)
                self._now |= dict.fromkeys(held.intersection(members), own)
        if not ends:
            return messages.STAYS if any(map(self._has_group, members)) else ""
        latest = max(self._now[member].expires_on for member in members if member in self._now)
        return messages.ends_later(latest) if latest > ending.expires_on else messages.extended_to(latest)

    def _own(self, step: Step, ending: Ending) -> Expiration:
        """The expiration of a task, which it has if it wrote something."""
        own = next((self._by_pk[pk] for pk in self._made if self._by_pk[pk].task_id == step.task.pk), None)
        if own is None:
            own = Expiration.objects.create(
                provider=self._vm.provider,
                vm=self._vm,
                security_group=SecurityGroup.objects.get(provider=self._vm.provider, ems_ref=step.group),
                expires_on=ending.expires_on,
                due_on=ending.expires_on,
                reason=ending.reason,
                userid=step.task.userid,
                task=step.task,
            )
            self._by_pk[own.pk] = own
            self._made[own.pk] = cause_of_task(step.task)
        return own

    def _extend(self, expiration: Expiration, ending: Ending, cause: Cause) -> None:
        self._extended[expiration.pk] = ending, cause
        expiration.expires_on = ending.expires_on

    def _lose(self, member: Member, why: EventType, cause: Cause) -> bool:
        expiration = self._now.pop(member, None)
        if expiration:
            self._lost[expiration.pk] = why, cause
        return expiration is not None

    def _find_gone(self) -> None:
        """What somebody else took from a port is theirs to add again."""
        for member in [*self._now]:
            if member[0] in self._has and not self._has_group(member):
                self._now.pop(member)
                pk = self._stored[member].pk if member in self._stored else 0
                self._lost.setdefault(pk, ("expiration_ended", found_at_cloud()))

    def _write(self) -> None:
        changed = {
            member
            for member in self._stored.keys() | self._now.keys()
            if (old := self._stored.get(member)) != (new := self._now.get(member)) or new is None or old is None
        }
        if changed:
            self._write_members(changed)
        self._end_empty()
        for pk, cause in self._made.items():
            row = self._by_pk[pk]
            if Expiration.objects.filter(pk=pk).update(noted=None):
                record("expiration_created", [self._named(row)], cause)
        for pk, (ending, cause) in self._extended.items():
            extend(Expiration.objects.get(pk=pk), ending.expires_on, cause, ending.reason)

    def _write_members(self, changed: Collection[Member]) -> None:
        provider = self._vm.provider_id
        refs = {port for port, _ in changed}, {group for _, group in changed}
        ports = dict(
            NetworkPort.objects.filter(provider=provider, ems_ref__in=refs[0]).values_list("ems_ref", "pk")
        )
        groups = dict(
            SecurityGroup.objects.filter(provider=provider, ems_ref__in=refs[1]).values_list("ems_ref", "pk")
        )
        for port, group in changed:
            rows = TemporaryMembership.objects.filter(
                network_port__ems_ref=port, network_port__provider=provider, security_group__ems_ref=group
            )
            rows.delete()
        TemporaryMembership.objects.bulk_create(
            TemporaryMembership(
                expiration=self._now[member], network_port_id=ports[member[0]], security_group_id=groups[member[1]]
            )
            for member in sorted(changed)
            if member in self._now and member[0] in ports and member[1] in groups
        )

    def _end_empty(self) -> None:
        """Delete the expirations that have nothing left."""
        suspects = {*self._lost, *self._made} - {0}
        held = TemporaryMembership.objects.filter(expiration__in=among(sorted(suspects)))
        empty = suspects - set(held.values_list("expiration", flat=True)) if suspects else suspects
        for pk in empty:
            self._extended.pop(pk, None)
            if self._made.pop(pk, None):
                Expiration.objects.filter(pk=pk).delete()  # nothing was ever temporary
            elif self._by_pk[pk].noted is None:
                end(self._lost[pk][0], [pk], self._lost[pk][1])
            self._lost.pop(pk, None)
        # What a task could not take back is no longer only noted.
        Expiration.objects.filter(pk__in=[*self._lost], noted__isnull=False).update(noted=None)

    @staticmethod
    def _named(row: Expiration) -> Expiration:
        return named(Expiration.objects.filter(pk=row.pk)).get()
