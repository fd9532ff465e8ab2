"""The addresses of the members of groups, which each process keeps while the stamps of a group stay the same."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from math import inf
from threading import Lock
from typing import Any

from django.db.models import Exists, OuterRef, Sum

from inventory.db.lookups import Numbers
from inventory.db.statements import CompiledQuery, Param
from secgroups.models import GroupStamp, Membership, SecurityGroup
from secgroups.traffic.addresses import network
from secgroups.traffic.ranges import Range, Ranges

#: How many ranges of members a process keeps, of about 100 bytes each.
KEPT = 200_000
#: For so many sets of networks, the addresses of a group are kept.
_SETS = 4


@dataclass(frozen=True, slots=True, eq=False)
class KnownMembers:
    """The ranges of a group's members by their network (id). It is not readable if one's addresses are not."""

    by_network: Mapping[int | None, Sequence[Range]]
    number: int = 0
    is_readable: bool = True
    _seen: dict[frozenset[int | None], Ranges] = field(default_factory=dict)

    def seen(self, networks: frozenset[int | None]) -> Ranges:
        """The addresses of the members in these networks."""
        if (addresses := self._seen.get(networks)) is None:
            addresses = Ranges.of(*chain.from_iterable(self.by_network[each] for each in networks))
            if len(self._seen) >= _SETS:
                self._seen.clear()
            self._seen[networks] = addresses
        return addresses

    def with_ranges(self, network_pk: int | None, ranges: Sequence[Range]) -> KnownMembers:
        """The same with other ranges in a network, or with none of this network."""
        others = {pk: each for pk, each in self.by_network.items() if pk != network_pk}
        return KnownMembers({**others, network_pk: ranges} if ranges else others, self.number, self.is_readable)

    @property
    def size(self) -> int:
        return 1 + sum(map(len, self.by_network.values()))


NOBODY = KnownMembers({})


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of a group in a version: its members, or that their number is within some bounds."""

    version: int
    members: KnownMembers | None = None
    least: int = 0
    most: float = inf

    def is_larger(self, bound: int) -> bool | None:
        """Whether there are more members; None if that is not known."""
        if self.members is not None:
            return self.members.number > bound
        return True if self.least > bound else False if self.most <= bound else None

    @property
    def size(self) -> int:
        return self.members.size if self.members else 1


class _Memory:
    """What is known of groups (ids). Forgets what was used least recently."""

    def __init__(self, size: int) -> None:
        self._groups: OrderedDict[int, _Kept] = OrderedDict()
        self._free = size
        self._lock = Lock()

    def get(self, group: int) -> _Kept | None:
        with self._lock:
            if group in self._groups:
                self._groups.move_to_end(group)
            return self._groups.get(group)

    def put(self, group: int, kept: _Kept) -> None:
        with self._lock:
            if before := self._groups.pop(group, None):
                self._free += before.size
            self._groups[group] = kept
            self._free -= kept.size
            while self._free < 0:
                _, forgotten = self._groups.popitem(last=False)
                self._free += forgotten.size


_memory = _Memory(KEPT)


def members_of(groups: Collection[int], at_most: int) -> dict[int, KnownMembers]:
    """The members of these groups (ids), without those that have more than `at_most`."""
    if not groups:
        return {}
    versions = _versions_of(groups)
    are_larger, found = _compared(groups, at_most, versions)
    small = [group for group in groups if not are_larger[group]]
    known = {group: kept.members for group in small if (kept := _kept(group, versions)) and kept.members}
    if others := [group for group in small if group not in known]:
        read = _from_rows(others)
        known |= {group: read.get(group, NOBODY) for group in others}
        found |= {group: _Kept(versions.get(group, 0), known[group]) for group in others}
    _keep(found, versions)
    return known


def larger_than(groups: Collection[int], bound: int) -> set[int]:
    """The groups with so many members that a request must not read them all."""
    if not groups:
        return set()
    versions = _versions_of(groups)
    are_larger, found = _compared(groups, bound, versions)
    _keep(found, versions)
    return {group for group, is_larger in are_larger.items() if is_larger}


