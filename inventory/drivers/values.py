"""The values that drivers speak: frozen; each reference (`ref`, `*_ref`) is the id that the cloud itself uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from inventory.drivers.protocols import protocol_named

PowerState = Literal["on", "off", "paused", "suspended", "unknown"]
Direction = Literal["inbound", "outbound"]
AuthType = Literal["password", "application_credential"]
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
    #: Seconds to wait for each part of an answer.
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """Whether credentials may do something; None where the cloud does not tell without it being done.

    `needed` is what a refresh can't do without.
    """

    name: str
    allowed: bool | None
    message: str
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Tenant:
    ref: str
    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Network:
    ref: str
    name: str
    cidr: str | None = None
    tenant_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A security group; `network_ref` is set where the cloud confines a group to one network (EC2: its VPC).

    `shared_with` are the tenants beside its own that may use it, `EVERYBODY` among them for all.
    """

    ref: str
    name: str
    description: str | None = None
    tenant_ref: str | None = None
    network_ref: str | None = None
    stateful: bool = True
    shared_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One firewall rule of a group; None for `host_protocol`, `port` and `end_port` means any.

    However its cloud or its file spells the protocol, here it has the one spelling of `protocols`.

    `source_ip_range` is the other side's CIDR. Where the other side is neither a CIDR nor a group of this
    inventory it holds the cloud's own name of it (EC2: a prefix list's id, another account's group), because a
    rule without any source would read as one that lets everybody in.
    """

    ref: str
    group_ref: str
    direction: Direction
    network_protocol: Literal["IPV4", "IPV6"] | None = None
    host_protocol: str | None = None
    port: int | None = None
    end_port: int | None = None
    source_ip_range: str | None = None
    source_group_ref: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.host_protocol, str):  # what is no text at all is for whoever checks values
            object.__setattr__(self, "host_protocol", protocol_named(self.host_protocol))


@dataclass(frozen=True, slots=True)
class Instance:
    """A server; `raw_power_state` is the cloud's own word."""

    ref: str
    name: str
    power_state: PowerState
    raw_power_state: str
    tenant_ref: str | None = None
    flavor_name: str | None = None
    availability_zone_name: str | None = None
    location: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """A network interface and the refs of its groups; `revision` is what an optimistic write has to name."""

    ref: str
    name: str | None = None
    instance_ref: str | None = None
    tenant_ref: str | None = None
    network_ref: str | None = None
    mac_address: str | None = None
    status: str | None = None
    ip_addresses: tuple[str, ...] = ()
    group_refs: tuple[str, ...] = ()
    port_security_enabled: bool = True
    revision: str | None = None


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
class Inventory:
    """What a provider has, read at one time: everything, or what is within a `Scope`."""

    tenants: tuple[Tenant, ...] = ()
    networks: tuple[Network, ...] = ()
    groups: tuple[Group, ...] = ()
    rules: tuple[Rule, ...] = ()
    instances: tuple[Instance, ...] = ()
    ports: tuple[Port, ...] = ()

    def within(self, scope: Scope) -> Inventory:
        """What of this belongs to one thing; nothing if that is not here."""
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
