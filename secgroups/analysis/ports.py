"""Ports with what decides which traffic they let through, on behalf of a user."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.expressions import Collected
from inventory.db.lookups import Numbers
from inventory.models import NetworkPort
from inventory.rest.reading.kept import kept
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.networks import UNKNOWN, confining_by_vendor
from secgroups.analysis.rulebook import DIRECTIONS, Rulebook
from secgroups.messages import NO_PORT_SECURITY
from secgroups.models import Membership
from secgroups.traffic.addresses import EVERYWHERE, readable
from secgroups.traffic.effective import Line, OtherSide
from secgroups.traffic.services import Service

_COLUMNS = (
    "pk",
    "provider",
    "cloud_network",
    "port_security_enabled",
    "ipaddresses",
    "public_ipaddresses",
    "name",
    "ems_ref",
)


@dataclass(frozen=True, slots=True)
class PortRow:
    """A port (its id) with the ids of its groups. `owner` is the id that it was looked up by.

    `network` is set if the cloud confines groups to networks: to `UNKNOWN` if it is not known. `translated` are
    those of its addresses that it does not have itself.
    """

    pk: int
    owner: int
    provider: int
    network: int | None
    secured: bool
    addresses: tuple[str, ...]
    translated: tuple[str, ...]
    name: str
    groups: tuple[int, ...]

    @property
    def is_known(self) -> bool:
        """Whether it is known which addresses it has and whom they meet."""
        return self.network != UNKNOWN and len(list(readable(self.addresses))) == len(self.addresses)

    def lines(self, rulebook: Rulebook) -> Iterator[Line]:
        """What its groups let through."""
        ports = frozenset({self.pk})
        if self.secured:
            for group in self.groups:
                yield from rulebook.lines(group, ports, self.network)
        else:
            yield from open_lines(self.pk)


def open_lines(port: int) -> Iterator[Line]:
    """What a port without port security lets through."""
    for direction in DIRECTIONS:
        ports = frozenset({port})
        yield Line(direction, None, Service(), OtherSide(), EVERYWHERE, ports, reason=NO_PORT_SECURITY)


def ports_by(lookup: str, owners: Collection[int], viewer: Viewer, at_most: int | None = None) -> list[PortRow]:
    """The ports for which this lookup leads to one of these ids, in the order of their own."""
    ports = list(_ports(viewer, lookup, at_most, owners=Numbers(owners)))
    confined = confining_by_vendor({port[2]: port[-1] for port in ports})
    return [
        PortRow(
            pk,
            owner,
            provider,
            (network or UNKNOWN) if provider in confined else None,
            secured,
            tuple(addresses),
            tuple(translated),
            name or ref,
            tuple(groups),
        )
        for owner, pk, provider, network, secured, addresses, translated, name, ref, groups, _ in ports
    ]


@kept("network_ports")
def _ports(rows: QuerySet[Any, Any], lookup: str, at_most: int | None, owners: Any) -> QuerySet[Any, Any]:
    rows = rows.filter(**{f"{lookup}__among": owners}).order_by("pk")
    memberships = Membership.objects.filter(network_port=OuterRef("pk")).order_by("pk")
    groups = Collected(memberships.values("security_group"))
    return rows.values_list(lookup, *_COLUMNS, groups, "provider__vendor")[:at_most]


def with_hidden_ports(lookup: str, owners: Collection[int], viewer: Viewer) -> set[int]:
    """Those of these ids to which the lookup leads from a port that the user may not see."""
    ports = get_resource_type("network_ports")
    if viewer.scope(ports) is EVERYTHING:
        return set()
    rows = NetworkPort.objects.connected().filter(**{f"{lookup}__among": Numbers(owners)})
    hidden = rows.exclude(pk__in=viewer.visible(ports).values("pk"))
    return set(hidden.values_list(lookup, flat=True).distinct())


def rulebook_of(ports: Iterable[PortRow], viewer: Viewer, **bounds: Any) -> Rulebook:
    """The rules of all groups of these ports. `bounds` are those of `Rulebook`."""
    return Rulebook({group for port in ports for group in port.groups}, viewer, **bounds)
