"""Looks up ports by their addresses and groups, with indexes, however many ports there are.

Each query is for ports or memberships in the order of their VMs, and starts where the fewest are expected. The
other conditions are checked port by port, until enough are found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, Func, OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers
from inventory.models import CloudNetwork, PortAddress
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.covering import Networks
from secgroups.analysis.networks import UNKNOWN, peers_of
from secgroups.analysis.stored_addresses import within
from secgroups.models import Membership
from secgroups.traffic.addresses import PUBLIC
from secgroups.traffic.ranges import Ranges
from secgroups.traffic.reachability import Address, Realm

OF_PORTS = (PortAddress.Kind.OWN, PortAddress.Kind.TRANSLATED)
_OWN = Q(kind=PortAddress.Kind.OWN)
#: Of so many addresses, or fewer, the ports are read.
_FEW = 5_000
#: As an expression, so that PostgreSQL looks up the groups of a port in a hash table. With the column, it would
#: look for each of thousands of groups in the index.
_GROUP = Func("security_group", template="(%(expressions)s + 0)", output_field=BigIntegerField())
#: The groups that let a service through, by the networks in which they do.
Letting = Collection[tuple[Networks, Collection[int]]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where ports are: of a provider (its id), or in networks. Without either, anywhere."""

    provider: int | None = None
    networks: Networks = None

    def q(self, prefix: str = "") -> Q:
        if self.networks is not None:
            return Q(**{f"{prefix}cloud_network__among": Numbers(self.networks)})
        return Q() if self.provider is None else Q(**{f"{prefix}provider": self.provider})


@dataclass(frozen=True, slots=True)
class Search:
    """Ports of VMs with an address of this `kind` among `every`, in a place, other than one port."""

    viewer: Viewer
    kind: Q
    every: Ranges
    place: Place = Place()
    but: int = 0

    def by_addresses(self, addresses: Ranges, letting: Letting) -> Iterator[QuerySet[Any]]:
        """Those with one of these addresses, and a group that lets a service through or no port security."""
        if not addresses:
            return
        ports = self._few(addresses)
        yield self._ports(Q(port_security_enabled=False), addresses)
        for networks, groups in letting:
            if ports is not None:
                rows = self._ports(Q(pk__among=Numbers(ports)) & Place(networks=networks).q())
                yield rows.filter(_in_groups(groups, "pk"))
            else:
                rows = self._memberships(networks).filter(security_group__among=Numbers(groups))
                yield rows.filter(self._addressed(self.kind, addresses, "network_port"))

    def by_group(self, group: int, seen: Place, letting: Letting) -> Iterator[QuerySet[Any]]:
        """The same of the members of a group that are seen from a place, by the addresses of their own."""
        own = self._addressed(self.kind & _OWN, self.every, "network_port")
        of_group = Q(security_group=group) & (Q() if seen.networks is None else seen.q("network_port__"))
        unsecured = self._memberships().filter(of_group, network_port__port_security_enabled=False)
        yield unsecured.filter(own)
        for networks, groups in letting:
            members = self._memberships(networks).filter(of_group).filter(own)
            # Its own rules are enough, or those of another group of the port.
            yield members if group in groups else members.filter(_in_groups(groups, "network_port"))

    def _few(self, addresses: Ranges) -> list[int] | None:
        """The ports with these addresses, if they are few."""
        rows = PortAddress.objects.filter(self.kind, within(addresses))
        ports = list(rows.values_list("network_port", flat=True)[: _FEW + 1])
        return ports if len(ports) <= _FEW else None

    def _ports(self, condition: Q, addresses: Ranges | None = None) -> QuerySet[Any]:
        rows = self.viewer.visible(get_resource_type("network_ports")).filter(self.place.q(), condition)
        rows = rows.filter(vm__isnull=False).exclude(pk=self.but)
        return rows if addresses is None else rows.filter(self._addressed(self.kind, addresses, "pk"))

    def _memberships(self, networks: Networks = None) -> QuerySet[Any]:
        ports = get_resource_type("network_ports")
        rows = Membership.objects.connected().filter(vm__isnull=False).exclude(network_port=self.but)
        if self.place.networks is not None:
            rows = rows.filter(self.place.q("network_port__"))
        elif self.place.provider is not None:
            rows = rows.filter(security_group__provider=self.place.provider)
        if networks is not None:
            rows = rows.filter(Place(networks=networks).q("network_port__"))
        if self.viewer.scope(ports) is not EVERYTHING:
            rows = rows.filter(network_port__in=self.viewer.visible(ports).values("pk"))
        return rows

    @staticmethod
    def _addressed(kind: Q, addresses: Ranges, port: str) -> IsNull:
        return _there_is(PortAddress.objects.filter(kind, within(addresses), network_port=OuterRef(port)))


def _in_groups(groups: Collection[int], port: str) -> IsNull:
    memberships = Membership.objects.filter(network_port=OuterRef(port)).alias(group=_GROUP)
    return _there_is(memberships.filter(group__among=Numbers(groups)))


def _there_is(rows: QuerySet[Any]) -> IsNull:
    """Whether there is such a row. Unlike `Exists`, PostgreSQL never joins it, which would read all rows first."""
    return IsNull(Subquery(rows.order_by().values("network_port")[:1]), False)


def meetings(address: Address, realm: Realm, place: Place) -> Iterator[tuple[Q, Place]]:
    """Conditions of addresses, each with the place of the ports that have them: which ones meet this address.

    `place` is that of its realm.
    """
    if not address.translated and is_placed(realm):
        yield _OWN, place
    if address.public:
        yield Q(kind=PortAddress.Kind.TRANSLATED) | _OWN & within(PUBLIC), Place()


def is_placed(realm: Realm) -> bool:
    """Whether its network is known, if it matters."""
    return realm.network != UNKNOWN


def places_of(realms: Collection[Realm]) -> dict[Realm, Place]:
    """Where private addresses mean the same ports as in each of these realms."""
    around = {realm.network: {realm.network} for realm in realms if realm.network is not None}
    for network, there in peers_of(around.keys() - {UNKNOWN}):
        around[network].add(there)
    return {
        realm: Place(realm.provider) if realm.network is None else Place(networks=frozenset(around[realm.network]))
        for realm in realms
    }


def providers_around(places: Mapping[Realm, Place]) -> dict[Realm, frozenset[int]]:
    """The providers of the ports with whom private addresses meet, in each of these realms."""
    networks = {network for place in places.values() for network in place.networks or ()}
    rows = CloudNetwork.objects.filter(pk__among=Numbers(networks)) if networks else CloudNetwork.objects.none()
    owners = dict(rows.values_list("pk", "provider"))
    return {
        realm: frozenset({realm.provider, *(owners[pk] for pk in place.networks or () if pk in owners)})
        for realm, place in places.items()
    }
