"""Accepts edits of groups and rules. Each request becomes an `Edit`, and many can be queued together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction
from msgspec import UNSET

from inventory.drivers.base import Driver
from inventory.drivers.values import Direction
from inventory.models import CloudNetwork, CloudTenant, Provider
from inventory.querysets import reaches
from inventory.services import TaskSpec, queue_work
from secgroups import messages
from secgroups.arguments import (
    EditArguments,
    Ending,
    GroupAttributes,
    GroupCreation,
    GroupDeletion,
    GroupEdit,
    KnownGroup,
    KnownRule,
    NewGroup,
    NewRule,
    RuleCreation,
    RuleDeletion,
)
from secgroups.messages import HIDDEN_SOURCE, cannot, group_called, rule_called
from secgroups.models import AddressList, FirewallRule, SecurityGroup
from secgroups.services.answers import Accepted, Refused
from secgroups.services.endings import shown_ending
from secgroups.services.group_work import GroupWork, request_group_work
from secgroups.services.refusals import foreign_list, foreign_source, read_only


@dataclass(frozen=True, slots=True)
class Edit:
    """A valid edit of a provider's groups or rules."""

    provider: Provider
    spec: TaskSpec


@transaction.atomic
def request_edits(decisions: Sequence[Edit | GroupWork | Refused], *, user: User) -> list[Accepted | Refused]:
    """Queue each edit as a task, all or none. The answers are in the order of `decisions`.

    The edits of one provider run one after the other, in this order.
    """
    # They lock every queue, and so come before others lock one.
    works = iter([request_group_work(work, user=user) for work in decisions if isinstance(work, GroupWork)])
    by_provider: dict[Provider, list[TaskSpec]] = {}
    for decision in decisions:
        if isinstance(decision, Edit):
            by_provider.setdefault(decision.provider, []).append(decision.spec)
    # In a fixed order, so that two requests can't wait for each other.
    tasks = {
        provider: iter(queue_work(f"security_groups/{provider.pk}", specs, user=user, provider=provider))
        for provider, specs in sorted(by_provider.items(), key=lambda item: item[0].pk)
    }
    answers: list[Accepted | Refused] = []
    for decision in decisions:
        match decision:
            case Edit(provider, spec):
                answers.append(Accepted(spec.message, next(tasks[provider])))
            case GroupWork():
                answers.append(next(works))
            case Refused():
                answers.append(decision)
    return answers


def group_creation(
    provider: Provider,
    *,
    name: str,
    description: str | None = None,
    cloud_tenant: CloudTenant | None = None,
    cloud_network: CloudNetwork | None = None,
) -> Edit | Refused:
    """Create a group. Without a tenant or network, the cloud chooses."""
    subject = group_called(name)
    driver = _managing(provider)
    if cloud_network and driver and not driver.groups_have_networks:
        return Refused(cannot("create", subject, messages.no_networks(provider.name)))
    group = NewGroup(
        name=name,
        description=description,
        tenant_ref=cloud_tenant.ems_ref if cloud_tenant else None,
        network_ref=cloud_network.ems_ref if cloud_network else None,
    )
    shown = {
        "name": name,
        "description": description,
        "cloud_tenant": cloud_tenant and cloud_tenant.name,
        "cloud_network": cloud_network and cloud_network.name,
    }
    return _edit(provider, GroupCreation(subject=subject, group=group), {"security_group": shown})


def group_edit(group: SecurityGroup, **attributes: str | None) -> Edit | Refused:
    """Change the `name`, the `description`, or both."""
    subject, provider = group_called(group.name), group.provider
    driver = _managing(provider)
    if driver and not driver.supports_group_edits:
        return Refused(cannot("edit", subject, messages.no_group_edits(provider.name)))
    if not attributes:
        return Refused(cannot("edit", subject, messages.NO_CHANGES))
    arguments = GroupEdit(subject=subject, group=_known(group), attributes=GroupAttributes(**attributes))
    summary = _named(group)
    return _edit(provider, arguments, {"security_group": summary, "group": summary, "attributes": attributes})


