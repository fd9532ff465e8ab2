"""The rules of a group in the inventory: what they say of their sources, and writing what an edit did to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from inventory.drivers.values import Rule
from secgroups.models import FirewallRule, SecurityGroup


def with_lost_source(rule: Rule, groups: Mapping[str, int]) -> Rule:
    """The rule, with the ref of a source group that is not among `groups`: it must not read as "from anywhere"."""
    ref = rule.source_group_ref
    return replace(rule, source_ip_range=ref) if ref and ref not in groups and not rule.source_ip_range else rule


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
    columns = FirewallRule.mapping.columns({"group_ref": groups, "source_group_ref": groups})
    for rule in rules:
        ours.update_or_create(
            ems_ref=rule.ref,
            provider_id=group.provider_id,
            defaults=columns.named(with_lost_source(rule, groups)),
        )
    SecurityGroup.objects.filter(pk=group.pk).update(rules_as_of=as_of)
