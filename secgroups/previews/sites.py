"""What is known of the groups and rules of one provider while edits of them are foreseen, one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from django.db.models import Exists, F, OuterRef, QuerySet

from inventory.drivers.values import Group, Port, Rule
from inventory.models import Provider
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.instance_ports import latest
from secgroups.analysis.ports import with_hidden_ports
from secgroups.models import AddressList, FirewallRule, Membership, SecurityGroup

User = TypeVar("User", Port, str)

#: How many ports are read at most to name them, of all groups together.
PORTS = 1_000


class GroupRow(NamedTuple):
    """A group of the inventory."""

    pk: int
    ref: str
    name: str
    network: int | None
    rules_as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Users(Generic[User]):
    """Whether there are users of a group, some of those that the viewer may see, and whether there are others."""

    exist: bool = False
    visible: Sequence[User] = ()
    has_hidden: bool = False


class Site:
    """What the inventory knows of the groups of one provider that edits name (refs) or create (names).

    It is read when it is first needed, for all groups together.
    """

    #: Why no more can be known.
    failure: Exception | None = None

    def __init__(self, provider: Provider, refs: Collection[str], names: Collection[str], viewer: Viewer) -> None:
        self.provider = provider
        self._refs, self._names, self._viewer = refs, names, viewer
        self._deleted: set[str] = set()
        self._created: list[Group] = []
        self._rules: dict[str, list[Rule]] = {}

    def as_of(self, group: str) -> datetime | None:
        """When a group was read: with all others, or after the last edit of its rules."""
        row = self.groups.get(group)
        return latest(self.provider.last_refresh_date, row.rules_as_of if row else None)

    @cached_property
    def groups(self) -> Mapping[str, GroupRow]:
        rows = SecurityGroup.objects.filter(provider=self.provider, ems_ref__in=self._refs)
        columns = ("pk", "ems_ref", "name", "cloud_network", "rules_as_of")
        return {row.ref: row for row in map(GroupRow._make, rows.values_list(*columns))}

    def has(self, group: str) -> bool:
        return group not in self._deleted and group in self._existing

    @property
    def _existing(self) -> Collection[str]:
        return self.groups.keys()

    def rules(self, group: str) -> list[Rule]:
        """The rules of a group. The edits that are foreseen change the list."""
        if group not in self._rules:
            self._rules[group] = list(self._read_rules(group))
        return self._rules[group]

    def _read_rules(self, group: str) -> Iterable[Rule]:
        return self._stored_rules[group]

    def sizes_of_lists(self, rules: Collection[Rule]) -> Mapping[str, int]:
        """How many rules each list of addresses (ref) counts as, of those that these rules name."""
        refs = {rule.address_list_ref for rule in rules if rule.address_list_ref}
        if not refs:
            return {}
        rows = AddressList.objects.filter(provider=self.provider, ems_ref__in=refs, max_entries__gt=0)
        return dict(rows.values_list("ems_ref", "max_entries"))

    def ports(self, group: str) -> Users[Port]:
        """The ports that have the group."""
        has_hidden = group in self._with_hidden_ports
        return Users(group in self._attached, self._visible_ports[group], has_hidden)

    def referrers(self, group: str) -> Users[str]:
        """The other groups (refs) with a rule that names the group, as far as the inventory knows."""
        referrers = self._referrers[group] - self._deleted
        visible = referrers & self._visible_referrers
        return Users(bool(referrers), sorted(visible), has_hidden=visible != referrers)

    def placed(self, group: Group) -> Group:
        """A new group with its network, as far as that is known."""
        return group

    def has_namesake(self, group: Group) -> bool:
        """Whether a group in the same network has the name; False if the network is not known."""
        if not group.network_ref:
            return False
        others = (*self._namesakes(group), *self._created)
        return any((other.name, other.network_ref) == (group.name, group.network_ref) for other in others)

    def _namesakes(self, group: Group) -> Iterable[Group]:
        return self._stored_namesakes

    def create(self, group: Group) -> None:
        self._created.append(group)

    def delete(self, group: str) -> None:
        self._deleted.add(group)

    @cached_property
    def _stored_rules(self) -> Mapping[str, list[Rule]]:
        rows = FirewallRule.objects.filter(security_group__in=self._pks)
        rules: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in rows.as_values():
            rules[rule.group_ref].append(rule)
        return rules

    @property
    def _pks(self) -> list[int]:
        return [row.pk for row in self.groups.values()]

    @cached_property
    def _attached(self) -> set[str]:
        members = Membership.objects.filter(security_group=OuterRef("pk"))
        rows = SecurityGroup.objects.filter(Exists(members), pk__in=self._pks)
        return set(rows.values_list("ems_ref", flat=True))

    @cached_property
    def _visible_ports(self) -> Mapping[str, list[Port]]:
        rows = self._visible("network_ports").filter(memberships__security_group__in=self._pks)
        rows = rows.order_by("memberships__security_group", "memberships__vm")
        columns = ("memberships__security_group__ems_ref", "ems_ref", "vm__ems_ref")
        ports: defaultdict[str, list[Port]] = defaultdict(list)
        for group, port, instance in rows.values_list(*columns)[:PORTS]:
            ports[group].append(Port(port, instance_ref=instance))
        return ports

    @cached_property
    def _with_hidden_ports(self) -> set[str]:
        hidden = with_hidden_ports("security_groups", self._pks, self._viewer)
        return {row.ref for row in self.groups.values() if row.pk in hidden}

    def _visible(self, collection: str) -> QuerySet[Any]:
        return self._viewer.visible(get_resource_type(collection)).filter(provider=self.provider)

    @cached_property
    def _referrers(self) -> Mapping[str, set[str]]:
        rules = FirewallRule.objects.filter(source_security_group__in=self._pks)
        others = rules.exclude(security_group=F("source_security_group")).order_by()
        referrers: defaultdict[str, set[str]] = defaultdict(set)
        columns = ("source_security_group__ems_ref", "security_group__ems_ref")
        for group, referrer in others.values_list(*columns).distinct():
            referrers[group].add(referrer)
        return referrers

    @cached_property
    def _visible_referrers(self) -> set[str]:
        """The groups with visible rules that name one of the groups."""
        rules = self._visible("firewall_rules").filter(source_security_group__in=self._pks)
        rows = self._visible("security_groups").filter(pk__in=rules.values("security_group"))
        return set(rows.values_list("ems_ref", flat=True))

    @cached_property
    def _stored_namesakes(self) -> tuple[Group, ...]:
        rows = SecurityGroup.objects.filter(provider=self.provider, name__in=self._names)
        return tuple(rows.as_values())
