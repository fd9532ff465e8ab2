"""The addresses that a rule means if its other side is a security group: those of the ports that have it now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import cache, cached_property
from itertools import chain
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers
from inventory.db.statements import CompiledQuery, Param
from inventory.models import PortAddress
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.networks import Peers
from secgroups.analysis.stored_addresses import THEMSELVES, holding
from secgroups.models import Membership, SecurityGroup
from secgroups.traffic.addresses import network
from secgroups.traffic.ranges import Range, Ranges

#: The ranges of each group's members by their network.
_ByNetwork = dict[tuple[int, int | None], list[Range]]


class Members:
    """The addresses of the members of groups, on behalf of a user.

    With `among`, only which of these addresses they have is read, however many members there are, unless these
    addresses are more than the members that may be read.
    """

    def __init__(
        self,
        groups: Collection[int],
        peers: Peers,
        viewer: Viewer,
        *,
        among: Ranges | None = None,
        at_most: int | None = None,
    ) -> None:
        self._groups, self._viewer = groups, viewer
        self.too_large: set[int] = set()
        hidden = _with_hidden_members(groups, viewer)
        bound = settings.ANALYSIS_MEMBERS if at_most is None else at_most
        if among is None or is_wide(among):
            self.too_large = _too_large(groups, bound)
            self._ranges, unreadable = _ranges(set(groups) - hidden - self.too_large)
        else:
            self._ranges, unreadable = _ranges_among(groups, among), _unreadable(groups)
        self._unknown = hidden | self.too_large | unreadable
        self._peers = peers
        self._sets: dict[tuple[int, int | None], Ranges] = {}

    def addresses(self, group: int, network: int | None) -> Ranges | None:
        """The addresses of a group's members, as seen from a network; None if they are not known.

        They are not known if there are more members than `settings.ANALYSIS_MEMBERS`, if the user may not see one,
        if the network of one is not known, or if the cloud told something else than addresses.
        `network` is None if the cloud does not confine groups to networks.
        """
        if group in self._unknown or (network is not None and group in self._somewhere):
            return None
        key = group, network
        if key not in self._sets:
            seen = (each for each in self._ranges if each[0] == group and self._is_seen(each[1], network))
            self._sets[key] = Ranges.of(*(part for each in seen for part in self._ranges[each]))
        return self._sets[key]

    def join(self, group: int, network: int | None, addresses: Sequence[Range] | None) -> None:
        """Let one more port of this network have the group; the addresses are None if they can't be read."""
        if addresses is None:
            self._unknown.add(group)
        else:
            self._ranges.setdefault((group, network), []).extend(addresses)
        if network is None:
            self._somewhere.add(group)
        self._forget(group)

    def leave(self, group: int, network: int | None, addresses: Sequence[Range] | None) -> None:
        """Let a port of this network no longer have the group."""
        remaining = self._ranges.get((group, network), [])
        for each in addresses or ():
            if each in remaining:
                remaining.remove(each)
        if not remaining:
            self._ranges.pop((group, network), None)
        self._forget(group)

    def _forget(self, group: int) -> None:
        self._sets = {key: addresses for key, addresses in self._sets.items() if key[0] != group}

    def has_many(self, group: int, network: int) -> bool:
        """Whether the addresses of a group's members are only unknown because they are too many.

        `network` is 0 if the cloud does not confine groups to networks.
        """
        somewhere = network and group in self._somewhere
        return group in self.too_large and not somewhere and group not in self._unknown_besides

    @cached_property
    def _unknown_besides(self) -> set[int]:
        return with_unknown_members(self.too_large, self._viewer)

    @cached_property
    def _somewhere(self) -> set[int]:
        return without_network(self._groups)

    def _is_seen(self, network: int | None, from_network: int | None) -> bool:
        return from_network is None or network == from_network or (network, from_network) in self._peers


def ranges_of(own_addresses: Iterable[str], address_pairs: Iterable[str]) -> list[Range] | None:
    """The addresses that a member sends from; None if the cloud told something else than addresses."""
    try:
        return list(map(network, chain(own_addresses, address_pairs)))
    except ValueError:
        return None


