"""Accepting changes to the security groups of instances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from msgspec import UNSET

from inventory.db.conditions import Condition, Params
from inventory.db.lookups import Numbers, Texts
from inventory.db.statements import CompiledQuery, Param
from inventory.models import NetworkPort, Provider, Vm
from inventory.querysets import scope_of
from inventory.restrictions import restriction_of
from inventory.services import TaskSpec, queue_work
from secgroups import messages
from secgroups.arguments import Ending, MembershipChange, WantedGroup
from secgroups.models import SecurityGroup
from secgroups.plan import Action
from secgroups.services.answers import Accepted, Refused
from secgroups.services.endings import shown_ending
from secgroups.services.refusals import out_of_reach, read_only

MAY_CHANGE = "inventory.change_vm_security_groups"


@dataclass(frozen=True, slots=True)
class GroupReference:
    """A group as a request names it. Several names must belong to the same group.

    `ports` (primary keys or ems_refs, as text) limits the change to these ports of the instance.
    """

    name: str | None = None
    id: int | None = None
    ems_ref: str | None = None
    ports: tuple[str, ...] = ()
    #: What answers call it, if not one of its names.
    called: str | None = None
    #: When the group is taken back, if it is added for a while.
    ending: Ending | None = None

    @property
    def label(self) -> str:
        return str(self.called or self.name or self.ems_ref or messages.group_called(str(self.id)))


def request_changes(
    *, vm: Vm, action: Action, references: Sequence[GroupReference | Refused], user: User
) -> list[Accepted | Refused]:
    """Accept each of these changes as a task, or refuse it. The answers are in the order of `references`.

    References that are already refused stay refused. An unknown name is accepted, because the inventory may be
    behind the cloud. The task asks the cloud.
    """
    decisions = decide_changes(vm=vm, action=action, references=references, user=user)
    specs = [decision for decision in decisions if isinstance(decision, TaskSpec)]
    tasks = iter(queue_work(f"vms/{vm.pk}", specs, user=user, provider=vm.provider, vm=vm)) if specs else iter(())
    return [
        Accepted(decision.message, next(tasks)) if isinstance(decision, TaskSpec) else decision
        for decision in decisions
    ]


def decide_changes(
    *, vm: Vm, action: Action, references: Sequence[GroupReference | Refused], user: User
) -> list[TaskSpec | Refused]:
    """The task for each of these changes, or why it is refused. Queues nothing."""
    accepted = [reference for reference in references if isinstance(reference, GroupReference)]
    decided = iter(_decide(vm, action, accepted, user))
    return [reference if isinstance(reference, Refused) else next(decided) for reference in references]


def _decide(vm: Vm, action: Action, references: Sequence[GroupReference], user: User) -> list[TaskSpec | Refused]:
    if not vm.provider.supports_security_groups:
        reason = read_only(vm.provider)
        return [_refused(vm, action, reference, reason) for reference in references]
    candidates = _Candidates(vm, references, user)
    ports = _Ports(vm, {port for reference in references for port in reference.ports}, user)
    return [
        _refused(vm, action, reference, refusal)
        if (refusal := _refusal(vm, reference, fitting := candidates.fitting(reference), ports, user))
        else _spec(vm, action, reference, fitting, ports)
        for reference in references
    ]


def _refused(vm: Vm, action: Action, asked: GroupReference, reason: str) -> Refused:
    return Refused(messages.cannot(action, messages.change_of(action, asked.label, vm.name), reason))


class _Ports:
    """The ports that the request names by id or ems_ref, read in one query."""

    def __init__(self, vm: Vm, ports: set[str], user: User) -> None:
        rows = list(_ports(vm, ports, user)) if ports else []
        self._refs = {name: ref for pk, ref, owner in rows if owner == vm.pk for name in (str(pk), ref)}
        self._others = {name for pk, ref, owner in rows if owner != vm.pk for name in (str(pk), ref)}

    def refs(self, ports: Sequence[str]) -> list[str]:
        """Their ems_refs. Unknown ones are kept, for the cloud to decide."""
        return [self._refs.get(port, port) for port in ports]

    def foreign(self, ports: Sequence[str]) -> list[str]:
        """Those that the instance does not have: ports of other instances, and unknown ids."""
        return [port for port in ports if port not in self._refs and (port in self._others or _is_id(port))]


def _ports(vm: Vm, ports: set[str], user: User) -> QuerySet[Any, Any]:
    ids = Numbers({int(port) for port in ports if _is_id(port)})
    rows = NetworkPort.objects.visible_to(user).filter(Q(pk__among=ids) | Q(ems_ref__among=Texts(ports)))
    return rows.filter(provider=vm.provider_id).values_list("pk", "ems_ref", "vm")


def _is_id(port: str) -> bool:
    return port.isascii() and port.isdigit() and len(port) < 19


class _Candidate(NamedTuple):
    """A group that the request may mean."""

    pk: int
    name: str
    ems_ref: str
    cloud_tenant: int | None


@cache
def _available(vendor: str, has_tenant: bool, scope: Condition) -> CompiledQuery:
    """The query for the candidates of an instance, with or without a tenant, at a provider of this vendor.

    `scope` has params in place of its values.
    """

    def rows() -> QuerySet[Any, Any]:
        provider = Provider(id=Param("provider"), vendor=vendor)
        vm = Vm(id=Param("vm"), provider=provider, cloud_tenant_id=Param("tenant") if has_tenant else None)
        matches = Q(name__among=Param("names")) | Q(pk__among=Param("ids")) | Q(ems_ref__among=Param("refs"))
        groups = SecurityGroup.objects.filter(scope.q()).available_to(vm).filter(matches).order_by("pk")
        return groups.values_list(*_Candidate._fields)

    return CompiledQuery(rows)


class _Candidates:
    """The groups that the request names and the instance can have, read in one query."""

    def __init__(self, vm: Vm, references: Sequence[GroupReference], user: User) -> None:
        self._of_name: defaultdict[str, list[_Candidate]] = defaultdict(list)
        self._of_ref: dict[str, _Candidate] = {}
        self._of_id: dict[int, _Candidate] = {}
        params = Params()
        scope = params.of(scope_of(user, SecurityGroup))
        rows = _available(vm.provider.vendor, vm.cloud_tenant_id is not None, scope)(
            vm=vm.pk,
            provider=vm.provider_id,
            tenant=vm.cloud_tenant_id,
            names=Texts({reference.name for reference in references if reference.name}),
            ids=Numbers({reference.id for reference in references if reference.id is not None}),
            refs=Texts({reference.ems_ref for reference in references if reference.ems_ref}),
            **params.values,
        )
        for group in map(_Candidate._make, rows):
            self._of_name[group.name].append(group)
            self._of_ref[group.ems_ref] = self._of_id[group.pk] = group

    def fitting(self, reference: GroupReference) -> Sequence[_Candidate]:
        if reference.id is not None:
            candidate = self._of_id.get(reference.id)
        elif reference.ems_ref:
            candidate = self._of_ref.get(reference.ems_ref)
        else:
            return self._of_name.get(reference.name or "", ())
        return (candidate,) if candidate else ()


def _spec(
    vm: Vm, action: Action, reference: GroupReference, fitting: Sequence[_Candidate], ports: _Ports
) -> TaskSpec:
    name = fitting[0].name if fitting else reference.label
    ems_ref = fitting[0].ems_ref if fitting else reference.ems_ref
    is_of_tenant = bool(fitting) and fitting[0].cloud_tenant == vm.cloud_tenant_id
    return membership_spec(
        action,
        name,
        ems_ref,
        vm.name,
        ports.refs(reference.ports),
        names_others=not is_of_tenant,
        ending=reference.ending,
    )


def membership_spec(
    action: Action,
    group: str,
    ems_ref: str | None,
    instance: str,
    ports: Sequence[str],
    *,
    names_others: bool,
    ending: Ending | None = None,
) -> TaskSpec:
    """The task that changes a group of an instance, both by name. `ports` and `ems_ref` are the cloud's ids."""
    message = messages.doing(action, messages.change_of(action, messages.group_called(group), instance))
    context = {"action": action, "instance": instance, "security_group": {"name": group, "ems_ref": ems_ref}}
    if ending:
        message = messages.until(message, ending.expires_on)
        context |= shown_ending(ending)
    return TaskSpec(
        name=message,
        message=message,
        arguments=MembershipChange(
            action=action,
            group=WantedGroup(name=group, ems_ref=ems_ref),
            ports=tuple(ports),
            names_others=True if names_others else UNSET,
            ending=ending or UNSET,
        ),
        context=context | ({"ports": [*ports]} if ports else {}),
    )


