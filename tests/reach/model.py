"""What grants reach and what a list then shows, said a second time: over the plain values of a `World`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from secgroups.traffic.services import Service
from secgroups.traffic.severity import Holder, severity
from tests.inventory.rest.query.model import Filter, Query, answer, fits, holds
from tests.reach.world import Row, World

#: The attributes that the random queries filter and sort by. The totals count what a relation leads to.
TEXTS = {
    "providers": ("name", "hostname", "provider_region"),
    "cloud_tenants": ("name", "ems_ref", "description"),
    "cloud_networks": ("name", "ems_ref"),
    "vms": ("name", "ems_ref", "description"),
    "instances": ("name", "ems_ref", "description"),
    "network_ports": ("name", "ems_ref"),
    "security_groups": ("name", "ems_ref", "description"),
    "firewall_rules": ("ems_ref", "description", "source_ip_range"),
    "address_lists": ("name", "ems_ref"),
    "exposures": ("severity",),
    "tasks": ("name",),
    "event_streams": (),
    "grants": (),
}
TOTALS = {
    "providers": {"total_vms": "vms", "total_security_groups": "security_groups"},
    "cloud_tenants": {"total_vms": "vms", "total_security_groups": "security_groups"},
    "vms": {"total_security_groups": "security_groups"},
    "instances": {"total_security_groups": "security_groups"},
    "security_groups": {"total_vms": "vms", "total_firewall_rules": "firewall_rules"},
    "exposures": {"total_vms": "vms", "total_public_vms": "public_vms"},
}
NEWEST_FIRST = {"event_streams"}
#: What is shown of a provider of which only a tenant is reached.
NAMED = {"id", "name"}
#: These say themselves what is everybody's own.
WITHOUT_PERMISSION = {"tasks", "users", "groups"}

Grants = list[tuple[str, int | None, int | None]]


@dataclass(frozen=True)
class Reach:
    """What a user reaches: `providers` as a whole, and `tenants`, by grants or by Django's permissions."""

    world: World
    user: int | None
    everything: bool = False
    providers: frozenset[int] = frozenset()
    tenants: frozenset[int] = frozenset()
    #: The providers of the tenants.
    named: frozenset[int] = frozenset()
    #: Whether anything at all may be viewed.
    views: bool = True
    is_superuser: bool = False
    #: What they own, for grants; None if they own nothing.
    owned: Reach | None = field(default=None, compare=False)

    @classmethod
    def by(cls, world: World, user: int, grants: Grants) -> Reach:
        owned = [grant for grant in grants if grant[0] == "owner"]
        reach = cls._of(world, user, grants)
        return cls(**{**vars(reach), "owned": cls._of(world, user, owned) if owned else None})

    @classmethod
    def _of(cls, world: World, user: int, grants: Grants) -> Reach:
        tenants = [(provider, tenant) for _, provider, tenant in grants if tenant is not None]
        return cls(
            world,
            user,
            everything=any(provider is None for _, provider, _ in grants),
            providers=frozenset(provider for _, provider, tenant in grants if provider and tenant is None),
            tenants=frozenset(tenant for _, tenant in tenants),
            named=frozenset(provider for provider, _ in tenants if provider),
            views=bool(grants),
        )

    def may_list(self, collection: str) -> bool:
        if collection == "grants":
            return self.owned is not None
        return self.views or collection in WITHOUT_PERMISSION

    def sees(self, collection: str, pk: int) -> bool:
        row = self.world.rows[collection].get(pk)
        if row is None or not self.may_list(collection):
            return False
        match collection:
            case "tasks":
                owns = self.world.owners[pk] == self.user
                return owns or (self.views and self._includes(row))
            case "grants":
                return self.owned is not None and self.owned._includes(row)
            case "users":
                return self.user == pk or self.is_superuser
            case "groups":
                return self.user in self.world.members[pk] or self.is_superuser or self._owns_a_grant_of(pk)
            case "providers":
                return self._includes(row) or pk in self.named
            case "security_groups":
                return self._includes(row) or self._is_shared(pk)
            case "firewall_rules":
                [group] = self.world.links[collection]["security_group"].of(pk)
                return self._includes(row) or self._is_shared(group)
            case "exposures":
                [group] = self.world.links[collection]["security_group"].of(pk)
                return (self._includes(row) or self._is_shared(group)) and not self._is_of_hidden_lists(pk)
        return self._includes(row)

    def sees_whole(self, collection: str, pk: int) -> bool:
        """Whether every attribute of it is shown."""
        return self.sees(collection, pk) and (collection != "providers" or self.everything or pk in self.providers)

    def _owns_a_grant_of(self, group: int) -> bool:
        grants = (pk for pk, row in self.world.rows["grants"].items() if row.values["team"] == group)
        return any(self.sees("grants", pk) for pk in grants)

    def _includes(self, row: Row) -> bool:
        return self.everything or row.provider in self.providers or row.tenant in self.tenants

    def _is_shared(self, group: int) -> bool:
        with_all = group in self.world.shared and self.world.rows["security_groups"][group].provider in self.named
        return with_all or not self.tenants.isdisjoint(self.world.shared_with[group])

    def _is_of_hidden_lists(self, exposure: int) -> bool:
        """Whether it would show what is in an address list outside, and nothing else."""
        if self.everything or not self.tenants:
            return False
        links, hidden = self.world.links, False
        for rule in links["exposures"]["firewall_rules"].of(exposure):
            lists = links["firewall_rules"]["source_address_list"].of(rule)
            text = self.world.rows["firewall_rules"][rule].values["source_ip_range"]
            if not lists and text in (None, "0.0.0.0/0", "::/0"):
                return False
            hidden |= any(not self.sees("address_lists", pk) for pk in lists)
        return hidden

    def rows(self, collection: str) -> list[int]:
        return [pk for pk in sorted(self.world.rows[collection]) if self.sees(collection, pk)]

    def related(self, collection: str, name: str, pk: int) -> list[int]:
        if name == "public_vms":
            return self._public_vms(pk)
        link = self.world.links[collection][name]
        return [there for there in link.of(pk) if self.sees(link.target, there)]

    def _public_vms(self, exposure: int) -> list[int]:
        family = self.world.rows["exposures"][exposure].values["network_protocol"]
        ports = self.related("exposures", "network_ports", exposure)
        vms = {self.world.vm_of[port] for port in ports if (port, family) in self.world.public}
        return [vm for vm in vms if vm is not None and self.sees("vms", vm)]

    def value(self, collection: str, pk: int, name: str) -> Any:
        """What an attribute shows."""
        if name not in NAMED and not self.sees_whole(collection, pk):
            return None
        if collection == "exposures" and name == "severity":
            return self._severity(pk)
        if relation := TOTALS.get(collection, {}).get(name):
            return len(self.related(collection, relation, pk))
        return self.world.rows[collection][pk].values[name]

    def _severity(self, exposure: int) -> str:
        """By those of the ports with the group that are seen."""
        values = self.world.rows["exposures"][exposure].values
        ports = self.related("exposures", "network_ports", exposure)
        public = any((port, values["network_protocol"]) in self.world.public for port in ports)
        holder: Holder = "public" if public else "private" if ports else "nothing"
        service = Service(values["host_protocol"], values["port"], values["end_port"])
        return severity(service, values["breadth"], holder)

    def sees_token(self, token: str) -> bool:
        collection, pk, is_more_than_a_name = self.world.tokens[token]
        return (self.sees_whole if is_more_than_a_name else self.sees)(collection, pk)


