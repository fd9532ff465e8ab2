"""Accepting changes of security groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from inventory.models import Vm
from inventory.services import Work, queue_work
from secgroups.models import SecurityGroup
from secgroups.plan import WORDS, Action, cannot
from secgroups.services.answers import Accepted, Refused


@dataclass(frozen=True, slots=True)
class Asked:
    """A group as somebody named it; of several names `id` goes before `ems_ref` before `name`.

    `ports` (primary keys or ems_refs, as text) narrows the change to these ports of the instance.
    """

    name: str | None = None
    id: int | None = None
    ems_ref: str | None = None
    ports: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return str(self.name or self.ems_ref or f"security group {self.id}")


@transaction.atomic
def request_changes(*, vm: Vm, action: Action, asked: Sequence[Asked], user: User) -> list[Accepted | Refused]:
    """Accept each of these changes as a task of its own, or refuse it; the answers are in the order of `asked`.

    A name that the inventory does not know is accepted, because the inventory may be behind the cloud: the cloud
    is asked when the task is carried out.
    """
    decided = _decide(vm, action, asked)
    works = [work for work in decided if isinstance(work, Work)]
    tasks = iter(queue_work(f"vms/{vm.pk}", works, user=user, provider=vm.provider, vm=vm)) if works else iter(())
    return [Accepted(work.message, next(tasks)) if isinstance(work, Work) else work for work in decided]


def _decide(vm: Vm, action: Action, asked: Sequence[Asked]) -> list[Work | Refused]:
    if not vm.provider.supports_security_groups:
        return [Refused(cannot(action, one.label, vm.name)) for one in asked]
    candidates = _candidates(vm, asked)
    ports = {str(pk): ref for pk, ref in vm.network_ports.values_list("pk", "ems_ref")}
    return [_decide_one(vm, action, one, candidates, ports) for one in asked]


def _candidates(vm: Vm, asked: Sequence[Asked]) -> list[SecurityGroup]:
    """The groups that this instance can have and that somebody named, in one query."""
    named = Q(name__in={one.name for one in asked if one.name})
    named |= Q(pk__in={one.id for one in asked if one.id is not None})
    named |= Q(ems_ref__in={one.ems_ref for one in asked if one.ems_ref})
    return list(SecurityGroup.objects.available_to(vm).filter(named).order_by("pk").only("name", "ems_ref"))


def _decide_one(
    vm: Vm, action: Action, asked: Asked, candidates: Sequence[SecurityGroup], ports: dict[str, str]
) -> Work | Refused:
    gerund, _, preposition = WORDS[action]
    fitting = [group for group in candidates if _fits(group, asked)]
    refusal = _refusal(vm, asked, fitting)
    if refusal:
        return Refused(f"{cannot(action, asked.label, vm.name)}: {refusal}")
    name = fitting[0].name if fitting else asked.label
    group = {"name": name, "ems_ref": fitting[0].ems_ref if fitting else asked.ems_ref}
    message = f"{gerund} security group {name} {preposition} {vm.name}"
    narrowed = [ports.get(port, port) for port in asked.ports]
    context = {"action": action, "instance": vm.name, "security_group": group}
    return Work(
        name=message,
        message=message,
        arguments={"action": action, "group": group, "ports": narrowed},
        context=context | ({"ports": narrowed} if narrowed else {}),
    )


def _fits(group: SecurityGroup, asked: Asked) -> bool:
    if asked.id is not None:
        return group.pk == asked.id
    if asked.ems_ref:
        return group.ems_ref == asked.ems_ref
    return group.name == asked.name


def _refusal(vm: Vm, asked: Asked, fitting: Sequence[SecurityGroup]) -> str | None:
    """Why this can't be asked of the cloud; None if it can."""
    if len(fitting) > 1:
        ids = ", ".join(str(group.pk) for group in fitting)
        return f"several security groups have this name, choose one by its id: {ids}"
    if fitting:
        return None
    if asked.id is not None:
        return f"{vm.name} can have no security group with this id"
    if asked.ems_ref and SecurityGroup.objects.filter(provider=vm.provider_id, ems_ref=asked.ems_ref).exists():
        return f"{vm.name} can't have this group, it belongs to another network or tenant"
    return None
