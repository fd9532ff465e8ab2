"""The addresses that a rule means if its other side is a security group: those of the ports that have it now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers
from inventory.db.statements import CompiledQuery, Param
from inventory.models import PortAddress
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.known_members import NOBODY, KnownMembers, larger_than, members_of
from secgroups.analysis.networks import Peers
from secgroups.analysis.stored_addresses import THEMSELVES, holding
from secgroups.models import Membership
from secgroups.traffic.ranges import Range, Ranges


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
        self._viewer, self._peers = viewer, peers
        hidden = _with_hidden_members(groups, viewer)
        if among is None or is_wide(among):
            seen = set(groups) - hidden
            self._known = members_of(seen, settings.ANALYSIS_MEMBERS if at_most is None else at_most)
            self._too_large = seen - self._known.keys()
            unreadable = {group for group, known in self._known.items() if not known.is_readable}
            self._somewhere = {group for group, known in self._known.items() if None in known.by_network}
        else:
            self._known, self._too_large = _known_among(groups, among), set[int]()
            unreadable = _unreadable(groups)
            self._somewhere = without_network(groups)
        self._unknown = hidden | self._too_large | unreadable

    def addresses(self, group: int, network: int | None) -> Ranges | None:
        """The addresses of a group's members, as seen from a network; None if they are not known.

        They are not known if there are more members than `settings.ANALYSIS_MEMBERS`, if the user may not see one,
        if the network of one is not known, or if the cloud told something else than addresses.
        `network` is None if the cloud does not confine groups to networks.
        """
        if group in self._unknown or (network is not None and group in self._somewhere):
            return None
        known = self._known.get(group, NOBODY)
        return known.seen(frozenset(each for each in known.by_network if self._is_seen(each, network)))

    def join(self, group: int, network: int | None, addresses: Sequence[Range] | None) -> None:
        """Let one more port of this network have the group; the addresses are None if they can't be read."""
        if addresses is None:
            self._unknown.add(group)
        else:
            known = self._known.get(group, NOBODY)
            self._known[group] = known.with_ranges(network, [*known.by_network.get(network, ()), *addresses])
        if network is None:
            self._somewhere.add(group)

    def leave(self, group: int, network: int | None, addresses: Sequence[Range] | None) -> None:
        """Let a port of this network no longer have the group."""
        known = self._known.get(group, NOBODY)
        remaining = list(known.by_network.get(network, ()))
        for each in addresses or ():
            if each in remaining:
                remaining.remove(each)
        self._known[group] = known.with_ranges(network, remaining)

    def has_many(self, group: int, network: int) -> bool:
        """Whether the addresses of a group's members are only unknown because they are too many.

        `network` is 0 if the cloud does not confine groups to networks.
        """
        somewhere = network and (group in self._somewhere or group in self._large_somewhere)
        return group in self._too_large and not somewhere and group not in self._unknown_besides

    @cached_property
    def _unknown_besides(self) -> set[int]:
        return with_unknown_members(self._too_large, self._viewer)

    @cached_property
    def _large_somewhere(self) -> set[int]:
        return without_network(self._too_large)

    def _is_seen(self, network: int | None, from_network: int | None) -> bool:
        return from_network is None or network == from_network or (network, from_network) in self._peers


def _known_among(groups: Collection[int], among: Ranges) -> dict[int, KnownMembers]:
    """The members of these groups that have some of these addresses, with what they have of them."""
    if not groups:
        return {}
    ranges: defaultdict[int, defaultdict[int | None, list[Range]]] = defaultdict(lambda: defaultdict(list))
    ports = holding(among)
    for group, network_pk, port in _members_among(groups=Numbers(groups), ports=Numbers(ports)):
        ranges[group][network_pk].extend(ports[port])
    return {group: KnownMembers(dict(by_network)) for group, by_network in ranges.items()}


def _of_groups() -> QuerySet[Membership, Any]:
    return Membership.objects.connected().filter(security_group__among=Param("groups"))


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
    return unknown | larger_than(groups, settings.ANALYSIS_MEMBERS) if wide else unknown


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


def _with_hidden_members(groups: Collection[int], viewer: Viewer) -> set[int]:
    """The groups with a member that the user may not see."""
    ports = get_resource_type("network_ports")
    if viewer.scope(ports) is EVERYTHING:
        return set()
    members = Membership.objects.connected().filter(security_group__among=Numbers(groups))
    hidden = members.exclude(network_port__in=viewer.visible(ports).values("pk"))
    return set(hidden.values_list("security_group", flat=True).distinct())
