"""Which networks meet, where a cloud confines groups to networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef

from inventory import drivers
from inventory.db.lookups import Numbers
from inventory.db.statements import CompiledQuery, Param
from inventory.models import CloudNetwork, Provider
from secgroups.models import SecurityGroup

#: Stands for a network that is not known, where the cloud confines groups to networks. It meets none.
UNKNOWN = 0
#: Pairs of peered networks (ids), each both ways.
Peers = frozenset[tuple[int, int]]


def peers_of(networks: Collection[int]) -> Peers:
    """The peers of these networks, as far as the cloud told them."""
    rows = _peers(networks=Numbers(networks)) if networks else ()
    return frozenset((here, there) for here, there in rows)


_peers = CompiledQuery(
    lambda: CloudNetwork.peers.through._default_manager.filter(
        from_cloudnetwork__among=Param("networks")
    ).values_list("from_cloudnetwork", "to_cloudnetwork")
)


def confining(providers: Collection[int]) -> set[int]:
    """Those of these providers (ids) whose clouds confine groups to networks.

    Of an exported inventory, the groups tell: those of such a cloud have a network.
    """
    return confining_by_vendor(vendors_of(providers))


def confining_by_vendor(vendors: Mapping[int, str]) -> set[int]:
    """The same of providers whose vendors are known."""
    have_networks = {
        pk: drivers.driver_class(vendor).groups_have_networks
        for pk, vendor in vendors.items()
        if vendor in settings.DRIVERS
    }
    confined = {pk for pk, have in have_networks.items() if have}
    if exported := [pk for pk, have in have_networks.items() if have is None]:
        groups = SecurityGroup.objects.filter(provider=OuterRef("pk"), cloud_network__isnull=False)
        with_networks = Provider.objects.filter(Exists(groups), pk__in=exported)
        confined.update(with_networks.values_list("pk", flat=True))
    return confined


def vendors_of(providers: Collection[int]) -> dict[int, str]:
    """The vendors of providers, by their ids."""
    rows: Any = _vendors(providers=Numbers(providers)) if providers else ()
    return dict(rows)


_vendors = CompiledQuery(lambda: Provider.objects.filter(pk__among=Param("providers")).values_list("pk", "vendor"))


class Places:
    """The networks of groups, and what is peered with them."""

    def __init__(self, groups: Iterable[int], networks_of_members: Iterable[int | None] = ()) -> None:
        columns = ("pk", "cloud_network", "associated_networks")
        self._networks: defaultdict[int, set[int]] = defaultdict(set)
        rows = SecurityGroup.objects.filter(pk__among=Numbers(groups))
        for pk, *networks_of_group in rows.values_list(*columns):
            self._networks[pk].update(filter(None, networks_of_group))
        every = set().union(filter(None, networks_of_members), *self._networks.values())
        self._around: dict[int, set[int]] = {network: {network} for network in every}
        for network, there in peers_of(every):
            self._around[network].add(there)

    def meaning(self, group: int, network: int) -> frozenset[int]:
        """The networks in which a rule that names a group means a member of it in this network."""
        return frozenset(self._around[network] & self.around(group))

    def of(self, group: int) -> set[int]:
        return self._networks[group]

    def around(self, group: int) -> set[int]:
        """The networks of a group, and what is peered with them."""
        return set().union(*(self._around[network] for network in self._networks[group]))
