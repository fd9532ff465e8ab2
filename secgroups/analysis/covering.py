"""The groups with rules that let some addresses through, in SQL: never rule by rule, nor instance by instance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import F, Q, QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers, Texts
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.members import with_unknown_members, without_network
from secgroups.analysis.networks import confining, peers_of
from secgroups.analysis.rule_services import LAST_PORT, with_services
from secgroups.analysis.stored_addresses import holding
from secgroups.models import Membership, SecurityGroup
from secgroups.traffic.addresses import FAMILIES, Family, networks
from secgroups.traffic.effective import Direction
from secgroups.traffic.ranges import Range, Ranges

#: Networks of ports (ids) to which a rule says something; None for all, where groups are not confined to them.
Networks = frozenset[int] | None


@dataclass(frozen=True)
class Covering:
    """The rules of one direction that let some of these addresses through, which are of one family.

    With `providers` (ids), only rules of these.
    """

    direction: Direction
    family: Family
    addresses: Ranges
    services: Range
    viewer: Viewer
    providers: frozenset[int] | None = None

    def groups(self, services: Range) -> list[tuple[Networks, set[int]]]:
        """The groups (ids) that certainly let some of these services through, by the networks of ports."""
        plain = self._having(self.rules(services).filter(self._plain))
        found: list[tuple[Networks, set[int]]] = [(None, plain)]
        for networks_of_port, groups in self._holders.items():
            rules = self.rules(services).filter(self.of_family, source_security_group__among=Numbers(groups))
            found.append((networks_of_port, self._having(rules)))
        return [(networks_of_port, groups) for networks_of_port, groups in found if groups]

    @staticmethod
    def _having(rules: QuerySet[Any]) -> set[int]:
        return set(rules.order_by().values_list("security_group", flat=True).distinct())

    def rules(self, services: Range | None) -> QuerySet[Any]:
        """The rules of this direction that the user may see, with their groups.

        With `services`, only those that certainly let some of these through.
        """
        groups = get_resource_type("security_groups")
        visible = self.viewer.visible(get_resource_type("firewall_rules"))
        rules: QuerySet[Any] = visible.filter(direction=self.direction).alias(**LAST_PORT)
        if self.viewer.scope(groups) is not EVERYTHING:
            rules = rules.filter(security_group__in=self.viewer.visible(groups).values("pk"))
        if self.providers is not None:
            rules = rules.filter(provider__in=self.providers)
        return rules if services is None else rules.filter(with_services(services))

    @property
    def every(self) -> Ranges:
        """All addresses of the family."""
        return FAMILIES[self.family]

    @property
    def of_family(self) -> Q:
        return Q(network_protocol=None) | Q(network_protocol=self.family)

    @cached_property
    def _plain(self) -> Q:
        """The rules for everybody, for a range or for a list of addresses that has some of these."""
        return self.of_family & Q(source_security_group=None) & self._sides

    @cached_property
    def named(self) -> Sequence[tuple[str | None, int | None, str | None]]:
        """The ranges, lists (ids) and families of the rules that name no group."""
        rules = self.rules(self.services).filter(self.of_family, source_security_group=None).order_by()
        columns = ("source_ip_range", "source_address_list", "network_protocol")
        return list(rules.values_list(*columns).distinct())

    @property
    def _sides(self) -> Q:
        ranges = {text for text, listed, _ in self.named if text is not None and not listed and self._has(text)}
        condition = Q(source_ip_range=None) | Q(source_address_list=None, source_ip_range__among=Texts(ranges))
        lists = self._lists({listed for text, listed, _ in self.named if text is not None and listed})
        return condition | Q(source_ip_range__isnull=False, source_address_list__among=Numbers(lists))

    def _has(self, text: str) -> bool:
        try:
            return bool(networks(text) & self.addresses)
        except ValueError:
            return False

    def _lists(self, lists: Collection[int]) -> list[int]:
        if not lists:
            return []
        rows = self.viewer.visible(get_resource_type("address_lists")).filter(pk__among=Numbers(lists))
        entries = rows.filter(entries__isnull=False).values_list("pk", "entries")
        return [pk for pk, texts in entries if networks(*texts) & self.addresses]

    @cached_property
    def _holders(self) -> Mapping[Networks, set[int]]:
        """The groups whose members have some of these addresses, by the networks from which rules mean them.

        Without those of whose members not all is known.
        """
        found = set(self._holding().values_list("security_group", "network_port__cloud_network", "provider"))
        confined = confining({provider for *_, provider in found})
        groups = {group for group, *_ in found}
        if not groups:
            return {}
        unknown = with_unknown_members(groups, self.viewer)
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

    def _holding(self) -> QuerySet[Any]:
        """The memberships of the ports with these addresses, with their `provider`."""
        memberships = Membership.objects.connected().filter(network_port__among=Numbers(holding(self.addresses)))
        rows: QuerySet[Any] = memberships.annotate(provider=F("security_group__provider"))
        return rows


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
