"""The rules of groups as lines of effective rules, on behalf of a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet

from inventory.db.lookups import Numbers
from inventory.rest.reading.kept import kept
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis import messages
from secgroups.analysis.members import Members
from secgroups.analysis.networks import peers_of
from secgroups.messages import OUTSIDE
from secgroups.traffic.addresses import EVERYWHERE, FAMILIES, Family, networks
from secgroups.traffic.effective import Direction, Line, OtherSide
from secgroups.traffic.ranges import Range, Ranges
from secgroups.traffic.services import Service

DIRECTIONS: tuple[Direction, ...] = ("inbound", "outbound")
_COLUMNS = (
    "pk",
    "security_group",
    "direction",
    "network_protocol",
    "host_protocol",
    "port",
    "end_port",
    "source_ip_range",
    "source_security_group",
    "source_address_list",
)
#: A row for each associated network.
_GROUP_COLUMNS = ("pk", "name", "stateful", "cloud_network", "associated_networks")


class RuleRow(NamedTuple):
    """A row of a rule. `source_range` may be a name of the cloud; `source_group` and `source_list` are ids."""

    pk: int
    group: int
    direction: Direction
    network_protocol: Family | None
    service: Service
    source_range: str | None
    source_group: int | None
    source_list: int | None


#: Whom a rule names, and their addresses; None if these are not known.
_KnownSide = tuple[OtherSide, Ranges | None]


class TooMuch(Exception):
    """There are more ports or rules than the caller wants to read."""


class Rulebook:
    """The rules of some groups (ids). `names` has the names of these groups and of those at the other sides.

    `planned` rules don't exist yet. `stateless` are those of the groups that let no replies through by themselves.

    What the user may not see is unknown: a group without a name here lets through what nobody knows. `among` and
    `members` are those of `Members`. Raises `TooMuch` if there are more than `at_most` rules.
    """

    def __init__(
        self,
        groups: Collection[int],
        viewer: Viewer,
        planned: Collection[RuleRow] = (),
        *,
        at_most: int | None = None,
        among: Ranges | None = None,
        members: int | None = None,
    ) -> None:
        existing = list(_rules(groups, viewer, at_most))
        rules = [*existing, *planned]
        self.group_of = {rule.pk: rule.group for rule in rules}
        sources = {rule.source_group for rule in rules if rule.source_group}
        rows = list(_groups(viewer, groups=Numbers({*groups, *sources})))
        self.names: dict[int, str] = {pk: name for pk, name, *_ in rows}
        self.stateless = {pk for pk, _, stateful, *_ in rows if not stateful}
        self._networks: defaultdict[int, set[int]] = defaultdict(set)
        for pk, _, _, *networks_of_group in rows:
            self._networks[pk].update(filter(None, networks_of_group))
        self._peers = peers_of(set().union(*(self._networks[pk] for pk in sources)))
        self._entries = _entries({rule.source_list for rule in rules if rule.source_list}, viewer)
        self._members = Members(sources & self.names.keys(), self._peers, viewer, among=among, at_most=members)
        self._shows_rules = viewer.user.has_perms(get_resource_type("firewall_rules").view_permissions)
        #: By the group at the other side, if any.
        self._other_sides: defaultdict[int | None, dict[tuple[object, ...], _KnownSide]] = defaultdict(dict)
        self._rules: defaultdict[int, list[RuleRow]] = defaultdict(list)
        #: The rules of these groups that name a group, by that.
        self._naming: defaultdict[int, list[RuleRow]] = defaultdict(list)
        for rule in existing:
            self._rules[rule.group].append(rule)
            if rule.source_group:
                self._naming[rule.source_group].append(rule)

    def lines(self, group: int, ports: frozenset[int], network: int | None) -> Iterator[Line]:
        """What a group lets through on these ports (ids).

        `network` is that of the ports if the cloud confines groups to networks, otherwise None.
        """
        if not self.shows(group):
            yield from unknown_lines(ports)
            return
        for rule in self._rules[group]:
            yield self.line(rule, ports, network)

    def shows(self, group: int) -> bool:
        """Whether the user may see what a group lets through."""
        return group in self.names and self._shows_rules

    def not_known(self, line: Line) -> str:
        """What is not known of a line, in words."""
        if line.addresses is not None:
            return messages.service_not_known(line.service)
        other_side = line.other_side
        if other_side.source_name == OUTSIDE:
            return messages.HIDDEN_RULE
        return messages.not_known(other_side.source_name or self.names[other_side.source_security_group])

    def lines_naming(
        self, source: int, groups: Collection[int], ports: frozenset[int], network: int | None
    ) -> Iterator[Line]:
        """Those lines of some groups on these ports whose other side is the group `source`."""
        if self._shows_rules:
            rules = (rule for rule in self._naming[source] if rule.group in groups and rule.group in self.names)
            yield from (self.line(rule, ports, network) for rule in rules)

    def line(self, rule: RuleRow, ports: frozenset[int], network: int | None) -> Line:
        """What one rule lets through on these ports."""
        known = self._other_sides[rule.source_group]
        key = rule.network_protocol, rule.source_range, rule.source_list, network
        if key not in known:
            known[key] = self._other_side(rule, network)
        other_side, addresses = known[key]
        because_of = frozenset({rule.pk})
        return Line(rule.direction, rule.network_protocol, rule.service, other_side, addresses, ports, because_of)

    def join(self, group: int, network: int | None, addresses: Sequence[Range] | None) -> None:
        """Count one more port of this network among the members of a group."""
        if group in self._naming:
            self._members.join(group, network, addresses)
            self._other_sides.pop(group, None)

    def leave(self, group: int, network: int | None, addresses: Sequence[Range] | None) -> None:
        """Don't count a port of this network among the members of a group any more."""
        if group in self._naming:
            self._members.leave(group, network, addresses)
            self._other_sides.pop(group, None)

    def _other_side(self, rule: RuleRow, network: int | None) -> _KnownSide:
        family = FAMILIES[rule.network_protocol] if rule.network_protocol else EVERYWHERE
        if rule.source_group:
            if rule.source_group not in self.names:
                return OtherSide(source_name=OUTSIDE, hidden=rule.source_group), None
            is_known = network is None or self._meets(rule.source_group, network)
            addresses = self._members.addresses(rule.source_group, network) if is_known else None
            side = OtherSide(source_security_group=rule.source_group, seen_from=network or 0)
            return side, None if addresses is None else addresses & family
        if rule.source_range is None:
            return OtherSide(), family
        if rule.source_list:
            entries = self._entries.get(rule.source_list)
            return OtherSide(source_name=rule.source_range), None if entries is None else entries & family
        try:
            there = networks(rule.source_range)
        except ValueError:
            return OtherSide(source_name=rule.source_range), None
        # A range of the other family makes no sense, and nobody knows what the cloud makes of it.
        return OtherSide(source_ip_range=rule.source_range), (there & family) or None

    def has_known_members(self, line: Line) -> bool:
        """Whether a line is about a group whose members are too many to be read, and otherwise known."""
        group, network = line.other_side.source_security_group, line.other_side.seen_from
        return self._members.has_many(group, network) and (not network or self._meets(group, network))

    def _meets(self, group: int, network: int) -> bool:
        """Whether a group is of a network or of a peer of it. If not, there may be a peering that was not told."""
        networks_of_group = self._networks[group]
        return network in networks_of_group or any((other, network) in self._peers for other in networks_of_group)


