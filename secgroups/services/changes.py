"""Accepting changes to the security groups of instances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from inventory.db.conditions import Condition, Params
from inventory.db.lookups import Numbers, Texts
from inventory.db.statements import CompiledQuery, Param
from inventory.models import NetworkPort, Provider, Vm
from inventory.querysets import scope_of
from inventory.services import TaskSpec, queue_work
from secgroups import messages
from secgroups.arguments import MembershipChange, WantedGroup
from secgroups.models import SecurityGroup
from secgroups.plan import Action
from secgroups.services.answers import Accepted, Refused
from secgroups.services.refusals import out_of_reach, read_only


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

    @property
    def label(self) -> str:
        return str(self.called or self.name or self.ems_ref or messages.group_called(str(self.id)))


def request_changes(
    *, vm: Vm, action: Action, asked: Sequence[GroupReference | Refused], user: User
) -> list[Accepted | Refused]:
    """Accept each of these changes as a task, or refuse it. The answers are in the order of `asked`.

    References that are already refused stay refused. An unknown name is accepted, because the inventory may be
    behind the cloud. The task asks the cloud.
    """
    references = [one for one in asked if isinstance(one, GroupReference)]
    of_references = iter(_decide(vm, action, references, user))
    decided = [one if isinstance(one, Refused) else next(of_references) for one in asked]
    specs = [one for one in decided if isinstance(one, TaskSpec)]
    tasks = iter(queue_work(f"vms/{vm.pk}", specs, user=user, provider=vm.provider, vm=vm)) if specs else iter(())
    return [Accepted(one.message, next(tasks)) if isinstance(one, TaskSpec) else one for one in decided]


def _decide(vm: Vm, action: Action, asked: Sequence[GroupReference], user: User) -> list[TaskSpec | Refused]:
    if not vm.provider.supports_security_groups:
        reason = read_only(vm.provider)
        return [_refused(vm, action, one, reason) for one in asked]
    candidates = _Candidates(vm, asked, user)
    ports = _Ports(vm, {port for one in asked for port in one.ports}, user)
    return [
        _refused(vm, action, one, refusal)
        if (refusal := _refusal(vm, one, fitting := candidates.fitting(one), ports, user))
        else _spec(vm, action, one, fitting, ports)
        for one in asked
    ]


def _refused(vm: Vm, action: Action, asked: GroupReference, reason: str) -> Refused:
    return Refused(messages.cannot(action, messages.change_of(action, asked.label, vm.name), reason))


class _Ports:
    """The ports that the request names by id or ems_ref, read in one query."""

    def __init__(self, vm: Vm, named: set[str], user: User) -> None:
        known = NetworkPort.objects.visible_to(user).filter(
            Q(pk__among=Numbers({int(port) for port in named if _is_id(port)})) | Q(ems_ref__among=Texts(named)),
            provider=vm.provider_id,
        )
        ports = list(known.values_list("pk", "ems_ref", "vm")) if named else []
        self._refs = {name: ref for pk, ref, owner in ports if owner == vm.pk for name in (str(pk), ref)}
        self._others = {name for pk, ref, owner in ports if owner != vm.pk for name in (str(pk), ref)}

    def refs(self, named: Sequence[str]) -> list[str]:
        """Their ems_refs. Unknown ones are kept, for the cloud to decide."""
        return [self._refs.get(port, port) for port in named]

    def foreign(self, named: Sequence[str]) -> list[str]:
        """Those that the instance does not have: ports of other instances, and unknown ids."""
        return [port for port in named if port not in self._refs and (port in self._others or _is_id(port))]


def _is_id(port: str) -> bool:
    return port.isascii() and port.isdigit() and len(port) < 19


class _Candidate(NamedTuple):
    """A group that the request may mean."""

    pk: int
    name: str
    ems_ref: str


@cache
def _available(vendor: str, has_tenant: bool, scope: Condition) -> CompiledQuery:
    """What reads the candidates for an instance at a provider of this vendor that is of a tenant, or of none.

    `scope` has params for its values.
    """

    def rows() -> QuerySet[Any, Any]:
        provider = Provider(id=Param("provider"), vendor=vendor)
        vm = Vm(id=Param("vm"), provider=provider, cloud_tenant_id=Param("tenant") if has_tenant else None)
        named = Q(name__among=Param("names")) | Q(pk__among=Param("ids")) | Q(ems_ref__among=Param("refs"))
        groups = SecurityGroup.objects.filter(scope.q()).available_to(vm).filter(named).order_by("pk")
        return groups.values_list(*_Candidate._fields)

    return CompiledQuery(rows)


class _Candidates:
    """The groups that the request names and the instance can have, read in one query."""

    def __init__(self, vm: Vm, asked: Sequence[GroupReference], user: User) -> None:
        self._of_name: defaultdict[str, list[_Candidate]] = defaultdict(list)
        self._of_ref: dict[str, _Candidate] = {}
        self._of_id: dict[int, _Candidate] = {}
        params = Params()
        scope = params.of(scope_of(user, SecurityGroup))
        found = _available(vm.provider.vendor, vm.cloud_tenant_id is not None, scope)(
            vm=vm.pk,
            provider=vm.provider_id,
            tenant=vm.cloud_tenant_id,
            names=Texts({one.name for one in asked if one.name}),
            ids=Numbers({one.id for one in asked if one.id is not None}),
            refs=Texts({one.ems_ref for one in asked if one.ems_ref}),
            **params.values,
        )
        for group in map(_Candidate._make, found):
            self._of_name[group.name].append(group)
            self._of_ref[group.ems_ref] = self._of_id[group.pk] = group

    def fitting(self, asked: GroupReference) -> Sequence[_Candidate]:
        if asked.id is not None:
            found = self._of_id.get(asked.id)
        elif asked.ems_ref:
            found = self._of_ref.get(asked.ems_ref)
        else:
            return self._of_name.get(asked.name or "", ())
        return (found,) if found else ()


def _spec(vm: Vm, action: Action, asked: GroupReference, fitting: Sequence[_Candidate], ports: _Ports) -> TaskSpec:
    name = fitting[0].name if fitting else asked.label
    ems_ref = fitting[0].ems_ref if fitting else asked.ems_ref
    message = messages.doing(action, messages.change_of(action, messages.group_called(name), vm.name))
    narrowed = ports.refs(asked.ports)
    context = {"action": action, "instance": vm.name, "security_group": {"name": name, "ems_ref": ems_ref}}
    return TaskSpec(
        name=message,
        message=message,
        arguments=MembershipChange(
            action=action, group=WantedGroup(name=name, ems_ref=ems_ref), ports=tuple(narrowed)
        ),
        context=context | ({"ports": narrowed} if narrowed else {}),
    )


def _refusal(
    vm: Vm, asked: GroupReference, fitting: Sequence[_Candidate], ports: _Ports, user: User
) -> str | None:
    """Why the change is refused; None if it is accepted."""
    if len(fitting) > 1:
        return messages.several_groups(group.pk for group in fitting)
    if fitting:
        [found] = fitting
        if not (asked.name in {None, found.name} and asked.ems_ref in {None, found.ems_ref}):
            return messages.other_names(found.name, found.ems_ref)
    if foreign := ports.foreign(asked.ports):
        return messages.no_ports(vm.name, foreign)
    if fitting:
        return None
    located = SecurityGroup.objects.visible_to(user).select_related("provider", "cloud_network", "cloud_tenant")
    if asked.id is not None:
        group = located.filter(pk=asked.id).first()
        return out_of_reach(vm, group) if group else messages.no_group_with_id(asked.id)
    if asked.ems_ref and (group := located.filter(provider=vm.provider_id, ems_ref=asked.ems_ref).first()):
        return out_of_reach(vm, group)
    return None
