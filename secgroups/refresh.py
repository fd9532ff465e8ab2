"""This app's parts of a refresh."""

from __future__ import annotations

from itertools import chain

from django.db.models import Q

from inventory.bulk import batches, copy_rows
from inventory.drivers.base import Driver
from inventory.drivers.values import EVERYBODY, Group
from inventory.reconcile import Attributes, reconcile
from inventory.refresh import Refresh
from secgroups.memberships import end_memberships, replace_memberships, with_other_groups
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.rules import rule_attributes


def bring_in_groups(refresh: Refresh) -> None:
    inventory = refresh.inventory
    named = chain(
        (ref for port in inventory.ports for ref in port.group_refs),
        (rule.source_group_ref for rule in inventory.rules),
    )
    refresh.groups = refresh.known(SecurityGroup, named) | reconcile(
        SecurityGroup,
        refresh.provider,
        inventory.groups,
        lambda group: (
            group_attributes(refresh.driver, group)
            | {
                "cloud_tenant_id": refresh.tenants.get(group.tenant_ref or ""),
                "cloud_network_id": refresh.networks.get(group.network_ref or ""),
            }
        ),
        within=refresh.within(cloud_tenant="cloud_tenant__ems_ref", security_group="ems_ref"),
        guarded=refresh.guarded,
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
    theirs = shares.filter(securitygroup__provider=refresh.provider)
    if refresh.scope:
        theirs = theirs.filter(securitygroup__in=[refresh.groups[group.ref] for group in refresh.inventory.groups])
    known = {(group, tenant): pk for pk, group, tenant in theirs.values_list("pk", "securitygroup", "cloudtenant")}
    for gone in batches(known[share] for share in known.keys() - wanted):
        shares.filter(pk__in=gone).delete()
    copy_rows(SecurityGroup.shared_with.through, ["securitygroup_id", "cloudtenant_id"], wanted - known.keys())


def group_attributes(driver: type[Driver], group: Group) -> Attributes:
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
        (
            rule
            for rule in refresh.inventory.rules
            if rule.group_ref in refresh.groups and refresh.groups[rule.group_ref] not in newer
        ),
        lambda rule: rule_attributes(rule, refresh.groups),
        within=refresh.within(
            cloud_tenant="security_group__cloud_tenant__ems_ref", security_group="security_group__ems_ref"
        ),
        newer=Q(security_group__rules_as_of__gt=refresh.read_on),
    )


def _with_newer_rules(refresh: Refresh) -> set[int]:
    """The groups whose rules were edited since the reading began; no group's rules are until this one ends."""
    read = refresh.within(cloud_tenant="cloud_tenant__ems_ref", security_group="ems_ref")
    groups = SecurityGroup.objects.filter(read or Q(), provider=refresh.provider).order_by("pk")
    # Not against memberships that somebody adds to these groups meanwhile: hence `no_key`.
    known = groups.select_for_update(no_key=True, of=("self",)).values_list("pk", "rules_as_of")
    return {pk for pk, as_of in known if as_of and as_of > refresh.read_on}


def bring_in_memberships(refresh: Refresh) -> None:
    ports = {
        refresh.ports[port.ref]: [refresh.groups[ref] for ref in port.group_refs if ref in refresh.groups]
        for port in refresh.inventory.ports
    }
    if refresh.scope is None:
        differing = with_other_groups(refresh.provider, ports)
        replace_memberships({port: ports[port] for port in differing}, read_on=refresh.read_on)
        return
    replace_memberships(ports, read_on=refresh.read_on)
    if refresh.scope.kind == "security_group":
        for group in refresh.inventory.groups:
            end_memberships(refresh.groups[group.ref], but=ports, read_on=refresh.read_on)