def unknown_lines(ports: frozenset[int] = frozenset(), hidden: int = 0) -> Iterator[Line]:
    """What a group or a port lets through that the user may not see; `hidden` tells several apart."""
    for direction in DIRECTIONS:
        yield Line(direction, None, Service(), OtherSide(source_name=OUTSIDE, hidden=hidden), None, ports)


def _rules(groups: Collection[int], viewer: Viewer, at_most: int | None) -> Iterator[RuleRow]:
    rows = list(_rules_of_groups(viewer, None if at_most is None else at_most + 1, groups=Numbers(groups)))
    if at_most is not None and len(rows) > at_most:
        raise TooMuch
    for pk, group, direction, family, protocol, port, end_port, *source in rows:
        yield RuleRow(pk, group, direction, family, Service(protocol, port, end_port), *source)


@kept("firewall_rules")
def _rules_of_groups(rows: QuerySet[Any, Any], at_most: int | None, groups: Any) -> QuerySet[Any, Any]:
    return rows.filter(security_group__among=groups).order_by("pk").values_list(*_COLUMNS)[:at_most]


@kept("security_groups")
def _groups(rows: QuerySet[Any, Any], groups: Any) -> QuerySet[Any, Any]:
    return rows.filter(pk__among=groups).values_list(*_GROUP_COLUMNS)


def _entries(lists: Collection[int], viewer: Viewer) -> dict[int, Ranges | None]:
    """The entries of lists of addresses; None if they are not known."""
    rows = _entries_of_lists(viewer, lists=Numbers(lists)) if lists else ()
    return {pk: None if texts is None else networks(*texts) for pk, texts in rows}


@kept("address_lists")
def _entries_of_lists(rows: QuerySet[Any, Any], lists: Any) -> QuerySet[Any, Any]:
    return rows.filter(pk__among=lists).values_list("pk", "entries")
