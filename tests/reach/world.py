"""Random inventories in which everything has a name of its own, and links lead across tenants and providers.

What is said of them here is plain Python: nothing asks the database what a user may see.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.contrib.auth.models import Group, User

from inventory.models import (
    CloudNetwork,
    CloudTenant,
    EventStream,
    Grant,
    NetworkPort,
    Provider,
    Task,
    Vm,
)
from secgroups.exposures import settle_exposures
from secgroups.models import AddressList, Exposure, FirewallRule, Membership, PublicPort, SecurityGroup

#: A name that is nowhere else: `Qvms12Q`.
TOKEN = re.compile(r"Q[a-z_]+\d+Q")
TEAMS = 3
#: No row has this id.
GONE = 10**6
RANGES = (None, "0.0.0.0/0", "8.8.8.0/24", "10.0.0.0/8", "::/0")
SERVICES = (("tcp", 22, 22), ("tcp", 22, 443), ("udp", 53, 53), (None, None, None))
#: Relations by a foreign key: the collection, name and column, where it leads, and the relation back, if any.
FOREIGN_KEYS = (
    *(
        (kind, "ext_management_system", "provider_id", "providers", back)
        for kind, back in {
            "cloud_tenants": "cloud_tenants",
            "cloud_networks": "cloud_networks",
            "vms": "vms",
            "security_groups": "security_groups",
            "address_lists": None,
        }.items()
    ),
    ("cloud_networks", "cloud_tenant", "cloud_tenant_id", "cloud_tenants", None),
    ("address_lists", "cloud_tenant", "cloud_tenant_id", "cloud_tenants", None),
    ("vms", "cloud_tenant", "cloud_tenant_id", "cloud_tenants", "vms"),
    ("security_groups", "cloud_tenant", "cloud_tenant_id", "cloud_tenants", "security_groups"),
    ("security_groups", "cloud_network", "cloud_network_id", "cloud_networks", "security_groups"),
    ("network_ports", "cloud_network", "cloud_network_id", "cloud_networks", None),
    ("network_ports", "device", "vm_id", "vms", "network_ports"),
    ("firewall_rules", "security_group", "security_group_id", "security_groups", "firewall_rules"),
    ("firewall_rules", "source_security_group", "source_security_group_id", "security_groups", None),
    ("firewall_rules", "source_address_list", "source_address_list_id", "address_lists", "firewall_rules"),
)
#: How many of each there are, beside providers and tenants.
MANY = {"cloud_networks": 3, "vms": 6, "network_ports": 8, "security_groups": 8, "firewall_rules": 9, "tasks": 4}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a collection: to whom it belongs, and what the API shows of it."""

    pk: int
    provider: int | None
    tenant: int | None
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A relation: where it leads, and the ids there by the id here. One `to_one` leads to one at most."""

    target: str
    to_one: bool
    ids: dict[int, list[int]]

    def of(self, pk: int) -> list[int]:
        return self.ids.get(pk, [])


@dataclass
class World:
    """What is in the database, and what leads to what."""

    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: defaultdict(dict))
    links: dict[str, dict[str, Link]] = field(default_factory=lambda: defaultdict(dict))
    #: The row of each name, and whether the name is one of those that a provider shows to who knows only its name.
    tokens: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    #: The tenants that a group is shared with, and the groups that are shared with all.
    shared_with: dict[int, set[int]] = field(default_factory=dict)
    shared: set[int] = field(default_factory=set)
    owners: dict[int, int | None] = field(default_factory=dict)
    #: The ports of each group, the VM of each port, and the families in which a port is public.
    ports: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    vm_of: dict[int, int | None] = field(default_factory=dict)
    public: set[tuple[int, str]] = field(default_factory=set)
    teams: list[Group] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    members: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def link(
        self, collection: str, name: str, target: str, pairs: Iterable[tuple[int, int | None]], **one: Any
    ) -> None:
        ids: dict[int, list[int]] = defaultdict(list)
        for here, there in sorted({(here, there) for here, there in pairs if there is not None}):
            ids[here].append(there)
        self.links[collection][name] = Link(target, bool(one), dict(ids))


class Builder:
    """Writes a random world into the database, and keeps what it wrote."""

    def __init__(self, random: Random) -> None:
        self.random, self.world, self._number = random, World(), 0
        self.rows: dict[str, list[Any]] = {}

    def token(self, kind: str) -> str:
        self._number += 1
        return f"Q{kind}{self._number}Q"

    def build(self) -> World:
        self._accounts()
        self._places()
        self._machines()
        self._groups()
        for provider in self.rows["providers"]:
            settle_exposures(provider.pk)
        self._keep()
        return self.world

    def _name(self, kind: str) -> str:
        return self.random.choice("aAbB") + self.token(kind)

    def _some(self, kind: str, at: Provider | None = None, *, none: float = 0.0) -> Any:
        """Something of a provider, or of any. A refresh links nothing to another provider."""
        rows = [row for row in self.rows[kind] if at is None or row.provider == at]
        return None if not rows or self.random.random() < none else self.random.choice(rows)

    def _make(self, kind: str, model: Any, values: Iterable[dict[str, Any]]) -> None:
        self.rows[kind] = model.objects.bulk_create([model(**each) for each in values])

    def _accounts(self) -> None:
        random = self.random
        self.world.teams = [Group.objects.create(name=self.token("groups")) for _ in range(TEAMS)]
        self.world.users = [User.objects.create(username=self.token("users")) for _ in range(2)]
        self._make("providers", Provider, (
            {"name": self._name("providers"), "vendor": random.choice(("amazon", "openstack")),
             "hostname": self.token("providers"), "provider_region": self.token("providers")}
            for _ in range(random.randint(2, 3))
        ))  # fmt: skip
        self._make("cloud_tenants", CloudTenant, (
            {"provider": provider, "name": self._name("cloud_tenants"), "ems_ref": self.token("cloud_tenants"),
             "description": random.choice((None, "x"))}
            for provider in self.rows["providers"] for _ in range(random.randint(1, 3))
        ))  # fmt: skip

    def _place(self) -> dict[str, Any]:
        """A provider, and one of its tenants or none."""
        provider = self._some("providers")
        tenants = [tenant for tenant in self.rows["cloud_tenants"] if tenant.provider == provider]
        tenant = self.random.choice(tenants) if self.random.random() < 0.85 else None
        return {"provider": provider, "cloud_tenant": tenant}

    def _places(self) -> None:
        self._make("cloud_networks", CloudNetwork, (
            {**self._place(), "name": self._name("cloud_networks"), "ems_ref": self.token("cloud_networks")}
            for _ in range(MANY["cloud_networks"])
        ))  # fmt: skip
        self._make("address_lists", AddressList, (
            # Rules have what the cloud calls it, whoever may see it.
            {**self._place(), "name": self._name("address_lists"), "ems_ref": f"pl-{number}",
             "entries": self.random.choice((["8.8.4.0/24"], ["9.9.9.0/24", "0.0.0.0/1"], None))}
            for number in range(2)
        ))  # fmt: skip

    def _machines(self) -> None:
        random = self.random
        self._make("vms", Vm, (
            {**self._place(), "name": self._name("vms"), "ems_ref": self.token("vms"), "vendor": "amazon",
             "description": random.choice((None, "x", "y")), "cloud": random.random() < 0.8}
            for _ in range(MANY["vms"])
        ))  # fmt: skip
        self._make("network_ports", NetworkPort, (
            {**(place := self._place()), "name": self._name("network_ports"),
             "ems_ref": self.token("network_ports"),
             "vm": self._some("vms", place["provider"], none=0.2),
             "cloud_network": self._some("cloud_networks", place["provider"], none=0.2),
             "ipaddresses": [f"10.0.0.{number}"],
             "public_ipaddresses": [f"52.0.0.{number}"] if random.random() < 0.4 else []}
            for number in range(1, 1 + MANY["network_ports"])
        ))  # fmt: skip
        families = {port.pk: ["IPV4"] for port in self.rows["network_ports"] if port.public_ipaddresses}
        self.world.public = {(pk, family) for pk, of_port in families.items() for family in of_port}
        PublicPort.objects.bulk_create(
            PublicPort(network_port_id=pk, network_protocol=family) for pk, family in self.world.public
        )
        self._make("tasks", Task, (
            {"name": self.token("tasks"), "queue": "x", "state": "Finished",
             "provider": (provider := random.choice((None, *self.rows["providers"]))),
             "vm": provider and self._some("vms", provider, none=0.3),
             "owner": random.choice((None, *self.world.users))}
            for _ in range(MANY["tasks"])
        ))  # fmt: skip

    def _groups(self) -> None:
        random = self.random
        self._make("security_groups", SecurityGroup, (
            {**(place := self._place()), "name": self._name("security_groups"),
             "ems_ref": self.token("security_groups"),
             "vendor": "amazon", "description": random.choice((None, "x", "y")), "shared": random.random() < 0.15,
             "cloud_network": self._some("cloud_networks", place["provider"], none=0.2)}
            for _ in range(MANY["security_groups"])
        ))  # fmt: skip
        for group in self.rows["security_groups"]:
            shared = [self._some("cloud_tenants", group.provider)] if random.random() < 0.3 else []
            group.shared_with.set(shared)
            self.world.shared_with[group.pk] = {tenant.pk for tenant in shared}
        groups = [self._some("security_groups") for _ in range(MANY["firewall_rules"])]
        self._make("firewall_rules", FirewallRule, (
            {"security_group": group, "provider": group.provider, "ems_ref": self.token("firewall_rules"),
             "description": random.choice((None, self.token("firewall_rules"))),
             "direction": random.choice(("inbound", "inbound", "outbound")),
             **dict(zip(("host_protocol", "port", "end_port"), random.choice(SERVICES), strict=True)),
             **self._other_side(group.provider)}
            for group in groups
        ))  # fmt: skip
        ports = [self._some("network_ports") for _ in range(14)]
        pairs = {(group, port) for port in ports if (group := self._some("security_groups", port.provider))}
        Membership.objects.bulk_create(
            Membership(security_group=group, network_port=port, vm=port.vm)
            for group, port in sorted(pairs, key=lambda pair: (pair[0].pk, pair[1].pk))
        )
        for group, port in pairs:
            self.world.ports[group.pk].add(port.pk)

    def _other_side(self, provider: Provider) -> dict[str, Any]:
        kind, listed = self.random.randrange(3), self._some("address_lists", provider)
        if kind == 0:
            return {"source_security_group": self._some("security_groups", provider)}
        if kind == 1 and listed:
            return {"source_address_list": listed, "source_ip_range": listed.ems_ref}
        return {"source_ip_range": self.random.choice(RANGES)}

    # --- What was written, as plain values ---

    def _keep(self) -> None:
        for kind, rows in self.rows.items():
            for row in rows:
                self._keep_row(kind, row)
        world = self.world
        world.rows["instances"] = {row.pk: world.rows["vms"][row.pk] for row in self.rows["vms"] if row.cloud}
        world.shared = {group.pk for group in self.rows["security_groups"] if group.shared}
        world.vm_of = {port.pk: port.vm_id for port in self.rows["network_ports"]}
        world.owners = {task.pk: task.owner_id for task in self.rows["tasks"]}
        for exposure in Exposure.objects.order_by("pk"):
            provider, tenant = self._owner(exposure.security_group_id)
            names = ("host_protocol", "port", "end_port", "network_protocol", "breadth", "severity")
            values = {name: getattr(exposure, name) for name in names}
            world.rows["exposures"][exposure.pk] = Row(
                exposure.pk, provider, tenant, {"id": exposure.pk, **values}
            )
        self._links()

    def _owner(self, group: int) -> tuple[int | None, int | None]:
        row = self.world.rows["security_groups"][group]
        return row.provider, row.tenant

    def _keep_row(self, kind: str, row: Any) -> None:
        provider = row.pk if kind == "providers" else row.provider_id
        tenant = row.pk if kind == "cloud_tenants" else getattr(row, "cloud_tenant_id", None)
        if kind == "firewall_rules":
            provider, tenant = row.security_group.provider_id, row.security_group.cloud_tenant_id
        if kind == "tasks":
            tenant = row.vm and row.vm.cloud_tenant_id
        names = ("name", "ems_ref", "description", "hostname", "provider_region", "source_ip_range", "direction")
        values = {name: getattr(row, name) for name in names if hasattr(row, name)}
        self.world.rows[kind][row.pk] = Row(row.pk, provider, tenant, {"id": row.pk, **values})
        for name, text in values.items():
            if name != "source_ip_range":
                for token in TOKEN.findall(text or ""):
                    self.world.tokens[token] = (kind, row.pk, name != "name")

    def _links(self) -> None:
        world = self.world
        for kind, name, column, target, back in FOREIGN_KEYS:
            pairs = [(row.pk, getattr(row, column)) for row in self.rows[kind]]
            world.link(kind, name, target, pairs, one=True)
            if back:
                world.link(target, back, kind, ((there, pk) for pk, there in pairs if there is not None))
        on_ports = [(group, port) for group, ports in world.ports.items() for port in ports]
        self._link_both("security_groups", "network_ports", on_ports)
        # A group is on a VM, whichever port has it.
        on_vms = [(group, world.vm_of[port]) for group, port in on_ports]
        self._link_both("security_groups", "vms", [(group, vm) for group, vm in on_vms if vm is not None])
        of_groups = list(Exposure.objects.values_list("pk", "security_group_id"))
        world.link("exposures", "security_group", "security_groups", of_groups, one=True)
        world.link("security_groups", "exposures", "exposures", ((group, pk) for pk, group in of_groups))
        for kind in ("vms", "network_ports"):
            theirs = self.world.links["security_groups"][kind]
            world.link("exposures", kind, kind, ((pk, row) for pk, group in of_groups for row in theirs.of(group)))
        because = Exposure.firewall_rules.through.objects.values_list("exposure_id", "firewallrule_id")
        self._link_both("exposures", "firewall_rules", list(because))
        self._instances()

    def _link_both(self, here: str, there: str, pairs: list[tuple[int, int]]) -> None:
        """Relations of many to many, each called as the collection it leads to."""
        self.world.link(here, there, there, pairs)
        self.world.link(there, here, here, ((other, pk) for pk, other in pairs))

    def _instances(self) -> None:
        """The same links of and to VMs that are instances."""
        links, clouds = self.world.links, self.world.rows["instances"]
        for name, link in list(links["vms"].items()):
            ids = {pk: there for pk, there in link.ids.items() if pk in clouds}
            links["instances"][name] = Link(link.target, link.to_one, ids)
        for kind in ("providers", "cloud_tenants", "security_groups", "exposures"):
            vms = ((pk, vm) for pk, of_one in links[kind]["vms"].ids.items() for vm in of_one)
            self.world.link(kind, "instances", "instances", (pair for pair in vms if pair[1] in clouds))


def give(world: World, random: Random, user: User) -> dict[int, list[tuple[str, int | None, int | None]]]:
    """Random grants for each team, some of which the user is in.

    Returns role, provider and tenant of each grant, by the teams of the user.
    """
    tenants = list(world.rows["cloud_tenants"].values())
    of_teams: dict[int, list[tuple[str, int | None, int | None]]] = {}
    for ready in Grant.objects.all():  # of the groups that come with the installation
        world.rows["grants"][ready.pk] = Row(ready.pk, None, None, {"id": ready.pk, "team": ready.group_id})
    for team in world.teams:
        grants: set[tuple[str, int | None, int | None]] = set()
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            role, tenant = random.choice(("viewer", "operator", "manager", "owner")), random.choice(tenants)
            scopes: list[tuple[int | None, int | None]] = [(tenant.provider, tenant.pk)] * 5
            scopes += [(tenant.provider, None)] * 3 + [
                (None, None),
                (tenant.provider, GONE + tenant.pk),
                (GONE, None),
            ]
            grants.add((role, *random.choice(scopes)))
        for role, provider, place in sorted(grants, key=str):
            made = Grant.objects.create(group=team, role=role, provider_id=provider, cloud_tenant_id=place)
            world.rows["grants"][made.pk] = Row(made.pk, provider, place, {"id": made.pk, "team": team.pk})
        if random.random() < 0.6:
            user.groups.add(team)
            world.members[team.pk].add(user.pk)
            of_teams[team.pk] = sorted(grants, key=str)
    for kind, accounts in (("groups", Group.objects.all()), ("users", User.objects.all())):
        for account in accounts:
            world.rows[kind][account.pk] = Row(account.pk, None, None, {"id": account.pk})
            world.tokens |= dict.fromkeys(TOKEN.findall(str(account)), (kind, account.pk, False))
    return of_teams


def keep_events(world: World) -> None:
    """Take note of the events so far."""
    places = {"ems_id": "providers", "vm_or_template_id": "vms", "security_group_id": "security_groups"}
    places |= {"cloud_tenant_id": "cloud_tenants"}
    for event in EventStream.objects.values("pk", *places):
        pk = event["pk"]
        world.rows["event_streams"][pk] = Row(pk, event["ems_id"], event["cloud_tenant_id"], {"id": pk})
    for name, collection in places.items():
        pairs = EventStream.objects.exclude(**{name: None}).values_list(name, "pk")
        world.link(collection, "event_streams", "event_streams", pairs)
