"""The rules of a group in the inventory: what their rows hold, and writing what an edit did to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.drivers.values import Rule
from secgroups.models import FirewallRule, SecurityGroup


def rule_attributes(rule: Rule, groups: Mapping[str, int]) -> dict[str, Any]:
    """What a rule's row takes from the cloud's rule; `groups` are the primary keys of the groups by ref."""
    return {
        "security_group_id": groups[rule.group_ref],
        "direction": rule.direction,
        "network_protocol": rule.network_protocol,
        "host_protocol": rule.host_protocol,
        "port": rule.port,
        "end_port": rule.end_port,
        # A group that is not in the inventory keeps its name: the rule must not read as "from anywhere".
        "source_ip_range": rule.source_ip_range
        or (rule.source_group_ref if rule.source_group_ref not in groups else None),
        "source_security_group_id": groups.get(rule.source_group_ref or ""),
        "description": rule.description,
    }


@transaction.atomic
def write_rules(
    group: SecurityGroup, rules: Iterable[Rule] = (), *, gone: Collection[str] = (), as_of: datetime
) -> None:
    """Bring in these rules of a group and take out those that are `gone` (refs), as it was at the cloud `as_of`.

    A refresh that began to read before that leaves the group's rules alone.
    """
    # One after the other with a refresh, which locks these rows too before it looks at their rules.
    if SecurityGroup.objects.select_for_update(no_key=True).filter(pk=group.pk).first() is None:
        return  # the refresh was first, and the group is gone
    rules = tuple(rules)
    refs = {ref for rule in rules for ref in (rule.group_ref, rule.source_group_ref) if ref}
    groups = dict(
        SecurityGroup.objects.filter(provider=group.provider_id, ems_ref__in=refs).values_list("ems_ref", "pk")
    )
    ours = FirewallRule.objects.filter(provider=group.provider_id)
    ours.filter(ems_ref__in=gone).delete()
    for rule in rules:
        ours.update_or_create(
            ems_ref=rule.ref, provider_id=group.provider_id, defaults=rule_attributes(rule, groups)
        )
    SecurityGroup.objects.filter(pk=group.pk).update(rules_as_of=as_of)
