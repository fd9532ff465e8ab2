"""The values that drivers speak: frozen; each reference (`ref`, `*_ref`) is the id that the cloud itself uses.

The types say what fits into the inventory (`limits`), and `boundary` checks it. A plain `str` is as a `Ref`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Annotated, Literal, TypeVar

from inventory.drivers.limits import Between, Exact, Shown
from inventory.drivers.protocols import protocol_named

#: The cloud's own id of something, and a reference to it.
Id = Annotated[str, Exact(255, shortest=1)]
Ref = Annotated[str, Exact(255)]
#: Texts that people read.
Name = Annotated[str, Shown(256)]
Label = Annotated[str, Shown(255)]
Word = Annotated[str, Shown(64)]
MacAddress = Annotated[str, Shown(32)]
Text = Annotated[str, Shown()]
#: What a rule means, and where something is.
Protocol = Annotated[str, Exact(32, shortest=1)]
Range = Annotated[str, Exact(255, shortest=1)]
Cidr = Annotated[str, Exact(64)]
Address = Annotated[str, Exact(64, shortest=1)]
#: A port, or a type or code of ICMP.
Number = Annotated[int, Between(-1, 65535)]

PowerState = Literal["on", "off", "paused", "suspended", "unknown"]
Direction = Literal["inbound", "outbound"]
AuthType = Literal["password", "application_credential"]
Interface = Literal["public", "internal", "admin"]
Kind = Literal["cloud_tenant", "instance", "security_group"]

#: In `Group.shared_with`: every tenant.
EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a cloud and who to be there; `url` None is the cloud's own public endpoint.

    With the `auth_type` `application_credential` (OpenStack) `userid` is its id and `password` its secret.
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
    #: Which endpoints of the catalog are used (OpenStack).
    interface: Interface = "public"
    #: Seconds to wait for each part of an answer, and for the whole of it.
    timeout: float = 60.0
    answer_time: float = 300.0
    #: Of the largest answer, unpacked, in megabytes.
    answer_size: int = 100
    #: Most entries in one list, on all of its pages.
    list_size: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """Whether credentials may do something; None where the cloud does not tell without it being done.

    `needed` is what a refresh can't do without.
    """

    name: str
    allowed: bool | None
    message: str
    needed: bool = False


def same(ref: str | None, other: str | None) -> bool:
    """Whether both refs are known and equal: what is unknown is never equal to anything."""
    return bool(ref) and ref == other


@dataclass(frozen=True, slots=True)
class Tenant:
    ref: Id
    name: Name
    description: Text | None = None


@dataclass(frozen=True, slots=True)
class Network:
    ref: Id
    name: Name
    cidr: Cidr | None = None
    tenant_ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A security group; `network_ref` is set where the cloud confines a group to one network (EC2: its VPC).

    `shared_with` are the tenants beside its own that may use it, `EVERYBODY` among them for all;
    `associated_network_refs` the networks beside its own in which it may be used.
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
        """Whether a port can have this group: by its network where the cloud confines groups, else by its tenant.

        `confined` says that the cloud does, also of a group whose network is not known.
        """
        if confined or self.network_ref:
            networks = (self.network_ref, *self.associated_network_refs)
            return any(same(port.network_ref, network) for network in networks)
        return self.usable_by(port.tenant_ref)


@dataclass(frozen=True, slots=True)
class Rule:
    """One firewall rule of a group; None for `host_protocol`, `port` and `end_port` means any.

    However its cloud or its file spells the protocol, here it has the one spelling of `protocols`.

    `source_ip_range` is the other side's CIDR. Where the other side is neither a CIDR nor a group of this
    inventory it holds the cloud's own name of it (EC2: a prefix list's id, another account's group), because a
    rule without any source would read as one that lets everybody in.
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

    def __post_init__(self) -> None:
        if isinstance(self.host_protocol, str):  # what is no text at all is for whoever checks values
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
    """A network interface and the refs of its groups; `revision` is what an optimistic write has to name."""

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