def _compared(
    groups: Collection[int], bound: int, versions: Mapping[int, int]
) -> tuple[dict[int, bool], dict[int, _Kept]]:
    """Whether groups have more members than a bound, and what was found of those of whom it was not kept."""
    known = {
        group: is_larger
        for group in groups
        if (kept := _kept(group, versions)) and (is_larger := kept.is_larger(bound)) is not None
    }
    others = [group for group in groups if group not in known]
    larger = {group for (group,) in _larger(bound)(groups=Numbers(others))} if others else set()
    known |= {group: group in larger for group in others}
    bounds = {group: (bound + 1, inf) if known[group] else (0, bound) for group in others}
    return known, {group: _Kept(versions.get(group, 0), None, *each) for group, each in bounds.items()}


def _kept(group: int, versions: Mapping[int, int]) -> _Kept | None:
    kept = _memory.get(group)
    return kept if kept and kept.version == versions.get(group) else None


def _keep(found: Mapping[int, _Kept], versions: Mapping[int, int]) -> None:
    """Keep what was found of those groups that did not change meanwhile.

    A group without a stamp never had a member, or its stamps were lost.
    """
    now = _versions_of(found) if found else {}
    for group, kept in found.items():
        if group in versions and now.get(group) == versions[group]:
            before = _kept(group, versions)
            if before and before.members is None and kept.members is None:
                kept = replace(kept, least=max(kept.least, before.least), most=min(kept.most, before.most))
            _memory.put(group, kept)


def _from_rows(groups: Collection[int]) -> dict[int, KnownMembers]:
    """The addresses that members have themselves, and their allowed address pairs; never the public ones."""
    ranges: defaultdict[int, defaultdict[int | None, list[Range]]] = defaultdict(lambda: defaultdict(list))
    numbers: Counter[int] = Counter()
    unreadable = set()
    for group, network_pk, addresses, public, pairs in _rows(groups=Numbers(groups)) if groups else ():
        numbers[group] += 1
        own = (address for address in addresses if address not in public)
        readable = ranges_of(own, pairs)
        if readable is None:
            unreadable.add(group)
        else:
            ranges[group][network_pk].extend(readable)
    return {
        # Tuples, because the garbage collector does not look into those of numbers again and again.
        group: KnownMembers(
            {pk: tuple(each) for pk, each in ranges[group].items()}, number, group not in unreadable
        )
        for group, number in numbers.items()
    }


def ranges_of(own_addresses: Iterable[str], address_pairs: Iterable[str]) -> list[Range] | None:
    """The addresses that a member sends from; None if the cloud told something else than addresses."""
    try:
        return list(map(network, chain(own_addresses, address_pairs)))
    except ValueError:
        return None


@cache
def _larger(bound: int) -> CompiledQuery:
    members = Membership.objects.filter(security_group=OuterRef("pk")).order_by("vm")[bound : bound + 1]
    return CompiledQuery(
        lambda: SecurityGroup.objects.filter(Exists(members), pk__among=Param("groups")).values_list("pk")
    )


def _versions_of(groups: Iterable[int]) -> dict[int, int]:
    rows: Any = _versions(groups=Numbers(groups))
    return dict(rows)


_versions = CompiledQuery(
    lambda: (
        GroupStamp.objects.filter(security_group__among=Param("groups"))
        .order_by()
        .values("security_group")
        .annotate(version=Sum("stamp"))
        .values_list("security_group", "version")
    )
)
#: Also of groups whose provider is being deleted: nobody sees these, and stamps do not tell.
_rows = CompiledQuery(
    lambda: Membership.objects.filter(security_group__among=Param("groups")).values_list(
        "security_group",
        "network_port__cloud_network",
        "network_port__ipaddresses",
        "network_port__public_ipaddresses",
        "network_port__allowed_address_pairs",
    )
)
