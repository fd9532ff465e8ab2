"""The addresses that a rule means if its other side is a security group: those of the ports that have it now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import chain

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.models import Membership
from secgroups.traffic.addresses import network
from secgroups.traffic.ranges import Range, Ranges


class Members:
    """The addresses of the members of groups, on behalf of a user."""

    def __init__(self, groups: Collection[int], viewer: Viewer) -> None:
        self._hidden = _with_hidden_members(groups, viewer)
        self._ranges: Mapping[tuple[int, int | None], list[Range]] = _ranges(groups)
        self._sets: dict[tuple[int, int | None], Ranges] = {}

    def addresses(self, group: int, network: int | None) -> Ranges | None:
        """The addresses of a group's members, as seen from a network; None if a member may not be seen.

        `network` is None if the cloud does not confine groups to networks.
        """
        if group in self._hidden:
            return None
        key = group, network
        if key not in self._sets:
            keys = [(group, network)] if network else [each for each in self._ranges if each[0] == group]
            self._sets[key] = Ranges.of(*(part for each in keys for part in self._ranges.get(each, ())))
        return self._sets[key]


def _ranges(groups: Collection[int]) -> dict[tuple[int, int | None], list[Range]]:
    """The addresses of each group's members by their network, which are never the public ones."""
    ranges: defaultdict[tuple[int, int | None], list[Range]] = defaultdict(list)
    rows = Membership.objects.connected().filter(security_group__among=Numbers(groups))
    columns = ("ipaddresses", "public_ipaddresses", "allowed_address_pairs")
    for group, network_pk, addresses, public, pairs in rows.values_list(
        "security_group", "network_port__cloud_network", *(f"network_port__{column}" for column in columns)
    ):
        own = (address for address in addresses if address not in public)
        ranges[group, network_pk].extend(map(network, chain(own, pairs)))
    return dict(ranges)


def _with_hidden_members(groups: Collection[int], viewer: Viewer) -> set[int]:
    """The groups with a member that the user may not see."""
    ports = get_resource_type("network_ports")
    if viewer.scope(ports) is EVERYTHING:
        return set()
    members = Membership.objects.connected().filter(security_group__among=Numbers(groups))
    hidden = members.exclude(network_port__in=viewer.visible(ports).values("pk"))
    return set(hidden.values_list("security_group", flat=True).distinct())
