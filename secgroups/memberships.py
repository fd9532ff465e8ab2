"""Writing which ports have which groups, as read from a cloud."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from inventory.db.bulk import among, batches, copy_rows
from inventory.guard import NAMED
from inventory.models import NetworkPort
from secgroups.models import Membership

#: The port, the group, and the port's VM (primary keys).
Member = tuple[int, int, int | None]
MEMBER = ("network_port_id", "security_group_id", "vm_id")


@dataclass(frozen=True, slots=True)
class Written:
    """How many memberships were created, changed their VM, and ended."""

    appeared: int = 0
    changed: int = 0
    went: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(self.appeared + other.appeared, self.changed + other.changed, self.went + other.went)


@transaction.atomic(savepoint=False)
def replace_memberships(
    groups: Mapping[int, Collection[int]], *, read_on: datetime, stamp: bool = False
) -> Written:
    """Give each port (primary key) exactly these groups (primary keys), as read from the cloud.

    Ports with newer data than `read_on` stay as they are: a refresh that read the cloud before a change, and
    writes after it, must not undo the change here. `stamp` stores the time, as changes do.
    """
    written = Written()
    for ports in batches(sorted(groups)):
        vms = _lock(ports, read_on)
        written += _make({(port, group, vm) for port, vm in vms.items() for group in groups[port]}, vms)
        if stamp:
            NetworkPort.objects.filter(pk__in=vms).update(groups_read_on=read_on)
    return written


@dataclass(frozen=True, slots=True)
class Compared:
    """The ports whose memberships differ, and the numbers for the guard."""

    #: How many memberships were known, and how many fewer there will be.
    known: int
    lost: int
    #: The primary keys of memberships to end, whose port and group stay.
    gone: Sequence[int]
    ports: Collection[int]

    def first_gone(self) -> Iterator[Membership]:
        rows = Membership.objects.filter(pk__in=self.gone[:NAMED]).select_related("network_port", "security_group")
        return rows.order_by("pk").iterator()


def compared_with(rows: QuerySet[Membership], groups: Mapping[int, Collection[int]]) -> Compared:
    """Compare memberships with the groups of ports. Only ports that differ need a lock."""
    missing = {(port, group) for port, group_pks in groups.items() for group in group_pks}
    memberships = rows.values_list("pk", "network_port", "security_group", "vm", "network_port__vm")
    count, gone, differing = 0, [], set()
    for pk, port, group, vm, vm_of_port in memberships.iterator():
        count += 1
        stays = (port, group) in missing
        if stays:
            missing.remove((port, group))
        if port in groups and not (stays and vm == vm_of_port):
            differing.add(port)
            if not stays:
                gone.append(pk)
    return Compared(count, len(gone) - len(missing), gone, differing.union(port for port, _ in missing))


def _make(desired: set[Member], ports: Collection[int]) -> Written:
    """Make these the memberships of locked ports."""
    rows = Membership.objects.filter(network_port__in=among(ports))
    existing = {(port, group, vm): pk for pk, port, group, vm in rows.values_list("pk", *MEMBER)}
    gone, new = existing.keys() - desired, desired - existing.keys()
    if gone:
        Membership.objects.filter(pk__in=[existing[member] for member in gone]).delete()
    if new:
        copy_rows(Membership, MEMBER, new)
    changed = len({member[:2] for member in gone} & {member[:2] for member in new})
    return Written(len(new) - changed, changed, len(gone) - changed)


def end_memberships(rows: QuerySet[Membership], *, but: Collection[int], read_on: datetime) -> Written:
    """End these memberships of a group, as above, except those of ports (primary keys) in `but`."""
    others = set(rows.values_list("network_port", flat=True)).difference(but)
    went = 0
    for ports in batches(sorted(others)):
        went += rows.filter(network_port__in=_lock(ports, read_on)).delete()[0]
    return Written(went=went)


def _lock(ports: Collection[int], read_on: datetime) -> dict[int, int | None]:
    """Lock the ports without newer data, and return the VM of each."""
    rows = NetworkPort.objects.filter(pk__in=among(ports)).exclude(groups_read_on__gt=read_on)
    return dict(rows.select_for_update().order_by("pk").values_list("pk", "vm"))
