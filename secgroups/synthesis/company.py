"""The clouds of a made-up company, as values generated from a seed.

Things are numbered within their cloud. Each group belongs to a service, and its number is the service's rank by
size. A few services have most of a cloud's instances, and the others have a handful each (Zipf's law). The first
groups belong to no service, and are on most instances of their cloud. An instance is in the tenant and the network
of its service.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from secgroups.synthesis.vocabulary import (
    AMAZON,
    COMPONENTS,
    ENVIRONMENTS,
    EVERYWHERE,
    LISTS,
    OPENSTACK,
    STATE_SHARES,
    STATES,
    TEAMS,
    Dialect,
)

_GROUPS_OF_TENANT = 50
_WITH_SECOND_PORT, _WITH_SECOND_SERVICE = 0.25, 0.25
_TO_EVERYBODY, _TO_GROUP = 0.1, 0.3
#: Every so many instances have a public address, and every so many rules name a list of addresses.
_PUBLIC_EVERY, _LISTED_EVERY = 10, 100
#: Things were created within some years after this.
FOUNDED = datetime(2023, 1, 1, tzinfo=UTC)
_YEARS = timedelta(days=3 * 365).total_seconds()


class Size(NamedTuple):
    """The number of things of each kind."""

    instances: int
    groups: int
    rules: int


class Tenant(NamedTuple):
    ref: str
    name: str


class Network(NamedTuple):
    ref: str
    name: str
    cidr: str
    tenant: int


class Group(NamedTuple):
    ref: str
    name: str
    description: str
    tenant: int
    #: Set if the cloud confines groups to a network.
    network: int | None
    shared: bool
    created_on: datetime


class Rule(NamedTuple):
    ref: str
    group: int
    direction: str
    network_protocol: str | None
    port: int
    #: One of the two is set. The range is that of the list, if there is one.
    source_ip_range: str | None
    source_group: int | None
    address_list: int | None


class AddressList(NamedTuple):
    ref: str
    name: str
    tenant: int
    network_protocol: str | None
    max_entries: int | None
    entries: list[str]


class Port(NamedTuple):
    ref: str
    name: str | None
    mac_address: str
    ip_address: str
    public_ip_address: str | None
    groups: tuple[int, ...]


class Instance(NamedTuple):
    ref: str
    guid: UUID
    name: str
    power_state: str
    raw_power_state: str
    flavor_name: str
    availability_zone_name: str
    tenant: int
    network: int
    created_on: datetime
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Cloud:
    """One cloud of the company with this seed."""

    seed: int
    name: str
    dialect: Dialect
    region: str
    #: The first byte of its public addresses. No other cloud of a company has it.
    public_block: int
    size: Size

    @property
    def tenant_count(self) -> int:
        return max(1, self.size.groups // _GROUPS_OF_TENANT)

    @property
    def network_count(self) -> int:
        return self.tenant_count * len(ENVIRONMENTS)

    def tenants(self) -> Iterator[Tenant]:
        rng = self._random("tenants")
        for number in range(self.tenant_count):
            yield Tenant(self.dialect.ref("tenant", rng), _team(number))

    def networks(self) -> Iterator[Network]:
        """A network for each environment of each tenant."""
        rng = self._random("networks")
        for number in range(self.network_count):
            tenant, environment = divmod(number, len(ENVIRONMENTS))
            name = f"{_team(tenant)}-{ENVIRONMENTS[environment]}"
            yield Network(self.dialect.ref("network", rng), name, f"10.{number % 256}.0.0/16", tenant)

    def groups(self) -> Iterator[Group]:
        rng = self._random("groups")
        for number in range(self.size.groups):
            name, tenant, network = self._service(number)
            everywhere = number < len(EVERYWHERE)
            confined = network if self.dialect is AMAZON else None
            yield Group(
                self.dialect.ref("group", rng),
                name,
                f"{'Every team' if everywhere else _team(tenant)}: {name}",
                tenant,
                confined,
                everywhere and confined is None,
                _moment(rng),
            )

    @property
    def address_list_count(self) -> int:
        """Each list is named by some rule."""
        return min(len(LISTS), -(-self.size.rules // _LISTED_EVERY))

    def address_lists(self) -> Iterator[AddressList]:
        rng, has_family = self._random("lists"), self.dialect.lists_have_families
        for name, size in LISTS[: self.address_list_count]:
            block = rng.randrange(256)
            yield AddressList(
                self.dialect.ref("list", rng),
                name,
                0,
                "IPV4" if has_family else None,
                2 * size if has_family else None,
                [f"185.{block}.{number}.0/24" for number in range(size)],
            )

    def rules(self) -> Iterator[Rule]:
        """The rules, with the same number for each group."""
        rng, lists = self._random("rules"), [address_list.ref for address_list in self.address_lists()]
        for number in range(self.size.rules):
            group = number % self.size.groups
            ref, kind = self.dialect.ref("rule", rng), rng.random()
            cidr = "0.0.0.0/0" if kind < _TO_EVERYBODY else f"10.{rng.randrange(256)}.{rng.randrange(256)}.0/24"
            source = self._neighbour(group) if kind > 1 - _TO_GROUP else None
            direction = "outbound" if number % 8 == 7 else "inbound"
            range_ = cidr if source is None else None
            turn, rest = divmod(number, _LISTED_EVERY)
            listed = None if rest else turn % len(lists)
            if listed is not None:
                range_, source = lists[listed], None
            family = "IPV4" if listed is None or not self.dialect.lists_have_families else None
            yield Rule(ref, group, direction, family, self._port(group), range_, source, listed)

    def instances(self) -> Iterator[Instance]:
        rng, dialect = self._random("instances"), self.dialect
        zones = tuple(f"{self.region}{zone}" for zone in "abc")
        flavors, word = dialect.flavors, 1 if dialect is AMAZON else 2
        for number in range(self.size.instances):
            group = self._drawn(rng)
            service, tenant, network = self._service(group)
            name = f"{service}-{number}"
            [state] = rng.choices(STATES, STATE_SHARES)
            yield Instance(
                dialect.ref("instance", rng),
                UUID(int=rng.getrandbits(128), version=4),
                name,
                state[0],
                state[word],
                flavors[group % len(flavors)],
                zones[number % len(zones)],
                tenant,
                network,
                _moment(rng),
                tuple(self._ports(name, number, group, network, rng)),
            )

    def _ports(self, name: str, number: int, group: int, network: int, rng: Random) -> Iterator[Port]:
        """The first port has every group of the instance, and the public address if it has one.

        Some have a second port, with the service's group.
        """
        groups = [index for index, (_, share, _) in enumerate(EVERYWHERE) if rng.random() < share]
        if rng.random() < _WITH_SECOND_SERVICE and (other := self._neighbour(group)) != group:
            groups.append(other)
        count = 2 if rng.random() < _WITH_SECOND_PORT else 1
        for index in range(count):
            address = f"10.{network % 256}.{number >> 8 & 255}.{number & 255}"
            port_name = f"{name}-eth{index}" if self.dialect is OPENSTACK else None
            port_groups = (group, *groups) if index == 0 else (group,)
            public = self._public_address(number) if index == 0 else None
            yield Port(
                self.dialect.ref("port", rng),
                port_name,
                self.dialect.mac_address(rng),
                address,
                public,
                port_groups,
            )

    def _public_address(self, number: int) -> str | None:
        if number % _PUBLIC_EVERY:
            return None
        return f"{self.public_block}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def _drawn(self, rng: Random) -> int:
        """A random service for an instance."""
        services = self.size.groups - len(EVERYWHERE)
        return len(EVERYWHERE) + min(int((services + 1) ** rng.random()), services) - 1

    def _neighbour(self, group: int) -> int:
        """Another service of the same tenant, if there is one."""
        other = group + self.tenant_count
        return other if other < self.size.groups and group >= len(EVERYWHERE) else group

    def _service(self, group: int) -> tuple[str, int, int]:
        """The name of a group, its tenant and its network."""
        tenants = self.tenant_count
        if group < len(EVERYWHERE):
            return EVERYWHERE[group][0], 0, 0
        tenant = group % tenants
        rest, environment = divmod(group // tenants, len(ENVIRONMENTS))
        cycle, component = divmod(rest, len(COMPONENTS))
        name = f"{ENVIRONMENTS[environment]}-{_team(tenant)}-{COMPONENTS[component][0]}{cycle or ''}"
        return name, tenant, tenant * len(ENVIRONMENTS) + environment

    def _port(self, group: int) -> int:
        if group < len(EVERYWHERE):
            return EVERYWHERE[group][2]
        return COMPONENTS[group // self.tenant_count // len(ENVIRONMENTS) % len(COMPONENTS)][1]

    def _random(self, kind: str) -> Random:
        return Random(f"{self.seed} {self.name} {kind}")  # nosec B311  # noqa: S311 - reproducible, not secret


#: Name, kind, region, first byte of public addresses and share of the company. The first groups of the first
#: cloud are on half of all instances.
_CLOUDS = (
    ("private", OPENSTACK, "RegionOne", 185, 0.7),
    ("aws-europe", AMAZON, "eu-central-1", 52, 0.15),
    ("lab", OPENSTACK, "RegionLab", 194, 0.1),
    ("aws-america", AMAZON, "us-east-1", 54, 0.05),
)
#: With this many groups, the smallest cloud has a service.
FEWEST_GROUPS = 60


def company(seed: int, size: Size) -> list[Cloud]:
    """The clouds of a company with this total size, which needs at least `FEWEST_GROUPS` groups."""
    clouds, left = [], size
    for name, dialect, region, public_block, share in reversed(_CLOUDS):
        last = name == _CLOUDS[0][0]
        part = left if last else Size(*(int(share * total) for total in size))
        left = Size(*(total - taken for total, taken in zip(left, part, strict=True)))
        clouds.append(Cloud(seed, name, dialect, region, public_block, part))
    return clouds[::-1]


def _team(tenant: int) -> str:
    cycle, team = divmod(tenant, len(TEAMS))
    return f"{TEAMS[team]}-{cycle + 1}" if cycle else TEAMS[team]


def _moment(rng: Random) -> datetime:
    return FOUNDED + timedelta(seconds=int(rng.random() * _YEARS))
