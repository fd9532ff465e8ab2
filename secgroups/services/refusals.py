"""Reasons why a change can't be sent to a cloud, in the words of `secgroups.messages`."""

from __future__ import annotations

from inventory.models import Provider, Vm
from secgroups import messages
from secgroups.models import AddressList, SecurityGroup


def read_only(provider: Provider) -> str:
    """Why a provider that can't manage security groups refuses all changes."""
    if provider.driver_class is None:
        return messages.no_driver(provider.name, provider.vendor)
    return messages.read_only(provider.name, provider.vendor)


def out_of_reach(vm: Vm, group: SecurityGroup, *, called: str | None = None) -> str:
    """Why a group is not available to an instance, which may be `called` otherwise than by its name."""
    name = called or vm.name
    if group.provider_id != vm.provider_id:
        return messages.other_provider(group.name, group.provider.name, name, vm.provider.name)
    if vm.provider.confines_groups:
        if group.cloud_network is None:
            return messages.unknown_place("network", group.name)
        return messages.other_network(group.name, group.cloud_network.ems_ref, name)
    if vm.cloud_tenant is None:
        return messages.unknown_place("tenant", name)
    if group.cloud_tenant is None:
        return messages.unknown_place("tenant", group.name)
    return messages.other_tenant(group.name, group.cloud_tenant.ems_ref, name, vm.cloud_tenant.ems_ref)


def foreign_source(group: SecurityGroup, source: SecurityGroup) -> str | None:
    """Why a group can't be the source of another group's rule; None if it can."""
    if source.provider_id != group.provider_id:
        return messages.SOURCE_OF_OTHER_PROVIDER
    if source.provider.confines_groups:
        return None  # EC2 decides: it takes groups of the same VPC and of peered VPCs
    tenant = group.cloud_tenant_id
    if source.pk == group.pk or source.shared:
        return None
    if tenant and (tenant == source.cloud_tenant_id or source.shared_with.filter(pk=tenant).exists()):
        return None
    return messages.SOURCE_OF_OTHER_TENANT


def foreign_list(group: SecurityGroup, addresses: AddressList) -> str | None:
    """Why a list of addresses can't be the source of a group's rule; None if it can."""
    if addresses.provider_id != group.provider_id:
        return messages.LIST_OF_OTHER_PROVIDER
    if group.provider.confines_groups:
        return None  # EC2 decides: it takes lists of the account, lists that are shared with it, and its own
    tenant = group.cloud_tenant_id
    if tenant is None:
        return messages.LIST_OF_OTHER_TENANT
    if tenant == addresses.cloud_tenant_id:
        return None
    # Which lists are shared is not read. What its tenant uses already can be used again.
    used = addresses.firewall_rules.filter(security_group__cloud_tenant=tenant).exists()
    return None if used else messages.LIST_OF_OTHER_TENANT
