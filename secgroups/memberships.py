"""Which ports have which groups: writing what was read from a cloud."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction

from inventory.bulk import among, batches, copy_rows
from inventory.models import NetworkPort, Provider
from secgroups.models import Membership

#: The port, the group, and the port's VM (primary keys).
Member = tuple[int, int, int | None]
MEMBER = ("network_port_id", "security_group_id", "vm_id")


@transaction.atomic(savepoint=False)
def replace_memberships(groups: Mapping[int, Collection[int]], *, read_on: datetime, stamp: bool = False) -> None:
    """Give each port (primary key) exactly these groups (primary keys), as they were read from the cloud.

    A port of which something newer than `read_on` is known keeps that: a refresh that read the cloud before a
    change and writes after it must not undo the change here. `stamp` notes the time, as a change does.
    """
    for ports in batches(sorted(groups)):
        vms = _lock(ports, read_on)
        _make({(port, group, vm) for port, vm in vms.items() for group in groups[port]}, vms)
        if stamp:
            NetworkPort.objects.filter(pk__in=vms).update(groups_read_on=read_on)


def with_other_groups(provider: Provider, groups: Mapping[int, Collection[int]]) -> set[int]:
    """Those of all ports of a provider that have not exactly these groups: only they have to be locked."""
    missing = {(port, group) for port, those in groups.items() for group in those}
    rows = Membership.objects.filter(network_port__provider=provider)
    found = rows.values_list("network_port", "security_group", "vm", "network_port__vm")
    differing = set()
    for port, group, vm, vm_of_port in found.iterator():
        if vm == vm_of_port and (port, group) in missing:
            missing.remove((port, group))
        elif port in groups:
            differing.add(port)
    return differing.union(port for port, _ in missing)


def _make(wanted: set[Member], ports: Collection[int]) -> None:
    """Make these the memberships of the ports, which are locked."""
    rows = Membership.objects.filter(network_port__in=among(ports))
    known = {(port, group, vm): pk for pk, port, group, vm in rows.values_list("pk", *MEMBER)}
    if gone := [pk for member, pk in known.items() if member not in wanted]:
        Membership.objects.filter(pk__in=gone).delete()
    if new := wanted - known.keys():
        copy_rows(Membership, MEMBER, new)


def end_memberships(group: int, *, but: Collection[int], read_on: datetime) -> None:
    """Take a group from all ports `but` those that were read with it (primary keys), as above."""
    others = Membership.objects.filter(security_group=group).values_list("network_port", flat=True)
    for ports in batches(sorted(set(others).difference(but))):
        Membership.objects.filter(security_group=group, network_port__in=_lock(ports, read_on)).delete()


def _lock(ports: Collection[int], read_on: datetime) -> dict[int, int | None]:
    """The VM of each of these ports whose groups nobody has read since; the rows stay locked until the end."""
    rows = NetworkPort.objects.filter(pk__in=among(ports)).exclude(groups_read_on__gt=read_on)
    return dict(rows.select_for_update().order_by("pk").values_list("pk", "vm"))
