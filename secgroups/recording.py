"""Recording in the inventory what a change saw at the cloud."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.drivers.values import Group, Port
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Vm
from inventory.reconcile import ids_of
from secgroups.exposures import settle_exposures
from secgroups.memberships import replace_memberships
from secgroups.models import SecurityGroup
from secgroups.public_ports import record_public_ports
from secgroups.refresh import group_columns


def record_group(provider: Provider, group: Group) -> SecurityGroup:
    """The row of a group, created if missing."""
    place = _place(provider, group)
    row, _ = SecurityGroup.objects.get_or_create(
        provider=provider, ems_ref=group.ref, defaults=group_columns(provider).named(group) | place
    )
    return row


def _place(provider: Provider, value: Group | Port) -> dict[str, Any]:
    """The rows of the tenant and the network of a new group or port, created if missing.

    As in a refresh, their name is their ref until more is known. Without them the group or port would have no
    owner and no network.
    """
    rows: dict[str, Any] = {}
    places: tuple[tuple[str, Any, str | None], ...] = (
        ("cloud_tenant", CloudTenant, value.tenant_ref),
        ("cloud_network", CloudNetwork, value.network_ref),
    )
    for name, model, ref in places:
        if ref:
            rows[name], _ = model.objects.get_or_create(provider=provider, ems_ref=ref, defaults={"name": ref})
    return rows


@transaction.atomic(savepoint=False)
def record_ports(vm: Vm, ports: Sequence[Port], new_groups: Iterable[Group], *, read_on: datetime) -> None:
    """Update the ports of an instance, and their groups, to what was read from the cloud."""
    for group in new_groups:
        record_group(vm.provider, group)
    rows = _rows(vm, ports)
    groups = ids_of(SecurityGroup, vm.provider, (ref for port in ports for ref in port.group_refs))
    replace_memberships(
        {rows[port.ref]: [groups[ref] for ref in port.group_refs if ref in groups] for port in ports},
        read_on=read_on,
        stamp=True,
    )
    record_public_ports(rows.values())
    settle_exposures(vm.provider_id, own=True)


def _rows(vm: Vm, ports: Sequence[Port]) -> dict[str, int]:
    """The primary key of each port (ref), which now belongs to the instance."""
    rows = NetworkPort.objects.filter(provider=vm.provider, ems_ref__in=[port.ref for port in ports])
    existing = {ref: (pk, owner) for ref, pk, owner in rows.values_list("ems_ref", "pk", "vm")}
    if moved := [pk for pk, owner in existing.values() if owner != vm.pk]:
        rows.filter(pk__in=moved).update(vm=vm)
    return {port.ref: existing[port.ref][0] if port.ref in existing else _new_row(vm, port).pk for port in ports}


def _new_row(vm: Vm, port: Port) -> NetworkPort:
    # With the port's own tenant: it may belong to another account than the instance.
    attributes = NetworkPort.mapping.columns().named(port) | {"vm": vm, **_place(vm.provider, port)}
    row, _ = NetworkPort.objects.get_or_create(provider=vm.provider, ems_ref=port.ref, defaults=attributes)
    return row
