"""What a cloud driver is: the values that it speaks and the interface that it implements.

A driver knows no model, no request and no task. It takes and returns the frozen values below, in which every
reference (`ref`, `*_ref`) is the id that the cloud itself uses, and it raises nothing but `CloudError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

PowerState = Literal["on", "off", "paused", "suspended", "unknown"]
Direction = Literal["inbound", "outbound"]
AuthType = Literal["password", "application_credential"]

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


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything a provider has, read at one time."""

    tenants: tuple[Tenant, ...] = ()
    networks: tuple[Network, ...] = ()
    groups: tuple[Group, ...] = ()
    rules: tuple[Rule, ...] = ()
    instances: tuple[Instance, ...] = ()
    ports: tuple[Port, ...] = ()


class CloudError(Exception):
    """The cloud did not do it; `permanent` says that asking again will not help.

    `message` is for a person, `str()` has the id of the request as well, by which the cloud's operators find it.
    """

    permanent = True
    #: The pause before another attempt, in seconds; None leaves it to who asks.
    retry_after: float | None = None

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} (request {self.request_id})" if self.request_id else self.message


class CloudRefused(CloudError):
    """The cloud understood and said no (a limit, another network, a wrong value); nothing was changed."""


class CredentialsRefused(CloudError):
    """The credentials are wrong, have ended, or may not do this."""


class InstanceGone(CloudError):
    """The instance does not exist any more, or is on its way out."""


class InUse(CloudRefused):
    """What was to be deleted is needed by something else, which the message names where the cloud shows it."""


class AlreadyThere(CloudRefused):
    """What was to be made is there already; for a rule, whatever its description says."""


class GroupNotFound(CloudError):
    """The cloud has no such group where it was looked for."""


class RuleNotFound(CloudError):
    """The group has no such rule."""


class Throttled(CloudError):
    """The cloud wants us to slow down; `retry_after` is the pause it asked for, in seconds."""

    permanent = False

    def __init__(self, message: str, *, request_id: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, request_id=request_id)
        self.retry_after = retry_after


class Outdated(CloudError):
    """What was to be written has changed since it was read, and was not written: to be read again at once."""

    permanent = False
    retry_after = 0.0


class CloudUnavailable(CloudError):
    """No answer, or a failure on the cloud's side: whether a write was done is unknown."""

    permanent = False


class Driver(ABC):
    """One connected cloud account. Safe to make and throw away; an SDK is loaded when the first call needs it."""

    #: The short name of the cloud, which is also the `vendor` of its instances.
    vendor: ClassVar[str]
    #: The word for this cloud inside ManageIQ's class names (`ManageIQ::Providers::<namespace>::CloudManager`).
    namespace: ClassVar[str]
    #: Whether groups can be added to and removed from instances; asked before anything is queued.
    supports_security_groups: ClassVar[bool] = True
    #: Whether name and description of a group can be changed; asked before anything is queued.
    supports_group_edits: ClassVar[bool] = True
    #: Whether a group is made in a network (EC2: a VPC), and not in a tenant alone.
    groups_have_networks: ClassVar[bool] = False
    #: Whether deleting a group deletes the rules of other groups that name it.
    rules_end_with_their_source: ClassVar[bool] = False
    #: The port of an endpoint that is given by its host alone; None is that of its protocol.
    default_port: ClassVar[int | None] = None
    #: Fewest groups that the cloud leaves on a port.
    minimum_groups_per_port: ClassVar[int] = 0

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @abstractmethod
    def inventory(self) -> Inventory:
        """Read everything, with as few and as large pages as the cloud allows."""

    @abstractmethod
    def ports(self, instance_ref: str) -> tuple[Port, ...]:
        """Read the ports of one instance as they are now; `InstanceGone` if there is no such instance."""

    @abstractmethod
    def groups_named(self, name: str, ports: Sequence[Port]) -> tuple[Group, ...]:
        """The groups of that name that these ports could be given, as the cloud knows them now."""

    @abstractmethod
    def groups_by_ref(self, refs: Collection[str]) -> tuple[Group, ...]:
        """Those of these groups that exist."""

    @abstractmethod
    def change_groups(self, port: Port, group_refs: Sequence[str]) -> str | None:
        """Make `group_refs` the port's whole list of groups; returns the cloud's request id.

        Raises `CloudRefused` or `GroupNotFound` when the cloud says no and `Outdated` when the port has changed
        since it was read (then nothing was written), and `CloudUnavailable` when that is unknown.
        """

    # Groups and rules themselves. Each write is one request that is sent once: whoever asks for it has to see to
    # a lost answer (`CloudUnavailable`). It returns the cloud's request id, after what it made.

    @abstractmethod
    def placed(self, group: Group) -> Group:
        """A group that is to be made, with the tenant and network that the cloud would choose where none is said.

        Raises `CloudRefused` where there is none to choose, or where the two don't belong together.
        """

    @abstractmethod
    def namesakes(self, group: Group) -> tuple[Group, ...]:
        """The groups of that name in the tenant and network in which a `placed` group is to be made."""

    @abstractmethod
    def create_group(self, group: Group) -> tuple[Group, str | None]:
        """Make a `placed` group; it comes back with its ref. `AlreadyThere` where names are unique."""

    @abstractmethod
    def edit_group(self, ref: str, name: str | None, description: str | None) -> tuple[Group, str | None]:
        """Give a group another name or description, None leaves it; returns the group as it is then."""

    @abstractmethod
    def delete_group(self, ref: str) -> str | None:
        """Delete a group with its rules; `CloudRefused` while it is in use, `GroupNotFound` once it is gone."""

    @abstractmethod
    def rules_of(self, group_ref: str) -> tuple[Rule, ...]:
        """The rules of one group, as they are now; none for a group that does not exist."""

    @abstractmethod
    def create_rule(self, rule: Rule) -> tuple[Rule, str | None]:
        """Let something through; the rule comes back with its ref, in the form in which the cloud keeps it.

        Raises `AlreadyThere`, or `GroupNotFound` for the rule's own group and for its source.
        """

    @abstractmethod
    def delete_rule(self, rule: Rule) -> str | None:
        """Take a rule out of its group; `RuleNotFound` or `GroupNotFound` if there is no such rule any more."""