def _ranges(groups: Collection[int]) -> tuple[_ByNetwork, set[int]]:
    """The addresses that members have themselves, and their allowed address pairs; never the public ones.

    Also returns the groups with a member whose addresses can't be read.
    """
    ranges: defaultdict[tuple[int, int | None], list[Range]] = defaultdict(list)
    unreadable = set()
    rows = _members(groups=Numbers(groups)) if groups else ()
    for group, network_pk, addresses, public, pairs in rows:
        own = (address for address in addresses if address not in public)
        readable = ranges_of(own, pairs)
        if readable is None:
            unreadable.add(group)
        else:
            ranges[group, network_pk].extend(readable)
    return dict(ranges), unreadable


def _of_groups() -> QuerySet[Membership, Any]:
    return Membership.objects.connected().filter(security_group__among=Param("groups"))


_members = CompiledQuery(
    lambda: _of_groups().values_list(
        "security_group",
        "network_port__cloud_network",
        "network_port__ipaddresses",
        "network_port__public_ipaddresses",
        "network_port__allowed_address_pairs",
    )
)


def _ranges_among(groups: Collection[int], among: Ranges) -> _ByNetwork:
    """The same, only of these addresses."""
    if not groups:
        return {}
    ranges: defaultdict[tuple[int, int | None], list[Range]] = defaultdict(list)
    ports = holding(among)
    for group, network_pk, port in _members_among(groups=Numbers(groups), ports=Numbers(ports)):
        ranges[group, network_pk].extend(ports[port])
    return dict(ranges)


_members_among = CompiledQuery(
    lambda: (
        _of_groups()
        .filter(network_port__among=Param("ports"))
        .values_list("security_group", "network_port__cloud_network", "network_port")
    ),
    planned=False,
)


def is_wide(addresses: Ranges) -> bool:
    """Whether these are so many addresses that too many members may have some."""
    return addresses.size > settings.ANALYSIS_MEMBERS


def with_unknown_members(groups: Collection[int], viewer: Viewer, *, wide: bool = False) -> set[int]:
    """The groups with a member whose addresses are not known, or whom the user may not see.

    If the question is about a `wide` set of addresses, also those with too many members to be read.
    """
    unknown = _with_hidden_members(groups, viewer) | _unreadable(groups)
    return unknown | _too_large(groups, settings.ANALYSIS_MEMBERS) if wide else unknown


def _unreadable(groups: Collection[int]) -> set[int]:
    return {group for (group,) in _with_unreadable(groups=Numbers(groups))} if groups else set()


_with_unreadable = CompiledQuery(
    lambda: (
        _of_groups()
        .filter(
            network_port__in=PortAddress.objects.filter(first=None, kind__in=THEMSELVES).values("network_port")
        )
        .values_list("security_group")
    ),
    planned=False,
)


def without_network(groups: Collection[int]) -> set[int]:
    """The groups with a member whose network is not known."""
    return {group for (group,) in _without_network(groups=Numbers(groups))} if groups else set()


_without_network = CompiledQuery(
    lambda: _of_groups().filter(network_port__cloud_network=None).values_list("security_group").distinct(),
    planned=False,
)


def _too_large(groups: Collection[int], bound: int) -> set[int]:
    """The groups with so many members that a request must not read them all."""
    return {group for (group,) in _larger_than(bound)(groups=Numbers(groups))} if groups else set()


@cache
def _larger_than(bound: int) -> CompiledQuery:
    members = Membership.objects.filter(security_group=OuterRef("pk")).order_by("vm")[bound : bound + 1]
    return CompiledQuery(
        lambda: SecurityGroup.objects.filter(Exists(members), pk__among=Param("groups")).values_list("pk")
    )


def _with_hidden_members(groups: Collection[int], viewer: Viewer) -> set[int]:
    """The groups with a member that the user may not see."""
    ports = get_resource_type("network_ports")
    if viewer.scope(ports) is EVERYTHING:
        return set()
    members = Membership.objects.connected().filter(security_group__among=Numbers(groups))
    hidden = members.exclude(network_port__in=viewer.visible(ports).values("pk"))
    return set(hidden.values_list("security_group", flat=True).distinct())