@dataclass(frozen=True)
class Asked:
    """A list, perhaps below a parent, and what is asked of it."""

    collection: str
    query: Query
    parent: tuple[str, int, str] | None = None
    is_expanded: bool = True
    attributes: tuple[str, ...] = ()
    embedded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    count: int
    matching: int
    pages: int
    ids: list[int]


def page(reach: Reach, asked: Asked) -> Page:
    """What a list has for somebody."""
    ids = reach.rows(asked.collection)
    if asked.parent:
        collection, pk, name = asked.parent
        ids = sorted(set(ids) & set(reach.related(collection, name, pk)))
    matching = [pk for pk in ids if fits(asked.query.filters, holding(reach, asked.collection, pk))]
    names = {name for name, _ in asked.query.orders}
    rows = [{"id": pk, **{name: reach.value(asked.collection, pk, name) for name in names}} for pk in matching]
    query = asked.query
    if asked.collection in NEWEST_FIRST and not query.orders:
        rows = [{"id": row["id"], "newest": -row["id"]} for row in rows]
        query = Query([], [("newest", False)], offset=query.offset, limit=query.limit)
    shown = answer(rows, Query([], query.orders, query.ignore_case, query.offset, query.limit))
    return Page(len(ids), len(matching), -(-len(matching) // query.limit), shown)


def holding(reach: Reach, collection: str, pk: int) -> Callable[[Filter], bool]:
    """Whether a filter holds for a row. What is not seen is not there: a missing resource has only nulls."""

    def held(one: Filter) -> bool:
        relation, _, name = one.name.rpartition(".")
        if not relation:
            return holds(reach.value(collection, pk, name), one)
        link = reach.world.links[collection][relation]
        values: Sequence[Any] = [
            reach.value(link.target, there, name) for there in reach.related(collection, relation, pk)
        ]
        return any(holds(value, one) for value in values or ([None] if link.to_one else []))

    return held