def _refusal(
    vm: Vm, reference: GroupReference, fitting: Sequence[_Candidate], ports: _Ports, user: User
) -> str | None:
    """Why the change is refused; None if it is accepted."""
    if len(fitting) > 1:
        return messages.several_groups(group.pk for group in fitting)
    if fitting:
        [candidate] = fitting
        if not (reference.name in {None, candidate.name} and reference.ems_ref in {None, candidate.ems_ref}):
            return messages.other_names(candidate.name, candidate.ems_ref)
    if foreign := ports.foreign(reference.ports):
        return messages.no_ports(vm.name, foreign)
    if fitting:
        return None
    if reference.id is not None:
        group = _located(user).filter(pk=reference.id).first()
        return out_of_reach(vm, group) if group else messages.no_group_with_id(reference.id)
    if reference.ems_ref:
        group = _located(user).filter(provider=vm.provider_id, ems_ref=reference.ems_ref).first()
        if group:
            return out_of_reach(vm, group)
    # The cloud may have it, and would not know whether the user may see it.
    restriction = restriction_of(user)
    sees_provider = restriction is None or restriction.includes(vm.provider_id)
    return None if sees_provider else messages.not_at_cloud(vm.name)


def _located(user: User) -> QuerySet[SecurityGroup]:
    """The groups that the user may see anywhere, with what says where they are."""
    return SecurityGroup.objects.visible_to(user).select_related("provider", "cloud_network", "cloud_tenant")
