"""The values that drivers take and return. Each reference (`ref`, `*_ref`) is the cloud's own id.

The types declare what fits into the inventory (`limits`), and `boundary` checks it. A plain `str` means `Ref`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Annotated, Literal, TypeVar

from inventory.drivers.addresses import EVERY_NETWORK, Networks
from inventory.drivers.limits import Between, Exact, IpNetwork, Shown
from inventory.drivers.protocols import protocol_named

#: The cloud's own id, and a reference to one.
Id = Annotated[str, Exact(255, shortest=1)]
Ref = Annotated[str, Exact(255)]
#: Texts that people read.
Name = Annotated[str, Shown(256)]
Label = Annotated[str, Shown(255)]
Word = Annotated[str, Shown(64)]
MacAddress = Annotated[str, Shown(32)]
Text = Annotated[str, Shown()]
#: Parts of rules and addresses.
Protocol = Annotated[str, Exact(32, shortest=1)]
Range = Annotated[str, Exact(255, shortest=1)]
Cidr = Annotated[str, Exact(64)]
Address = Annotated[str, Exact(64, shortest=1)]
#: A port, or a type or code of ICMP.
Number = Annotated[int, Between(-1, 65535)]
#: A CIDR or an address in a list.
Entry = Annotated[str, IpNetwork(64)]
Count = Annotated[int, Between(0, 2**31 - 1)]

PowerState = Literal["on", "off", "paused", "suspended", "unknown"]
Direction = Literal["inbound", "outbound"]
AuthType = Literal["password", "application_credential"]
Interface = Literal["public", "internal", "admin"]
Kind = Literal["cloud_tenant", "instance", "security_group"]

#: Timeout to connect, in seconds.
CONNECT_TIMEOUT = 5.0
#: In `Group.shared_with`: every tenant.
EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Connection:
    """The address and credentials of a cloud. Without a `url`, the cloud's public endpoint is used.

    For the `auth_type` `application_credential` (OpenStack), `userid` is its id and `password` its secret.
    """

    url: str | None = None
    region: str | None = None
    userid: str = ""
    password: str = field(default="", repr=False)
    verify_ssl: bool = True
    certificate_authority: str | None = None
    project: str | None = None
    domain: str | None = None
    auth_type: AuthType = "password"
    #: The endpoints of the catalog to use (OpenStack).
    interface: Interface = "public"
    #: Timeouts in seconds, for each part of an answer and for the whole.
    timeout: float = 60.0
    answer_time: float = 300.0
    #: Maximum size of an answer in megabytes, decompressed.
    answer_size: int = 100
    #: Maximum number of entries in a list, over all pages.
    list_size: int = 1_000_000
    #: The addresses that it must not lead to.
    networks: Networks = EVERY_NETWORK

    @property
    def connect_timeout(self) -> float:
        """In seconds."""
        return min(CONNECT_TIMEOUT, self.timeout)


@dataclass(frozen=True, slots=True)
class Check:
    """Whether credentials may do something; None if the cloud does not say without doing it.

    `needed` means that a refresh requires it.
    """

    name: str
    allowed: bool | None
    message: str
    needed: bool = False


def same(ref: str | None, other: str | None) -> bool:
    """Whether both refs are known and equal. An unknown ref is not equal to anything."""
    return bool(ref) and ref == other


@dataclass(frozen=True, slots=True)
class Tenant:
    ref: Id
    name: Name
    description: Text | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A network. `peer_refs` are the networks that it is peered with (EC2: VPC peering connections)."""

    ref: Id
    name: Name
    cidr: Cidr | None = None
    tenant_ref: Ref | None = None
    peer_refs: tuple[Id, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A security group. `network_ref` is set if the cloud confines a group to one network (EC2: its VPC).

    `shared_with` are the other tenants that may use it, or `EVERYBODY`. `associated_network_refs` are the other
    networks in which it may be used.
    """

    ref: Id
    name: Name
    description: Text | None = None
    tenant_ref: Ref | None = None
    network_ref: Ref | None = None
    stateful: bool = True
    shared_with: tuple[Id, ...] = ()
    associated_network_refs: tuple[Id, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether every tenant may use it."""
        return EVERYBODY in self.shared_with

    def usable_by(self, tenant_ref: str | None) -> bool:
        """Whether a tenant may use this group, by owning it or because it is shared."""
        tenants = (self.tenant_ref, *self.shared_with)
        return self.shared or any(same(tenant_ref, tenant) for tenant in tenants)

    def fits(self, port: Port, *, confined: bool = False) -> bool:
        """Whether a port can have this group, by its network if the cloud confines groups, else by its tenant.

        `confined` says that the cloud does, even if the group's network is unknown.
        """
        if confined or self.network_ref:
            networks = (self.network_ref, *self.associated_network_refs)
            return any(same(port.network_ref, network) for network in networks)
        return self.usable_by(port.tenant_ref)


@dataclass(frozen=True, slots=True)
class Rule:
    """A firewall rule of a group. None for `host_protocol`, `port` and `end_port` means any.

    `host_protocol` has the spelling of `protocols`, whatever the cloud or the file says.

    `source_ip_range` is the CIDR of the other side. If the other side is neither a CIDR nor a group of this
    inventory, it is the cloud's own name (EC2: the id of a prefix list, another account's group), because a rule
    without a source would read as "from anywhere". If that is the name of an `AddressList`, `address_list_ref` has
    it as well.
    """

    ref: Id
    group_ref: Id
    direction: Direction
    network_protocol: Literal["IPV4", "IPV6"] | None = None
    host_protocol: Protocol | None = None
    port: Number | None = None
    end_port: Number | None = None
    source_ip_range: Range | None = None
    source_group_ref: Id | None = None
    description: Text | None = None
    address_list_ref: Id | None = None

    def __post_init__(self) -> None:
        if isinstance(self.host_protocol, str):  # `boundary` checks other types
            object.__setattr__(self, "host_protocol", protocol_named(self.host_protocol))


@dataclass(frozen=True, slots=True)
class Instance:
    """A server; `raw_power_state` is the cloud's own word."""

    ref: Id
    name: Name
    power_state: PowerState
    raw_power_state: Word
    tenant_ref: Ref | None = None
    flavor_name: Label | None = None
    availability_zone_name: Label | None = None
    location: Label | None = None
    description: Text | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """A network interface with the refs of its groups. `revision` is for compare-and-swap writes.

    `ip_addresses` are all of its addresses. Those in `public_ip_addresses` are translated to it from outside (EC2:
    associations, OpenStack: floating addresses), and are last. With port security, a port may also send from its
    `allowed_address_pairs` (OpenStack), which are addresses or CIDRs.

    `device_owner` says what it belongs to, in the cloud's own word (`compute:nova`, `nat_gateway`). If it is
    `requester_managed`, a service of the cloud manages it, and only that service may write it.
    """

    ref: Id
    name: Name | None = None
    instance_ref: Ref | None = None
    tenant_ref: Ref | None = None
    network_ref: Ref | None = None
    mac_address: MacAddress | None = None
    status: Word | None = None
    ip_addresses: tuple[Address, ...] = ()
    group_refs: tuple[Id, ...] = ()
    port_security_enabled: bool = True
    revision: Ref | None = None
    public_ip_addresses: tuple[Address, ...] = ()
    allowed_address_pairs: tuple[Cidr, ...] = ()
    device_owner: Word | None = None
    requester_managed: bool = False

    def __post_init__(self) -> None:
        addresses, public = self.ip_addresses, self.public_ip_addresses
        if public and isinstance(addresses, tuple) and isinstance(public, tuple):  # `boundary` checks other types
            missing = (address for address in public if address not in addresses)
            object.__setattr__(self, "ip_addresses", (*addresses, *missing))

    @property
    def own_ip_addresses(self) -> tuple[str, ...]:
        """The addresses that it has itself."""
        return tuple(address for address in self.ip_addresses if address not in self.public_ip_addresses)


@dataclass(frozen=True, slots=True)
class AddressList:
    """A list of addresses that rules can name: a prefix list (EC2), or an address group (OpenStack).

    `entries` is None if they are not known, which is not the same as an empty list. A list that AWS itself manages
    has no tenant. `family` and `max_entries`, which counts against a group's limit of rules, are as the cloud says
    (EC2).
    """

    ref: Id
    name: Name
    tenant_ref: Ref | None = None
    family: Literal["IPV4", "IPV6"] | None = None
    max_entries: Count | None = None
    entries: tuple[Entry, ...] | None = None


#: Values that belong to a tenant.
Owned = Network | Group | Instance | Port | AddressList
OwnedThing = TypeVar("OwnedThing", bound=Owned)


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing to read, with what belongs to it.

    Tenant: all that it owns, with the rules of its groups. Instance: its ports, and their groups without rules.
    Group: its rules, and the ports that have it. Rules come with the address lists that they name.
    """

    kind: Kind
    ref: str


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value of the cloud that does not fit.

    It was cut, it is `unknown` now, or the whole row is `left_out` and stays as it was.

    `resource` and `attribute` name it for people. `kind` and `ref` are those of its row. Without a textual `ref`,
    it is unknown which row it is.
    """

    kind: type
    ref: str | None
    resource: str
    attribute: str
    problem: str
    left_out: bool
    unknown: bool = False

    def __str__(self) -> str:
        outcome = "was left unchanged" if self.left_out else "became unknown" if self.unknown else "was cut"
        subject = self.resource if self.left_out else f"{self.attribute} of {self.resource}"
        return f"{subject} {outcome}: {self.attribute} {self.problem}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """The inventory of a provider at one time, complete or within a `Scope`.

    `misfits` has the values that differ from the cloud. Credentials may see only a part: `covered` has, by type,
    the tenants whose things are visible, and `untold` the attributes that are incomplete (`shared_with`,
    `associated_network_refs`, `peer_refs`, `public_ip_addresses`, `entries`). Missing things are only evidence
    within these limits.

    Of address lists it has those that its rules name and that can be read.
    """

    tenants: tuple[Tenant, ...] = ()
    networks: tuple[Network, ...] = ()
    groups: tuple[Group, ...] = ()
    rules: tuple[Rule, ...] = ()
    instances: tuple[Instance, ...] = ()
    ports: tuple[Port, ...] = ()
    address_lists: tuple[AddressList, ...] = ()
    misfits: tuple[Misfit, ...] = ()
    covered: Mapping[type, frozenset[str]] = field(default_factory=dict, compare=False)
    untold: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def tenant_refs(self) -> set[str]:
        """Every tenant that is listed, owns something, or has a group shared with it.

        A project that Keystone does not list (deleted, or in another domain) still owns things with its id.
        """
        things: Iterable[Owned] = chain(self.networks, self.groups, self.instances, self.ports, self.address_lists)
        owners = (thing.tenant_ref for thing in things)
        shares = (ref for group in self.groups for ref in group.shared_with if ref != EVERYBODY)
        return set(filter(None, chain((tenant.ref for tenant in self.tenants), owners, shares)))

    def within(self, scope: Scope) -> Inventory:
        """The part that belongs to one thing; empty if it does not exist."""
        return replace(self._part(scope), misfits=self.misfits, covered=self.covered, untold=self.untold)

    def _part(self, scope: Scope) -> Inventory:
        match scope.kind:
            case "cloud_tenant":
                groups = _owned(self.groups, scope)
                rules = self._rules_of(groups)
                return Inventory(
                    tuple(tenant for tenant in self.tenants if tenant.ref == scope.ref),
                    _owned(self.networks, scope),
                    groups,
                    rules,
                    _owned(self.instances, scope),
                    _owned(self.ports, scope),
                    self._lists_named_by(rules),
                )
            case "instance":
                instances = tuple(instance for instance in self.instances if instance.ref == scope.ref)
                ports = tuple(port for port in self.ports if instances and port.instance_ref == scope.ref)
                refs = {ref for port in ports for ref in port.group_refs}
                groups = tuple(group for group in self.groups if group.ref in refs)
                return Inventory(groups=groups, instances=instances, ports=ports)
            case "security_group":
                groups = tuple(group for group in self.groups if group.ref == scope.ref)
                ports = tuple(port for port in self.ports if groups and scope.ref in port.group_refs)
                rules = self._rules_of(groups)
                lists = self._lists_named_by(rules)
                return Inventory(groups=groups, rules=rules, ports=ports, address_lists=lists)

    def _rules_of(self, groups: Iterable[Group]) -> tuple[Rule, ...]:
        refs = {group.ref for group in groups}
        return tuple(rule for rule in self.rules if rule.group_ref in refs)

    def _lists_named_by(self, rules: Iterable[Rule]) -> tuple[AddressList, ...]:
        refs = address_lists_of(rules)
        return tuple(address_list for address_list in self.address_lists if address_list.ref in refs)


def address_lists_of(rules: Iterable[Rule]) -> set[str]:
    """The refs of the address lists that these rules name."""
    return {rule.address_list_ref for rule in rules if rule.address_list_ref}


def _owned(things: Iterable[OwnedThing], scope: Scope) -> tuple[OwnedThing, ...]:
    return tuple(thing for thing in things if thing.tenant_ref == scope.ref)
