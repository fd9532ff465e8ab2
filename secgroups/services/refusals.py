"""Why something can't be asked of a cloud, in words for a person."""

from __future__ import annotations

from inventory.models import Provider, Vm
from secgroups.models import SecurityGroup


def read_only(provider: Provider) -> str:
    """Why nothing can be changed at a provider that can't manage security groups."""
    if provider.driver_class is None:
        return f"Portcullis has no driver for provider {provider.name} of type {provider.vendor}"
    return f"provider {provider.name} is read-only (type {provider.vendor})"


def out_of_reach(vm: Vm, group: SecurityGroup) -> str:
    """Why an instance can't have a group that is not available to it."""
    if group.provider_id != vm.provider_id:
        return f"{group.name} is a group of provider {group.provider.name}, {vm.name} is in {vm.provider.name}"
    if vm.provider.confines_groups:
        if group.cloud_network is None:
            return f"the network of {group.name} is unknown"
        return f"{group.name} belongs to network {group.cloud_network.ems_ref}, in which {vm.name} has no port"
    if vm.cloud_tenant is None:
        return f"the tenant of {vm.name} is unknown"
    if group.cloud_tenant is None:
        return f"the tenant of {group.name} is unknown"
    theirs, ours = group.cloud_tenant.ems_ref, vm.cloud_tenant.ems_ref
    return f"{group.name} belongs to tenant {theirs} and is not shared with tenant {ours} of {vm.name}"


def foreign_source(group: SecurityGroup, source: SecurityGroup) -> str | None:
    """Why a rule of a group can't name another one as its source; None if it can."""
    if source.provider_id != group.provider_id:
        return "the source is a group of another provider"
    if source.provider.confines_groups:
        return None  # EC2 takes those of the same and of peered VPCs, which it knows
    tenant = group.cloud_tenant_id
    if source.pk == group.pk or source.shared:
        return None
    if tenant and (tenant == source.cloud_tenant_id or source.shared_with.filter(pk=tenant).exists()):
        return None
    return "the source belongs to another tenant, or to an unknown one, and is not shared with this one"
