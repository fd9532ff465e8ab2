"""The groups with rules that let some addresses through, in SQL: never rule by rule, nor instance by instance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers, Texts
from inventory.rest.reading.kept import KeptQuery, kept
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.members import with_unknown_members, without_network
from secgroups.analysis.networks import Places, confining
from secgroups.analysis.rule_services import LAST_PORT, details_asked, protocol_asked, with_services
from secgroups.analysis.stored_addresses import having
from secgroups.models import Membership
from secgroups.traffic.addresses import FAMILIES, Family, networks
from secgroups.traffic.effective import Direction
from secgroups.traffic.ranges import Range, Ranges

#: Networks of ports (ids) to which a rule says something; None for all, where groups are not confined to them.
Networks = frozenset[int] | None


class Form(NamedTuple):
    """What queries of rules differ in, beside values."""

    direction: Direction
    family: Family
    protocol: int | None
    of_providers: bool
    of_visible_groups: bool


@dataclass(frozen=True)
class RuleSet:
    """The rules of one direction and family that a user may see, with their groups, about some services.

    With `providers` (ids), only rules of these. `wide` is as in `with_unknown_members`.
    """

    direction: Direction
    family: Family
    services: Range
    viewer: Viewer
    providers: frozenset[int] | None = None
    wide: bool = False

    def read(
        self, query: KeptQuery, services: Range | None = None, *parts: Hashable, **values: Any
    ) -> Iterable[Sequence[Any]]:
        """What a query of such rules finds, about some of these services."""
        asked = services or self.services
        form = Form(
            self.direction,
            self.family,
            protocol_asked(asked),
            self.providers is not None,
            self.viewer.scope(get_resource_type("security_groups")) is not EVERYTHING,
        )
        providers = Numbers(self.providers or ())
        return query(self.viewer, form, *parts, providers=providers, **details_asked(asked), **values)

    @property
    def every(self) -> Ranges:
        """All addresses of the family."""
        return FAMILIES[self.family]

    @cached_property
    def unknown(self) -> set[int]:
        """Those of the groups that the rules name of whose members not all is known."""
        return with_unknown_members(self.sources, self.viewer, wide=self.wide)

    @cached_property
    def sides(self) -> Sequence[tuple[str | None, int | None, str | None]]:
        """The ranges, lists (ids) and families of the rules that name no group."""
        rows: Any = list(self.read(_sides))
        return rows  # type: ignore[no-any-return]

    @cached_property
    def sources(self) -> set[int]:
        """The groups (ids) that the rules name."""
        return {group for (group,) in self.read(_sources)}


@dataclass(frozen=True)
class Covering:
    """Those of some rules that let some of these addresses of their family through."""

    rules: RuleSet
    addresses: Ranges

    def groups(self, services: Range) -> list[tuple[Networks, set[int]]]:
        """The groups (ids) that certainly let some of these services through, by the networks of ports."""
        found: list[tuple[Networks, set[int]]] = [(None, self._plain(services))]
        for networks_of_port, groups in self._holders.items():
            rows = self.rules.read(_having_named, services, groups=Numbers(groups))
            found.append((networks_of_port, {group for (group,) in rows}))
        return [(networks_of_port, groups) for networks_of_port, groups in found if groups]

    def _plain(self, services: Range) -> set[int]:
        """The groups with rules for everybody, for a range or for a list of addresses that has some of these."""
        if not self.rules.sides:
            return set()
        ranges, lists = self._sides
        rows = self.rules.read(_having_plain, services, ranges=Texts(ranges), lists=Numbers(lists))
        return {group for (group,) in rows}

    @cached_property
    def _sides(self) -> tuple[Collection[str], Collection[int]]:
        """The ranges, and the lists (ids), that have some of these addresses."""
        named = [(text, listed) for text, listed, _ in self.rules.sides if text is not None]
        ranges = {text for text, listed in named if not listed and self._has(text)}
        return ranges, self._lists({listed for _, listed in named if listed})

    def _has(self, text: str) -> bool:
        try:
            return bool(networks(text) & self.addresses)
        except ValueError:
            return False

    def _lists(self, lists: Collection[int]) -> list[int]:
        rows = known_lists(self.rules.viewer, lists=Numbers(lists)) if lists else ()
        return [pk for pk, texts in rows if networks(*texts) & self.addresses]

    @cached_property
    def _holders(self) -> Mapping[Networks, set[int]]:
        """The named groups whose members have some of these addresses, by the networks from which rules mean them.

        Without those of whose members not all is known.
        """
        known = self.rules.sources - self.rules.unknown
        if not (found := self._holding(known) if known else set()):
            return {}
        confined = confining({provider for *_, provider in found})
        placeless = without_network({group for group, *_ in found}) if confined else set()
        confined_groups = {group for group, _, provider in found if provider in confined}
        places = Places(confined_groups, (network for group, network, _ in found if group in confined_groups))
        holders: defaultdict[Networks, set[int]] = defaultdict(set)
        for group, network, provider in found:
            if provider not in confined:
                holders[None].add(group)
            elif group not in placeless:
                holders[places.meaning(group, network)].add(group)
        return holders

    def _holding(self, groups: Collection[int]) -> set[tuple[Any, ...]]:
        """Those of these groups that ports with these addresses have, with the ports' networks and providers."""
        columns = ("security_group", "network_port__cloud_network", "security_group__provider")
        named = Membership.objects.connected().filter(security_group__among=Numbers(groups))
        memberships = named.filter(network_port__in=having(self.addresses))
        return set(memberships.order_by().values_list(*columns).distinct())


