"""The groups with rules that let some addresses through, in SQL: never rule by rule, nor instance by instance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers, Texts
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.members import with_unknown_members, without_network
from secgroups.analysis.networks import Places, confining
from secgroups.analysis.rule_services import LAST_PORT, with_services
from secgroups.analysis.stored_addresses import having
from secgroups.models import Membership
from secgroups.traffic.addresses import FAMILIES, Family, networks
from secgroups.traffic.effective import Direction
from secgroups.traffic.ranges import Range, Ranges

#: Networks of ports (ids) to which a rule says something; None for all, where groups are not confined to them.
Networks = frozenset[int] | None


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

    def letting(self, services: Range) -> QuerySet[Any]:
        """Those that certainly let some of these services through."""
        return self.of_all_services.filter(with_services(services))

    @property
    def of_all_services(self) -> QuerySet[Any]:
        groups = get_resource_type("security_groups")
        visible = self.viewer.visible(get_resource_type("firewall_rules"))
        of_family = Q(network_protocol=None) | Q(network_protocol=self.family)
        rules: QuerySet[Any] = visible.filter(of_family, direction=self.direction).alias(**LAST_PORT)
        if self.viewer.scope(groups) is not EVERYTHING:
            rules = rules.filter(security_group__in=self.viewer.visible(groups).values("pk"))
        return rules if self.providers is None else rules.filter(provider__in=self.providers)

    @property
    def every(self) -> Ranges:
        """All addresses of the family."""
        return FAMILIES[self.family]

    def unknown(self, groups: Collection[int]) -> set[int]:
        """Those of these groups of whose members not all is known."""
        return with_unknown_members(groups, self.viewer, wide=self.wide)

    @cached_property
    def sides(self) -> Sequence[tuple[str | None, int | None, str | None]]:
        """The ranges, lists (ids) and families of the rules that name no group."""
        rules = self.letting(self.services).filter(source_security_group=None).order_by()
        columns = ("source_ip_range", "source_address_list", "network_protocol")
        return list(rules.values_list(*columns).distinct())

    @cached_property
    def sources(self) -> Collection[int]:
        """The groups (ids) that the rules name."""
        rules = self.letting(self.services).exclude(source_security_group=None).order_by()
        return set(rules.values_list("source_security_group", flat=True).distinct())


@dataclass(frozen=True)
class Covering:
    """Those of some rules that let some of these addresses of their family through."""

    rules: RuleSet
    addresses: Ranges

    def groups(self, services: Range) -> list[tuple[Networks, set[int]]]:
        """The groups (ids) that certainly let some of these services through, by the networks of ports."""
        plain = self._having(self.rules.letting(services).filter(self._plain))
        found: list[tuple[Networks, set[int]]] = [(None, plain)]
        for networks_of_port, groups in self._holders.items():
            rules = self.rules.letting(services).filter(source_security_group__among=Numbers(groups))
            found.append((networks_of_port, self._having(rules)))
        return [(networks_of_port, groups) for networks_of_port, groups in found if groups]

    @staticmethod
    def _having(rules: QuerySet[Any]) -> set[int]:
        return set(rules.order_by().values_list("security_group", flat=True).distinct())

    @cached_property
    def _plain(self) -> Q:
        """The rules for everybody, for a range or for a list of addresses that has some of these."""
        return Q(source_security_group=None) & self._sides

    @property
    def _sides(self) -> Q:
        ranges = {
            text for text, listed, _ in self.rules.sides if text is not None and not listed and self._has(text)
        }
        condition = Q(source_ip_range=None) | Q(source_address_list=None, source_ip_range__among=Texts(ranges))
        lists = self._lists({listed for text, listed, _ in self.rules.sides if text is not None and listed})
        return condition | Q(source_ip_range__isnull=False, source_address_list__among=Numbers(lists))

    def _has(self, text: str) -> bool:
        try:
            return bool(networks(text) & self.addresses)
        except ValueError:
            return False

    def _lists(self, lists: Collection[int]) -> list[int]:
        if not lists:
            return []
        rows = self.rules.viewer.visible(get_resource_type("address_lists")).filter(pk__among=Numbers(lists))
        entries = rows.filter(entries__isnull=False).values_list("pk", "entries")
        return [pk for pk, texts in entries if networks(*texts) & self.addresses]

    @cached_property
    def _holders(self) -> Mapping[Networks, set[int]]:
        """The named groups whose members have some of these addresses, by the networks from which rules mean them.

        Without those of whose members not all is known.
        """
        if not (found := self._holding() if self.rules.sources else set()):
            return {}
        confined = confining({provider for *_, provider in found})
        groups = {group for group, *_ in found}
        unknown = self.rules.unknown(groups)
        placeless = without_network(groups) if confined else set()
        confined_groups = {group for group, _, provider in found if provider in confined}
        places = Places(confined_groups, (network for group, network, _ in found if group in confined_groups))
        holders: defaultdict[Networks, set[int]] = defaultdict(set)
        for group, network, provider in found:
            if group in unknown:
                continue
            if provider not in confined:
                holders[None].add(group)
            elif group not in placeless:
                holders[places.meaning(group, network)].add(group)
        return holders

    def _holding(self) -> set[tuple[Any, ...]]:
        """The named groups of the ports with these addresses, with the networks of these and their providers."""
        columns = ("security_group", "network_port__cloud_network", "security_group__provider")
        named = Membership.objects.connected().filter(security_group__among=Numbers(self.rules.sources))
        memberships = named.filter(network_port__in=having(self.addresses))
        return set(memberships.order_by().values_list(*columns).distinct())
