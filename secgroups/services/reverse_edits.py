"""The edits that are the reverse of what a task did to groups and rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, TypeAlias, cast

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model

from inventory.models import CloudNetwork, CloudTenant, Provider
from inventory.querysets import reaches
from secgroups.arguments import GroupCreation, GroupRestoration, NewRule
from secgroups.messages import group_called
from secgroups.models import AddressList, FirewallRule, SecurityGroup
from secgroups.reverting import OF_RULE, Changed, messages
from secgroups.services.answers import Refused
from secgroups.services.edits import (
    Edit,
    group_creation,
    group_deletion,
    group_edit,
    rule_creation,
    rule_deletion,
)

#: An edit, or its refusal, or why there is none to make.
Reverse: TypeAlias = Edit | Refused | str
#: The attributes of a rule that are the same in the event and in the request for one.
PLAIN = ("direction", "network_protocol", "host_protocol", "port", "end_port", "source_ip_range")
#: The attributes of a group that can be edited.
EDITABLE = ("name", "description")


def require(user: User, permission: str, row: Model) -> None:
    """Raise `PermissionDenied` unless the user has the permission, and it reaches this row."""
    if not (user.has_perm(permission) and reaches(user, permission, type(row), row.pk)):
        raise PermissionDenied(messages.NOT_PERMITTED)


def reverse_edit(provider: Provider, changes: Sequence[Changed], user: User) -> Reverse:
    """The reverse of what one edit did at a provider. Raises `PermissionDenied`."""
    change = next((changed for changed in changes if changed.kind == "group"), changes[0])
    group = SecurityGroup.objects.visible_to(user).filter(pk=change.group_id).select_related("provider").first()
    match change.kind, change.before, change.after:
        case "group", None, _:
            return _group_deletion(provider, group, user)
        case "group", before, None if before:
            own = (changed.before for changed in changes if changed.kind == "rule")
            rules = [rule for rule in own if rule and rule["security_group_id"] == before["id"]]
            return _group_restoration(provider, before, rules, user)
        case "group", before, after if before and after:
            return _group_edit(provider, group, before, after, user)
        case _, None, after if after:
            return _rule_deletion(provider, group, after, user)
        case _, before, _ if before:
            return _rule_creation(provider, group, before, user)
    raise TypeError(change)


def _group_deletion(provider: Provider, group: SecurityGroup | None, user: User) -> Reverse:
    require(user, "secgroups.delete_securitygroup", group or provider)
    return group_deletion(group) if group else messages.GROUP_GONE


def _group_edit(
    provider: Provider,
    group: SecurityGroup | None,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    user: User,
) -> Reverse:
    require(user, "secgroups.change_securitygroup", group or provider)
    if group is None:
        return messages.GROUP_GONE
    # An empty text empties the description; None would keep it.
    return group_edit(group, **{name: before[name] or "" for name in EDITABLE if before[name] != after[name]})


def _rule_deletion(
    provider: Provider, group: SecurityGroup | None, after: Mapping[str, Any], user: User
) -> Reverse:
    require(user, "secgroups.delete_firewallrule", group or provider)
    if group is None:
        return messages.GROUP_GONE
    rules = FirewallRule.objects.visible_to(user).filter(security_group=group)
    # Not by its id: the rule may have been created again meanwhile, by a revert.
    rules = rules.filter(**{name: after[name] for name in OF_RULE})
    rule = rules.select_related("security_group__provider", "source_security_group", "source_address_list").first()
    return rule_deletion(rule, user) if rule else messages.RULE_GONE


def _rule_creation(
    provider: Provider, group: SecurityGroup | None, before: Mapping[str, Any], user: User
) -> Reverse:
    require(user, "secgroups.add_firewallrule", group or provider)
    if group is None:
        return messages.GROUP_GONE
    sides = _OtherSides(provider, [before], user)
    if not sides.has(before):
        return messages.SOURCE_GONE
    return rule_creation(
        group,
        **{name: before[name] for name in PLAIN},
        description=before["description"],
        source_security_group=sides.groups.get(before["source_security_group_id"]),
        source_address_list=sides.lists.get(before["source_ip_range"]),
    )


def _group_restoration(
    provider: Provider, before: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], user: User
) -> Reverse:
    tenant, network = (
        model.objects.visible_to(user).filter(pk=before[name]).first() if before[name] else None
        for model, name in ((CloudTenant, "cloud_tenant_id"), (CloudNetwork, "cloud_network_id"))
    )
    require(user, "secgroups.add_securitygroup", tenant or provider)
    if rules:
        require(user, "secgroups.add_firewallrule", tenant or provider)
    if (before["cloud_tenant_id"] and not tenant) or (before["cloud_network_id"] and not network):
        return messages.PLACE_GONE
    if not before["stateful"]:
        return messages.STATELESS
    sides = _OtherSides(provider, rules, user, known={before["id"]: before["ems_ref"]})
    if not all(map(sides.has, rules)):
        return messages.SOURCE_GONE
    edit = group_creation(
        provider,
        name=before["name"],
        description=before["description"],
        cloud_tenant=tenant,
        cloud_network=network,
    )
    if isinstance(edit, Refused):
        return edit
    creation = cast(GroupCreation, edit.spec.arguments)
    arguments = GroupRestoration(
        subject=group_called(before["name"]),
        group=creation.group,
        was=before["ems_ref"],
        rules=tuple(sides.new_rule(rule, before["ems_ref"]) for rule in rules),
    )
    return replace(edit, spec=replace(edit.spec, arguments=arguments))


class _OtherSides:
    """What rules of events name, as far as it exists and the user may see it. `known` are refs of groups by id."""

    def __init__(
        self,
        provider: Provider,
        rules: Iterable[Mapping[str, Any]],
        user: User,
        known: Mapping[str, str] | None = None,
    ) -> None:
        ids = {rule["source_security_group_id"] for rule in rules} - {None}
        rows = SecurityGroup.objects.visible_to(user).filter(provider=provider, pk__in=ids)
        self.groups: dict[str | None, SecurityGroup] = {str(row.pk): row for row in rows}
        self._refs: dict[str | None, str] = {pk: row.ems_ref for pk, row in self.groups.items()}
        self._refs.update(known or {})
        ranges = {rule["source_ip_range"] for rule in rules} - {None}
        lists = AddressList.objects.visible_to(user).filter(provider=provider, ems_ref__in=ranges)
        self.lists: dict[str | None, AddressList] = {row.ems_ref: row for row in lists}

    def has(self, rule: Mapping[str, Any]) -> bool:
        group, text = rule["source_security_group_id"], rule["source_ip_range"]
        return (group is None or group in self._refs) and (text is None or text in self.lists or _is_range(text))

    def new_rule(self, rule: Mapping[str, Any], group_ref: str) -> NewRule:
        text, source = rule["source_ip_range"], rule["source_security_group_id"]
        return NewRule(
            group_ref=group_ref,
            **{name: rule[name] for name in PLAIN},
            source_group_ref=self._refs.get(source),
            description=rule["description"],
            address_list_ref=text if text in self.lists else None,
        )


def _is_range(text: str) -> bool:
    """Whether it is a CIDR, and not the cloud's own name of something."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
