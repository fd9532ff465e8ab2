"""Writing what a change saw at the cloud into the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from inventory.drivers.base import Driver
from inventory.drivers.failures import CloudError
from inventory.drivers.values import Group, Port
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Vm
from inventory.refresh import port_attributes
from secgroups.memberships import replace_memberships
from secgroups.models import SecurityGroup
from secgroups.refresh import group_attributes


def missing_groups(vm: Vm, driver: Driver, ports: Iterable[Port]) -> tuple[Group, ...]:
    """The groups of these ports that the inventory does not know yet, asked of the cloud."""
    refs = {ref for port in ports for ref in port.group_refs}
    known = SecurityGroup.objects.filter(provider=vm.provider_id, ems_ref__in=refs)
    unknown = refs.difference(known.values_list("ems_ref", flat=True))
    try:
        return driver.groups_by_ref(unknown) if unknown else ()
    except CloudError:
        return ()  # the next refresh brings them in


def stateless_groups(vm: Vm, ports: Iterable[Port]) -> set[str]:
    """The groups (ref) of these ports that are stateless, as far as the inventory knows them."""
    refs = {ref for port in ports for ref in port.group_refs}
    rows = SecurityGroup.objects.filter(provider=vm.provider_id, ems_ref__in=refs, stateful=False)
    return set(rows.values_list("ems_ref", flat=True))


def record_group(provider: Provider, driver: Driver, group: Group) -> SecurityGroup:
    """The row of a group of the cloud, made if there is none."""
    tenant = CloudTenant.objects.filter(provider=provider, ems_ref=group.tenant_ref)
    network = CloudNetwork.objects.filter(provider=provider, ems_ref=group.network_ref)
    row, _ = SecurityGroup.objects.get_or_create(
        provider=provider,
        ems_ref=group.ref,
        defaults=group_attributes(type(driver), group)
        | {"cloud_tenant": tenant.first(), "cloud_network": network.first()},
    )
    return row


@transaction.atomic
def record_ports(
    vm: Vm, driver: Driver, ports: Sequence[Port], new_groups: Iterable[Group], *, read_on: datetime
) -> None:
    """Make the ports of an instance, and their groups, what the cloud had when it was read."""
    for group in new_groups:
        record_group(vm.provider, driver, group)
    rows = {port.ref: _row(vm, port) for port in ports}
    refs = {ref for port in ports for ref in port.group_refs}
    groups = dict(
        SecurityGroup.objects.filter(provider=vm.provider, ems_ref__in=refs).values_list("ems_ref", "pk")
    )
    replace_memberships(
        {rows[port.ref].pk: [groups[ref] for ref in port.group_refs if ref in groups] for port in ports},
        read_on=read_on,
        stamp=True,
    )


def _row(vm: Vm, port: Port) -> NetworkPort:
    row, made = NetworkPort.objects.get_or_create(
        provider=vm.provider,
        ems_ref=port.ref,
        defaults=port_attributes(port)
        | {
            "vm": vm,
            "cloud_tenant": vm.cloud_tenant,
            "cloud_network": CloudNetwork.objects.filter(provider=vm.provider, ems_ref=port.network_ref).first(),
        },
    )
    if not made and row.vm_id != vm.pk:
        row.vm = vm
        row.save(update_fields=["vm"])
    return row


def group_names(vm: Vm, ports: Iterable[Port]) -> dict[str, str]:
    """The name of each group (ref) on these ports, as far as the inventory knows it."""
    refs = {ref for port in ports for ref in port.group_refs}
    rows = SecurityGroup.objects.filter(provider=vm.provider_id, ems_ref__in=refs)
    return {ref: ref for ref in refs} | dict(rows.values_list("ems_ref", "name"))
