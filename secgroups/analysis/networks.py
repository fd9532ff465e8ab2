"""Which networks meet, where a cloud confines groups to networks."""

from __future__ import annotations

from collections.abc import Collection

from inventory.db.lookups import Numbers
from inventory.models import CloudNetwork, Provider
from secgroups.models import SecurityGroup

#: Stands for a network that is not known, where the cloud confines groups to networks. It meets none.
UNKNOWN = 0
#: Pairs of peered networks (ids), each both ways.
Peers = frozenset[tuple[int, int]]


def peers_of(networks: Collection[int]) -> Peers:
    """The peers of these networks, as far as the cloud told them."""
    rows = CloudNetwork.peers.through._default_manager.filter(from_cloudnetwork__among=Numbers(networks))
    return frozenset(rows.values_list("from_cloudnetwork", "to_cloudnetwork"))


def confining(providers: Collection[int]) -> set[int]:
    """Those of these providers (ids) whose clouds confine groups to networks.

    Of an exported inventory, the groups tell: those of such a cloud have a network.
    """
    rows = list(Provider.objects.filter(pk__in=providers).only("vendor"))
    exported = [row.pk for row in rows if row.driver_class and row.driver_class.groups_have_networks is None]
    confined = {row.pk for row in rows if row.confines_groups}
    for pk in exported:
        if SecurityGroup.objects.filter(provider=pk, cloud_network__isnull=False).exists():
            confined.add(pk)
    return confined
