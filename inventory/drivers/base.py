"""What a cloud driver is: the interface that it implements.

A driver knows no model, no request and no task. It takes and returns `values`, and raises only `exceptions`.
Each request to its cloud is sent by its `rate_limiter`, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from inventory.drivers.rate_limit import UNLIMITED, RateLimiter
from inventory.drivers.values import Check, Connection, Group, Instance, Inventory, Port, Rule, Scope


class Driver(ABC):
    """One connected cloud account. Safe to make and throw away; an SDK is loaded when the first call needs it."""

    #: The short name of the cloud, as `settings.DRIVERS` has it.
    vendor: ClassVar[str]
    #: What people call it.
    title: ClassVar[str]
    #: The attributes of a provider that a form asks for to connect one, and whether it can't do without.
    asked_for: ClassVar[Mapping[str, bool]]
    #: Whether there is somebody to be at the cloud: else a provider needs no `credentials`.
    needs_credentials: ClassVar[bool] = True
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

    #: Whether its lists may leave out instances that are there: it is told before it reads which are known.
    leaves_out_instances: ClassVar[bool] = False
    #: What the inventory has, by ref: an instance that the cloud says little or nothing about stays as it is here.
    known_instances: Mapping[str, Instance] = {}

    def __init__(self, connection: Connection, rate_limiter: RateLimiter = UNLIMITED) -> None:
        self.connection = connection
        self.rate_limiter = rate_limiter

    def remember(self, instances: Mapping[str, Instance]) -> None:
        """Take the instances that the inventory has, by ref, before `inventory` or `inventory_of`."""
        self.known_instances = instances

    @abstractmethod
    def verify(self) -> tuple[Check, ...]:
        """What these credentials may do here, asked of the cloud anew and without changing anything.

        Raises `CredentialsRefused` where they are none, and whatever keeps the cloud from being asked.
        """

    @abstractmethod
    def inventory(self) -> Inventory:
        """Read everything, with as few and as large pages as the cloud allows."""

    def inventory_of(self, scope: Scope) -> Inventory:
        """Read one thing with what belongs to it: nothing if it is not there any more.

        This reads everything. A cloud that can be asked for less has a driver that does.
        """
        return self.inventory().within(scope)

    def inventory_of_ports(self, refs: Collection[str]) -> Inventory:
        """Read those of these ports that exist, whosever they are, and nothing else. As above."""
        return Inventory(ports=tuple(port for port in self.inventory().ports if port.ref in refs))

    def shows(self, tenant_ref: str | None) -> bool:
        """Whether what a tenant owns is shown to these credentials: else it is not gone for not being found."""
        return True

    @abstractmethod
    def ports(self, instance_ref: str) -> tuple[Port, ...]:
        """Read the ports of one instance as they are now; `InstanceGone` if there is no such instance."""

    def ports_again(self, instance_ref: str) -> tuple[Port, ...]:
        """The same of an instance that was there a moment ago, which some clouds say in fewer requests."""
        return self.ports(instance_ref)

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
