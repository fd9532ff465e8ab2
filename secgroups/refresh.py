"""This app's parts of a refresh."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from inventory.drivers.base import EVERYBODY, Driver, Group
from inventory.reconcile import BATCH, batches, reconcile
from inventory.refresh import Refresh
from secgroups.memberships import replace_memberships
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.rules import rule_attributes


def bring_in_groups(refresh: Refresh) -> None:
    refresh.groups = reconcile(
        SecurityGroup,
        refresh.provider,
        {
            group.ref: group_attributes(refresh.driver, group)
            | {
                "cloud_tenant_id": refresh.tenants.get(group.tenant_ref or ""),
                "cloud_network_id": refresh.networks.get(group.network_ref or ""),
            }
            for group in refresh.inventory.groups
        },
        guarded=not refresh.force,
        newer=Q(updated_on__gt=refresh.read_on),
    )


def bring_in_shares(refresh: Refresh) -> None:
    """Which tenants may use the groups of others."""
    wanted = {
        (refresh.groups[group.ref], refresh.tenants[ref])
        for group in refresh.inventory.groups
        for ref in group.shared_with
        if ref in refresh.tenants
    }
    shares = SecurityGroup.shared_with.through.objects
    known = {
        (group, tenant): pk
        for pk, group, tenant in shares.filter(securitygroup__provider=refresh.provider).values_list(
            "pk", "securitygroup", "cloudtenant"
        )
    }
    for gone in batches(known[share] for share in known.keys() - wanted):
        shares.filter(pk__in=gone).delete()
    shares.bulk_create(
        [
            SecurityGroup.shared_with.through(securitygroup_id=group, cloudtenant_id=tenant)
            for group, tenant in wanted - known.keys()
        ],
        batch_size=BATCH,
    )


def group_attributes(driver: type[Driver], group: Group) -> dict[str, Any]:
    """What a group's row takes from the cloud's group as it is."""
    return {
        "name": group.name,
        "description": group.description,
        "type": f"ManageIQ::Providers::{driver.namespace}::NetworkManager::SecurityGroup",
        "stateful": group.stateful,
        "shared": EVERYBODY in group.shared_with,
    }


def bring_in_rules(refresh: Refresh) -> None:
    newer = _with_newer_rules(refresh)
    reconcile(
        FirewallRule,
        refresh.provider,
        {
            rule.ref: rule_attributes(rule, refresh.groups)
            for rule in refresh.inventory.rules
            if rule.group_ref in refresh.groups and refresh.groups[rule.group_ref] not in newer
        },
        newer=Q(security_group__rules_as_of__gt=refresh.read_on),
    )


def _with_newer_rules(refresh: Refresh) -> set[int]:
    """The groups whose rules were edited since the reading began; no group's rules are until this one ends."""
    groups = SecurityGroup.objects.filter(provider=refresh.provider).order_by("pk")
    # Not against memberships that somebody adds to these groups meanwhile: hence `no_key`.
    known = groups.select_for_update(no_key=True).values_list("pk", "rules_as_of")
    return {pk for pk, as_of in known if as_of and as_of > refresh.read_on}


def bring_in_memberships(refresh: Refresh) -> None:
    replace_memberships(
        {
            refresh.ports[port.ref]: [refresh.groups[ref] for ref in port.group_refs if ref in refresh.groups]
            for port in refresh.inventory.ports
        },
        read_on=refresh.read_on,
    )
