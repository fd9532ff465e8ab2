"""The rules of a group in the inventory: their sources, and recording edits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from inventory.drivers.values import Rule, address_lists_of
from secgroups.models import AddressList, FirewallRule, SecurityGroup


def with_lost_source(rule: Rule, groups: Mapping[str, int]) -> Rule:
    """Put the ref of an unknown source group into the range, because "no source" means "from anywhere".

    The ref of an address list always is there, also once the list is gone.
    """
    ref = rule.source_group_ref
    lost = ref if ref and ref not in groups else rule.address_list_ref
    return replace(rule, source_ip_range=lost) if lost and not rule.source_ip_range else rule


@transaction.atomic
def write_rules(
    group: SecurityGroup, rules: Iterable[Rule] = (), *, gone: Collection[str] = (), as_of: datetime
) -> None:
    """Write these rules of a group, and delete those that are `gone` (refs), as the cloud had it `as_of`.

    A refresh that began to read before that leaves the group's rules alone.
    """
    # A refresh locks these rows as well, before it looks at their rules.
    if SecurityGroup.objects.select_for_update(no_key=True).filter(pk=group.pk).first() is None:
        return  # a refresh has deleted the group
    rules = tuple(rules)
    refs = {ref for rule in rules for ref in (rule.group_ref, rule.source_group_ref) if ref}
    groups = dict(
        SecurityGroup.objects.filter(provider=group.provider_id, ems_ref__in=refs).values_list("ems_ref", "pk")
    )
    rows = FirewallRule.objects.filter(provider=group.provider_id)
    rows.filter(ems_ref__in=gone).delete()
    lists = _lists_named_by(rules, group.provider_id)
    ids = {"group_ref": groups, "source_group_ref": groups, "address_list_ref": lists}
    columns = FirewallRule.mapping.columns(ids)
    for rule in rules:
        rows.update_or_create(
            ems_ref=rule.ref,
            provider_id=group.provider_id,
            defaults=columns.named(with_lost_source(rule, groups)),
        )
    SecurityGroup.objects.filter(pk=group.pk).update(rules_as_of=as_of)


def _lists_named_by(rules: Iterable[Rule], provider: int) -> dict[str, int]:
    """The address lists that these rules name. The entries of a new one are not known before the next refresh."""
    refs = address_lists_of(rules)
    if not refs:
        return {}
    rows = AddressList.objects.filter(provider=provider, ems_ref__in=refs).values_list("ems_ref", "pk")
    if new := refs - {ref for ref, _ in rows}:
        AddressList.objects.bulk_create(
            (AddressList(provider_id=provider, ems_ref=ref, name=ref) for ref in sorted(new)),
            ignore_conflicts=True,  # a refresh may have been faster
        )
    return dict(rows.all())
