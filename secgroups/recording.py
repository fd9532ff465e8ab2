"""Writing what a change saw at the cloud into the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from inventory.drivers.base import Driver
from inventory.drivers.values import Group, Port
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Vm
from inventory.reconcile import ids_of
from inventory.refresh_parts import port_attributes
from secgroups.memberships import replace_memberships
from secgroups.models import SecurityGroup
from secgroups.refresh import group_attributes


def record_group(provider: Provider, driver: Driver, group: Group) -> SecurityGroup:
    """The row of a group of the cloud, made if there is none."""
    tenant = CloudTenant.objects.filter(provider=provider, ems_ref=group.tenant_ref)
    network = CloudNetwork.objects.filter(provider=provider, ems_ref=group.network_ref)
    row, _ = SecurityGroup.objects.get_or_create(
        provider=provider,
        ems_ref=group.ref,
        defaults=group_attributes(driver, group)
        | {"cloud_tenant": tenant.first(), "cloud_network": network.first()},
    )
    return row


@transaction.atomic(savepoint=False)
def record_ports(
    vm: Vm, driver: Driver, ports: Sequence[Port], new_groups: Iterable[Group], *, read_on: datetime
) -> None:
    """Make the ports of an instance, and their groups, what the cloud had when it was read."""
    for group in new_groups:
        record_group(vm.provider, driver, group)
    rows = _rows(vm, ports)
    groups = ids_of(SecurityGroup, vm.provider, (ref for port in ports for ref in port.group_refs))
    replace_memberships(
        {rows[port.ref]: [groups[ref] for ref in port.group_refs if ref in groups] for port in ports},
        read_on=read_on,
        stamp=True,
    )


def _rows(vm: Vm, ports: Sequence[Port]) -> dict[str, int]:
    """The primary key of each port (ref), which is the instance's from now on."""
    theirs = NetworkPort.objects.filter(provider=vm.provider, ems_ref__in=[port.ref for port in ports])
    known = {ref: (pk, owner) for ref, pk, owner in theirs.values_list("ems_ref", "pk", "vm")}
    if moved := [pk for pk, owner in known.values() if owner != vm.pk]:
        theirs.filter(pk__in=moved).update(vm=vm)
    return {port.ref: known[port.ref][0] if port.ref in known else _new_row(vm, port).pk for port in ports}


def _new_row(vm: Vm, port: Port) -> NetworkPort:
    # Its own tenant, which the cloud says and the instance does not: a port may be of another account.
    tenant = CloudTenant.objects.filter(provider=vm.provider, ems_ref=port.tenant_ref).first()
    network = CloudNetwork.objects.filter(provider=vm.provider, ems_ref=port.network_ref).first()
    attributes = port_attributes(port) | {"vm": vm, "cloud_tenant": tenant, "cloud_network": network}
    row, _ = NetworkPort.objects.get_or_create(provider=vm.provider, ems_ref=port.ref, defaults=attributes)
    return row