#: What belongs to a tenant.
Owned = Network | Group | Instance | Port
OwnedThing = TypeVar("OwnedThing", bound=Owned)


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing of a provider, to be read with what belongs to it.

    To a tenant: all that it owns, with the rules of its groups. To an instance: its ports, and the groups on them
    without their rules. To a group: its rules, and the ports that have it.
    """

    kind: Kind
    ref: str


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value of the cloud that does not fit: it was cut, or else the whole row is `left_out` as it was before.

    `resource` and `attribute` name it for a person; `kind` and `ref` are those of its row. Where the row has no
    `ref` that is a text, nobody knows which row it is.
    """

    kind: type
    ref: str | None
    resource: str
    attribute: str
    problem: str
    left_out: bool

    def __str__(self) -> str:
        outcome = "was left unchanged" if self.left_out else "was cut"
        subject = self.resource if self.left_out else f"{self.attribute} of {self.resource}"
        return f"{subject} {outcome}: {self.attribute} {self.problem}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a provider has, read at one time: everything, or what is within a `Scope`.

    `misfits` says what of it is not as the cloud has it. Who may not see everything is shown a part: of a kind of
    value in `covered` only what these tenants own, of the attributes of groups in `untold` not all. What is not
    here is no evidence beyond that.
    """

    tenants: tuple[Tenant, ...] = ()
    networks: tuple[Network, ...] = ()
    groups: tuple[Group, ...] = ()
    rules: tuple[Rule, ...] = ()
    instances: tuple[Instance, ...] = ()
    ports: tuple[Port, ...] = ()
    misfits: tuple[Misfit, ...] = ()
    covered: Mapping[type, frozenset[str]] = field(default_factory=dict, compare=False)
    untold: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def tenant_refs(self) -> set[str]:
        """Every tenant that is listed, that owns something of this, or that a group is shared with.

        A project that Keystone does not list (deleted, of another domain) still owns what carries its id.
        """
        owned: Iterable[Owned] = chain(self.networks, self.groups, self.instances, self.ports)
        owners = (one.tenant_ref for one in owned)
        shares = (ref for group in self.groups for ref in group.shared_with if ref != EVERYBODY)
        return set(filter(None, chain((tenant.ref for tenant in self.tenants), owners, shares)))

    def within(self, scope: Scope) -> Inventory:
        """What of this belongs to one thing; nothing if that is not here."""
        return replace(self._part(scope), misfits=self.misfits, covered=self.covered, untold=self.untold)

    def _part(self, scope: Scope) -> Inventory:
        match scope.kind:
            case "cloud_tenant":
                groups = _owned(self.groups, scope)
                return Inventory(
                    tuple(tenant for tenant in self.tenants if tenant.ref == scope.ref),
                    _owned(self.networks, scope),
                    groups,
                    self._rules_of(groups),
                    _owned(self.instances, scope),
                    _owned(self.ports, scope),
                )
            case "instance":
                instances = tuple(one for one in self.instances if one.ref == scope.ref)
                ports = tuple(port for port in self.ports if instances and port.instance_ref == scope.ref)
                refs = {ref for port in ports for ref in port.group_refs}
                on_them = tuple(group for group in self.groups if group.ref in refs)
                return Inventory(groups=on_them, instances=instances, ports=ports)
            case "security_group":
                groups = tuple(group for group in self.groups if group.ref == scope.ref)
                ports = tuple(port for port in self.ports if groups and scope.ref in port.group_refs)
                return Inventory(groups=groups, rules=self._rules_of(groups), ports=ports)

    def _rules_of(self, groups: Iterable[Group]) -> tuple[Rule, ...]:
        refs = {group.ref for group in groups}
        return tuple(rule for rule in self.rules if rule.group_ref in refs)


def _owned(things: Iterable[OwnedThing], scope: Scope) -> tuple[OwnedThing, ...]:
    return tuple(thing for thing in things if thing.tenant_ref == scope.ref)
