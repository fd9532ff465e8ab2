"""This app's parts of a refresh."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from inventory.drivers.base import Driver, Group
from inventory.reconcile import reconcile
from inventory.refresh import Refresh
from secgroups.memberships import replace_memberships
from secgroups.models import FirewallRule, SecurityGroup


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
        newer=Q(created_on__gt=refresh.read_on),
    )


def group_attributes(driver: type[Driver], group: Group) -> dict[str, Any]:
    """What a group's row takes from the cloud's group as it is."""
    return {
        "name": group.name,
        "description": group.description,
        "type": f"ManageIQ::Providers::{driver.namespace}::NetworkManager::SecurityGroup",
        "stateful": group.stateful,
    }


def bring_in_rules(refresh: Refresh) -> None:
    reconcile(
        FirewallRule,
        refresh.provider,
        {
            rule.ref: {
                "security_group_id": refresh.groups[rule.group_ref],
                "direction": rule.direction,
                "network_protocol": rule.network_protocol,
                "host_protocol": rule.host_protocol,
                "port": rule.port,
                "end_port": rule.end_port,
                # A group that is not in the inventory keeps its name: the rule must not read as "from anywhere".
                "source_ip_range": rule.source_ip_range
                or (rule.source_group_ref if rule.source_group_ref not in refresh.groups else None),
                "source_security_group_id": refresh.groups.get(rule.source_group_ref or ""),
                "description": rule.description,
            }
            for rule in refresh.inventory.rules
            if rule.group_ref in refresh.groups
        },
    )


def bring_in_memberships(refresh: Refresh) -> None:
    replace_memberships(
        {
            refresh.ports[port.ref]: [refresh.groups[ref] for ref in port.group_refs if ref in refresh.groups]
            for port in refresh.inventory.ports
        },
        read_on=refresh.read_on,
    )