def group_deletion(group: SecurityGroup) -> Edit | Refused:
    arguments = GroupDeletion(subject=group_called(group.name), group=_known(group))
    return _edit(group.provider, arguments, {"security_group": _named(group)})


def rule_creation(
    group: SecurityGroup,
    *,
    direction: Direction,
    network_protocol: str | None = None,
    host_protocol: str | None = None,
    port: int | None = None,
    end_port: int | None = None,
    source_ip_range: str | None = None,
    source_security_group: SecurityGroup | None = None,
    source_address_list: AddressList | None = None,
    description: str | None = None,
    ending: Ending | None = None,
) -> Edit | Refused:
    """Create a rule with one source: a CIDR, or a group or a list of addresses of the same provider.

    With an end, it is deleted then, unless there was such a rule before.
    """
    source, addresses = source_security_group, source_address_list
    rule: dict[str, Any] = {
        "direction": direction,
        "network_protocol": network_protocol,
        "host_protocol": host_protocol,
        "port": port,
        "end_port": end_port,
        # The id of a list is also in the place of the range, as in the rules that a refresh reads.
        "source_ip_range": addresses.ems_ref if addresses else source_ip_range,
        "description": description,
    }
    named = source or addresses
    subject = rule_called(
        group.name,
        direction,
        protocol=host_protocol,
        port=port,
        end_port=end_port,
        source=named.name if named else source_ip_range,
    )
    if refusal := (source and foreign_source(group, source)) or (addresses and foreign_list(group, addresses)):
        return Refused(cannot("create", subject, refusal))
    rule_refs = {
        "group_ref": group.ems_ref,
        "source_group_ref": source.ems_ref if source else None,
        "address_list_ref": addresses.ems_ref if addresses else None,
    }
    sources = {"source_security_group": source, "source_address_list": addresses}
    shown = rule | {name: row and _named(row) for name, row in sources.items()}
    context = {"security_group": _named(group), "firewall_rule": shown}
    new_rule = NewRule(**rule | rule_refs)
    arguments = RuleCreation(subject=subject, rule=new_rule, ending=ending or UNSET)
    return _edit(group.provider, arguments, context | (shown_ending(ending) if ending else {}), ending)


def rule_deletion(rule: FirewallRule, user: User | None = None) -> Edit | Refused:
    """Delete a rule. What it names is only named if this user may see it."""
    group, source = rule.security_group, rule.source_security_group or rule.source_address_list
    is_seen = user is None or source is None or reaches(user, None, type(source), source.pk)
    subject = rule_called(
        group.name,
        rule.direction,
        protocol=rule.host_protocol,
        port=rule.port,
        end_port=rule.end_port,
        source=(source.name if source else rule.source_ip_range) if is_seen else HIDDEN_SOURCE,
    )
    known_rule = KnownRule(ref=rule.ems_ref, group_ref=group.ems_ref, direction=cast(Direction, rule.direction))
    context = {"security_group": _named(group), "firewall_rule": {"id": str(rule.pk), "ems_ref": rule.ems_ref}}
    return _edit(group.provider, RuleDeletion(subject=subject, rule=known_rule), context)


def _managing(provider: Provider) -> type[Driver] | None:
    """The driver of a provider, if it can manage groups; otherwise `_edit` refuses."""
    return provider.driver_class if provider.supports_security_groups else None


def _named(row: SecurityGroup | AddressList) -> dict[str, Any]:
    return {"id": str(row.pk), "name": row.name, "ems_ref": row.ems_ref}


def _known(group: SecurityGroup) -> KnownGroup:
    return KnownGroup(**_named(group))


def _edit(
    provider: Provider, arguments: EditArguments, context: Mapping[str, Any], ending: Ending | None = None
) -> Edit | Refused:
    verb, subject = arguments.verb, arguments.subject
    if not provider.supports_security_groups:
        return Refused(cannot(verb, subject, read_only(provider)))
    message = messages.doing(verb, subject)
    if ending:
        message = messages.until(message, ending.expires_on)
    context = {"action": verb, "provider": provider.name, **context}
    return Edit(provider, TaskSpec(name=message, message=message, arguments=arguments, context=context))
