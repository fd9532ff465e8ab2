"""Which networks meet, where a cloud confines groups to networks."""

from __future__ import annotations

from collections.abc import Collection

from inventory.db.lookups import Numbers
from inventory.models import CloudNetwork, Provider

#: Stands for a network that is not known, where the cloud confines groups to networks. It meets none.
UNKNOWN = 0
#: Pairs of peered networks (ids), each both ways.
Peers = frozenset[tuple[int, int]]


def peers_of(networks: Collection[int]) -> Peers:
    """The peers of these networks, as far as the cloud told them."""
    rows = CloudNetwork.peers.through._default_manager.filter(from_cloudnetwork__among=Numbers(networks))
    return frozenset(rows.values_list("from_cloudnetwork", "to_cloudnetwork"))


def confining(providers: Collection[int]) -> set[int]:
    """Those of these providers (ids) whose clouds confine groups to networks."""
    rows = Provider.objects.filter(pk__in=providers).only("vendor")
    return {provider.pk for provider in rows if provider.confines_groups}
