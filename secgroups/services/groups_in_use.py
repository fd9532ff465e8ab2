"""Accepts the replacement of a group that is in use, and its deletion: tasks with parts.

Each instance, each port without one and each group whose rules name the group is a part. Nothing is accepted
unless all of them can be written, by what the inventory has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from msgspec import UNSET

from inventory.querysets import reaches, scope_of
from inventory.services import Part, TaskSpec
from secgroups import messages
from secgroups.analysis.group_use import DEFAULT
from secgroups.arguments import (
    EditVerb,
    KnownGroup,
    MembershipChange,
    PortDetachment,
    RuleDetachment,
    Substitutes,
    WantedGroup,
)
from secgroups.messages import cannot, doing, group_called
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.services.answers import Refused
from secgroups.services.edits import Edit, group_deletion
from secgroups.services.group_work import GroupWork
from secgroups.services.members_in_use import Holder, Members
from secgroups.services.refusals import foreign_source, read_only

#: The rights that writing the rules of other groups takes.
CREATE_RULES, DELETE_RULES = "secgroups.add_firewallrule", "secgroups.delete_firewallrule"


def group_replacement(group: SecurityGroup, other: SecurityGroup, *, user: User) -> GroupWork | Refused:
    """Give every port that has a group another one in its place, and let rules name that one."""
    subject = messages.replacement(group.name, other.name)
    users = _Users(group, user, substitute=other)
    reason = _unsuitable(group, other) or users.obstacle(CREATE_RULES, DELETE_RULES)
    if reason:
        return Refused(cannot("replace", subject, reason))
    if foreign := next((why for owner in users.owners if (why := foreign_source(owner, other))), None):
        return Refused(cannot("replace", subject, foreign))
    twins = [users.twin_part(owner) for owner in users.owners]
    ports = users.port_parts(stage=1 if twins else None)
    # The group itself: so that there is a part, which says that there was nothing to do.
    deletions = [users.rule_part(owner, stage=2) for owner in users.owners] or (
        [] if ports else [users.rule_part(group)]
    )
    return _work(group, "replace", subject, [*twins, *ports, *deletions], users, {"with": _named(other)})


def detached_deletion(group: SecurityGroup, *, user: User) -> GroupWork | Edit | Refused:
    """Remove a group from everything that uses it, then delete it."""
    users = _Users(group, user)
    subject = messages.detached(group.name, len(users.members.ports), users.number_of_rules)
    driver = group.provider.driver_class
    kept = driver.default_is_kept if driver and group.name == DEFAULT else None
    if reason := kept or users.obstacle(DELETE_RULES):
        return Refused(cannot("delete", group_called(group.name), reason))
    parts = [*users.port_parts(), *(users.rule_part(owner) for owner in users.owners)]
    deletion = group_deletion(group)
    if not parts or isinstance(deletion, Refused):
        return deletion
    last = Part(users.queue, deletion.spec, stage=1)
    return _work(group, "delete", subject, [*parts, last], users, {"detach": True})


def _unsuitable(group: SecurityGroup, other: SecurityGroup) -> str | None:
    if group.pk == other.pk:
        return messages.SAME_GROUP
    return None if group.provider_id == other.provider_id else messages.OTHER_PROVIDER


def _work(
    group: SecurityGroup,
    verb: messages.Verb,
    subject: str,
    parts: Sequence[Part],
    users: _Users,
    details: Mapping[str, Any],
) -> GroupWork:
    message = doing(verb, subject)
    context = {"action": verb, "provider": group.provider.name, "security_group": _named(group), **details}
    spec = TaskSpec(message, message, context=context)
    return GroupWork(group.provider, verb, subject, spec, parts, [*users.members.ports])


class _Users:
    """What uses a group, with the parts that remove it from there, or put a substitute in its place."""

    def __init__(self, group: SecurityGroup, user: User, substitute: SecurityGroup | None = None) -> None:
        self.group, self.user, self.substitute = group, user, substitute
        self.provider = group.provider
        self.queue = f"security_groups/{group.provider_id}"
        self.members = Members(group, user, substitute)
        naming = FirewallRule.objects.filter(provider=group.provider_id, source_security_group=group)
        if substitute is None:  # the group's own rules go with it
            naming = naming.exclude(security_group=group)
        self.number_of_rules = naming.count()
        owners = SecurityGroup.objects.filter(pk__in=naming.values("security_group")).order_by("pk")
        self.owners: list[SecurityGroup] = [*owners.select_related("provider").defer("provider__credentials")]

    def obstacle(self, *rights: str) -> str | None:
        """Why some of it can't be written; None if all can."""
        if not self.provider.supports_security_groups:
            return read_only(self.provider)
        seen = scope_of(self.user, SecurityGroup)
        pks = [owner.pk for owner in self.owners]
        hidden = SecurityGroup.objects.filter(pk__in=pks).exclude(
            pk__in=SecurityGroup.objects.filter(seen.q(), pk__in=pks).values("pk")
        )
        if self.members.has_hidden or hidden.exists():
            return messages.USED_BEYOND
        if reason := self.members.beyond_rights():
            return reason
        beyond = {owner.name for owner in self.owners for right in rights if not self._may(right, owner)}
        if beyond:
            return messages.not_permitted_there("rules of", beyond)
        return self.members.unwritable()

    def _may(self, permission: str, group: SecurityGroup) -> bool:
        user = self.user
        return user.has_perm(permission) and reaches(user, permission, SecurityGroup, group.pk)

    def port_parts(self, *, stage: int | None = None) -> list[Part]:
        """A part for each instance, and for each port without one."""
        parts = [Part(f"vms/{vm.pk}", self._membership_spec(vm), vm.pk, stage=stage) for vm in self.members.vms]
        lone = (Part(self.queue, self._port_spec(*each), stage=stage) for each in self.members.lone_ports)
        return [*parts, *lone]

    def _membership_spec(self, vm: Holder) -> TaskSpec:
        group, name, others = self.group, vm.name, vm.substitutes
        message = doing(self._verb, messages.removal(group.name, name, self._substitute_name))
        names_others = any(each.cloud_tenant_id != vm.cloud_tenant for each in (group, *others))
        arguments = MembershipChange(
            action="remove",
            group=WantedGroup(group.name, group.ems_ref),
            substitutes=self._substitutes(others),
            names_others=True if names_others else UNSET,
        )
        context = {
            "action": "remove",
            "instance": name,
            "security_group": {"name": group.name, "ems_ref": group.ems_ref},
        }
        return TaskSpec(message, message, arguments, context)

    def _port_spec(self, ref: str, others: Sequence[SecurityGroup]) -> TaskSpec:
        subject = messages.removal(self.group.name, messages.port_called(ref), self._substitute_name)
        arguments = PortDetachment(
            verb=self._verb,
            subject=subject,
            group=_known(self.group),
            port=ref,
            substitutes=self._substitutes(others),
        )
        return self._edit_spec(arguments, {"security_group": _named(self.group), "network_port": {"ems_ref": ref}})

    @property
    def _verb(self) -> EditVerb:
        return "replace" if self.substitute else "remove"

    @property
    def _substitute_name(self) -> str | None:
        return self.substitute.name if self.substitute else None

    def _substitutes(self, others: Iterable[SecurityGroup]) -> Substitutes:
        groups = tuple(WantedGroup(other.name, other.ems_ref) for other in others)
        return Substitutes(groups, always=self.substitute is not None)

    def twin_part(self, owner: SecurityGroup) -> Part:
        """The part that gives each rule of a group a twin."""
        if self.substitute is None:
            raise LookupError("there are twins only for a substitute")
        subject = messages.twins_naming(owner.name, self.group.name, self.substitute.name)
        return Part(self.queue, self._rule_spec(owner, "create", subject))

    def rule_part(self, owner: SecurityGroup, *, stage: int | None = None) -> Part:
        """The part that deletes the rules of a group."""
        subject = messages.rules_naming(owner.name, self.group.name)
        return Part(self.queue, self._rule_spec(owner, "delete", subject), stage=stage)

    def _rule_spec(self, owner: SecurityGroup, verb: EditVerb, subject: str) -> TaskSpec:
        arguments = RuleDetachment(
            verb=verb,
            subject=subject,
            group=_known(owner),
            source=_known(self.group),
            substitute=_known(self.substitute) if self.substitute else None,
            deletes=verb == "delete",
        )
        return self._edit_spec(arguments, {"security_group": _named(owner), "source": _named(self.group)})

    def _edit_spec(self, arguments: PortDetachment | RuleDetachment, context: Mapping[str, Any]) -> TaskSpec:
        message = doing(arguments.verb, arguments.subject)
        return TaskSpec(
            message, message, arguments, {"action": arguments.verb, "provider": self.provider.name, **context}
        )


def _known(group: SecurityGroup) -> KnownGroup:
    return KnownGroup(**_named(group))


def _named(group: SecurityGroup) -> dict[str, str]:
    return {"id": str(group.pk), "name": group.name, "ems_ref": group.ems_ref}
