"""Which ports have which groups: writing what was read from a cloud."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction

from inventory.models import NetworkPort
from inventory.reconcile import BATCH, batches
from secgroups.models import Membership


@transaction.atomic(savepoint=False)
def replace_memberships(groups: Mapping[int, Collection[int]], *, read_on: datetime, stamp: bool = False) -> None:
    """Give each port (primary key) exactly these groups (primary keys), as they were read from the cloud.

    A port of which something newer than `read_on` is known keeps that: a refresh that read the cloud before a
    change and writes after it must not undo the change here. `stamp` notes the time, as a change does.
    """
    vms = _lock(list(groups), read_on)
    wanted = {(port, group, vm) for port, vm in vms.items() for group in groups[port]}
    known: dict[tuple[int, int, int | None], int] = {}
    for batch in batches(vms):
        rows = Membership.objects.filter(network_port__in=batch)
        found = rows.values_list("network_port", "security_group", "vm", "pk")
        known |= {(port, group, vm): pk for port, group, vm, pk in found}
    for gone in batches(known[member] for member in known.keys() - wanted):
        Membership.objects.filter(pk__in=gone).delete()
    Membership.objects.bulk_create(
        [
            Membership(network_port_id=port, security_group_id=group, vm_id=vm)
            for port, group, vm in wanted - known.keys()
        ],
        batch_size=BATCH,
    )
    if stamp:
        NetworkPort.objects.filter(pk__in=vms).update(groups_read_on=read_on)


def end_memberships(group: int, *, but: Collection[int], read_on: datetime) -> None:
    """Take a group from all ports `but` those that were read with it (primary keys), as above."""
    others = Membership.objects.filter(security_group=group).values_list("network_port", flat=True)
    for ports in batches(_lock(list(set(others).difference(but)), read_on)):
        Membership.objects.filter(security_group=group, network_port__in=ports).delete()


def _lock(ports: list[int], read_on: datetime) -> dict[int, int | None]:
    """The VM of each of these ports whose groups nobody has read since; the rows stay locked until the end."""
    vms: dict[int, int | None] = {}
    for batch in batches(sorted(ports)):
        rows = NetworkPort.objects.filter(pk__in=batch).exclude(groups_read_on__gt=read_on)
        vms |= dict(rows.select_for_update().order_by("pk").values_list("pk", "vm"))
    return vms
