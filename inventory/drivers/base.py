"""The interface of cloud drivers.

A driver knows no models, requests or tasks. It takes and returns `values`, and raises only `exceptions`. It sends
each request to its cloud once, through its `rate_limiter`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from inventory.drivers import messages
from inventory.drivers.rate_limit import UNLIMITED, RateLimiter
from inventory.drivers.values import Check, Connection, Group, Instance, Inventory, Port, Rule, Scope


class Driver(ABC):
    """A connected cloud account. Creating one is cheap, because the first call loads the SDK."""

    #: The short name of the cloud, its key in `settings.DRIVERS`.
    vendor: ClassVar[str]
    #: The name of the cloud for people.
    title: ClassVar[str]
    #: The attributes of a provider that the form to connect one asks for, and whether each is required.
    asked_for: ClassVar[Mapping[str, bool]]
    #: Whether a provider needs `credentials`.
    needs_credentials: ClassVar[bool] = True
    #: Whether groups can be added to and removed from instances. Checked before a task is queued.
    supports_security_groups: ClassVar[bool] = True
    #: Whether a group's name and description can be changed. Checked before a task is queued.
    supports_group_edits: ClassVar[bool] = True
    #: Whether a group is created in a network (EC2: a VPC) and not just in a tenant. None: the groups tell.
    groups_have_networks: ClassVar[bool | None] = False
    #: Whether deleting a group also deletes other groups' rules that refer to it.
    rules_end_with_their_source: ClassVar[bool] = False
    #: What may stop a connection that the rules allow, in the cloud's own words.
    not_considered: ClassVar[tuple[str, ...]] = ("host firewalls",)
    #: What may use a security group besides ports and rules, in the cloud's own words. It is not read.
    users_not_considered: ClassVar[tuple[str, ...]] = ()
    #: The default port of an endpoint; None means the protocol's.
    default_port: ClassVar[int | None] = None
    #: Minimum number of groups on a port.
    minimum_groups_per_port: ClassVar[int] = 0
    #: Maximum number of groups on a port, unless the cloud has raised it for an account; None for no limit.
    groups_per_port: ClassVar[int | None] = None
    #: The same of a group's rules of one direction and family.
    rules_per_group: ClassVar[int | None] = None
    #: The rules that the cloud usually gives a new group.
    rules_of_new_groups: ClassVar[tuple[Rule, ...]] = ()
    #: What the cloud says of a name that another group in the same network has; None if it takes it.
    name_taken: ClassVar[str | None] = None
    #: What the cloud says of deleting and of renaming a group that is called `default`; None if it takes it.
    default_is_kept: ClassVar[str | None] = None
    default_keeps_name: ClassVar[str | None] = None

    #: Whether its lists may omit existing instances. If so, `remember` is called before it reads.
    leaves_out_instances: ClassVar[bool] = False
    #: The inventory's instances by ref. They fill in for instances that the cloud omits or says little about.
    known_instances: Mapping[str, Instance] = {}

    def __init__(self, connection: Connection, rate_limiter: RateLimiter = UNLIMITED) -> None:
        self.connection = connection
        self.rate_limiter = rate_limiter

    def remember(self, instances: Mapping[str, Instance]) -> None:
        """Set `known_instances`. Called before `inventory` and `inventory_of`."""
        self.known_instances = instances

    @abstractmethod
    def verify(self) -> tuple[Check, ...]:
        """Check what these credentials may do, with new requests that change nothing.

        Raises `CredentialsRefused` for invalid credentials, and other errors if the cloud can't be reached.
        """

    @abstractmethod
    def inventory(self) -> Inventory:
        """Read everything, in pages as large as the cloud allows."""

    def inventory_of(self, scope: Scope) -> Inventory:
        """Read one thing and everything that belongs to it, or nothing if it no longer exists.

        The default reads everything. Drivers override it if their cloud can return less.
        """
        return self.inventory().within(scope)

    def inventory_of_ports(self, refs: Collection[str]) -> Inventory:
        """Read those of these ports that exist, of any instance. The default reads everything."""
        return Inventory(ports=tuple(port for port in self.inventory().ports if port.ref in refs))

    def shows(self, tenant_ref: str | None) -> bool:
        """Whether these credentials can see a tenant's things. If not, a thing may exist without being found."""
        return True

    @abstractmethod
    def ports(self, instance_ref: str) -> tuple[Port, ...]:
        """Read the current ports of one instance. Raises `InstanceGone` if it doesn't exist."""

    def ports_again(self, instance_ref: str) -> tuple[Port, ...]:
        """The same for an instance that existed a moment ago. Some clouds need fewer requests for that."""
        return self.ports(instance_ref)

    @abstractmethod
    def groups_named(self, name: str, ports: Sequence[Port]) -> tuple[Group, ...]:
        """Read the groups with that name that these ports could have."""

    @abstractmethod
    def groups_by_ref(self, refs: Collection[str]) -> tuple[Group, ...]:
        """Read those of these groups that exist."""

    @abstractmethod
    def change_groups(self, port: Port, group_refs: Sequence[str]) -> str | None:
        """Replace the port's groups with `group_refs`. Returns the cloud's request id.

        Raises `CloudRefused` or `GroupNotFound` if the cloud refuses, and `Outdated` if the port has changed since
        it was read. In these cases nothing was written. Raises `CloudUnavailable` if that is unknown.
        """

    # Groups and rules. Each write is one request, sent once. Callers must handle a lost answer
    # (`CloudUnavailable`). A write returns the cloud's request id, after the thing that it created.

    @abstractmethod
    def placed(self, group: Group) -> Group:
        """Complete a new group with the tenant and network that the cloud would choose.

        Raises `CloudRefused` if there is nothing to choose, or if the two don't belong together.
        """

    @abstractmethod
    def namesakes(self, group: Group) -> tuple[Group, ...]:
        """Read the groups that have the name, tenant and network of a `placed` group."""

    @abstractmethod
    def create_group(self, group: Group) -> tuple[Group, str | None]:
        """Create a `placed` group. Returns it with its ref. Raises `AlreadyThere` if names are unique."""

    @abstractmethod
    def edit_group(self, ref: str, name: str | None, description: str | None) -> tuple[Group, str | None]:
        """Change a group's name or description; None leaves it. Returns the changed group."""

    @abstractmethod
    def delete_group(self, ref: str) -> str | None:
        """Delete a group with its rules. Raises `CloudRefused` if it is in use, `GroupNotFound` if it is gone."""

    @staticmethod
    def users(ports: Sequence[Port], groups: Collection[str]) -> str:
        """What `delete_group` says of a group that these ports have, and rules of these groups (refs) name."""
        return messages.users("ports", [messages.port_of(port.ref, port.instance_ref) for port in ports], groups)

    @staticmethod
    def stored_rule(rule: Rule) -> Rule:
        """A new rule as the cloud will store it, without asking. Raises `CloudRefused` if it can't be sent."""
        return rule

    @abstractmethod
    def rules_of(self, group_ref: str) -> tuple[Rule, ...]:
        """Read the rules of one group. A group that doesn't exist has none."""

    @abstractmethod
    def create_rule(self, rule: Rule) -> tuple[Rule, str | None]:
        """Create a rule. Returns it with its ref, as the cloud stores it.

        Raises `AlreadyThere`, and `GroupNotFound` for the rule's own group or its source.
        """

    @abstractmethod
    def delete_rule(self, rule: Rule) -> str | None:
        """Delete a rule. Raises `RuleNotFound` or `GroupNotFound` if it no longer exists."""