def of_all_services(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, values: Mapping[str, Any]) -> Any:
    """The rules of a rule set, whatever their services, of those of a viewer and their groups."""
    of_family = Q(network_protocol=None) | Q(network_protocol=form.family)
    rows = rules.filter(of_family, direction=form.direction).alias(**LAST_PORT).order_by()
    if form.of_visible_groups:
        rows = rows.filter(security_group__in=groups.values("pk"))
    return rows.filter(provider__among=values["providers"]) if form.of_providers else rows


def letting(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, values: Mapping[str, Any]) -> Any:
    """Those that certainly let some of the services through."""
    return of_all_services(rules, groups, form, values).filter(with_services(form.protocol, values))


#: A query of rules. Its plan depends on how many are of the services.
of_rules = kept("firewall_rules", "security_groups", planned=False)


@of_rules
def _sides(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, **values: Any) -> QuerySet[Any, Any]:
    rows = letting(rules, groups, form, values).filter(source_security_group=None)
    return rows.values_list("source_ip_range", "source_address_list", "network_protocol").distinct()  # type: ignore[no-any-return]


@of_rules
def _sources(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, **values: Any) -> QuerySet[Any, Any]:
    rows = letting(rules, groups, form, values).exclude(source_security_group=None)
    return rows.values_list("source_security_group").distinct()  # type: ignore[no-any-return]


@of_rules
def _having_plain(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, **values: Any) -> QuerySet[Any, Any]:
    sides = Q(source_ip_range=None) | Q(source_address_list=None, source_ip_range__among=values["ranges"])
    sides |= Q(source_ip_range__isnull=False, source_address_list__among=values["lists"])
    rows = letting(rules, groups, form, values).filter(sides, source_security_group=None)
    return rows.values_list("security_group").distinct()  # type: ignore[no-any-return]


@of_rules
def _having_named(rules: QuerySet[Any], visible: QuerySet[Any], form: Form, **values: Any) -> QuerySet[Any, Any]:
    rows = letting(rules, visible, form, values).filter(source_security_group__among=values["groups"])
    return rows.values_list("security_group").distinct()  # type: ignore[no-any-return]


@kept("address_lists")
def known_lists(rows: QuerySet[Any], lists: Any) -> QuerySet[Any, Any]:
    return rows.filter(pk__among=lists, entries__isnull=False).values_list("pk", "entries")
