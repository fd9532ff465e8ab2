"""The arguments and notes of tasks of security groups; see `inventory.arguments`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias, cast

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from inventory.arguments import Arguments, Notes, Part, Stored, read
from inventory.drivers.values import Direction, Group, Rule
from secgroups.plan import Action


class Ending(Part, frozen=True):
    """When what a task adds or creates is taken back, and why it was asked for."""

    expires_on: datetime
    reason: str | None = None


# The groups of an instance


class WantedGroup(Part, frozen=True):
    """A group as the request names it. If `ems_ref` is null, the cloud looks up the name."""

    name: str
    ems_ref: str | None


class Substitutes(Part, frozen=True):
    """What takes the place of a group on a port, in the same write: the first of these that the port can have.

    If not `always`, only where the port may not be without a group.
    """

    groups: tuple[WantedGroup, ...]
    always: bool = False


class MembershipChange(Arguments, frozen=True):
    """Add or remove a group. `ports` (ems_refs) limits it to these ports; empty means all.

    If it `reverts` a task (id), the ports are those that the task changed. If it is for an `expiration` (id), they
    are those that have the group only until then, and are looked up when the task begins. With `substitutes`,
    other groups take the place of the one that is removed.
    """

    action: Action
    group: WantedGroup
    ports: tuple[str, ...] = ()
    #: Not stored if unset, so that workers of an older version can still read other changes.
    reverts: int | UnsetType = UNSET
    ending: Ending | UnsetType = UNSET
    expiration: int | UnsetType = UNSET
    substitutes: Substitutes | UnsetType = UNSET


class ChangeNotes(Notes, frozen=True):
    #: For each port (ems_ref) that may be half done, which groups (ems_ref) it had or lacked before.
    undone: dict[str, dict[str, bool]] = {}


def membership_task(stored: Stored) -> MembershipChange:
    """The arguments of a task in the queue of an instance. Raises `UnreadableArguments`."""
    return read(stored, MembershipChange, ChangeNotes)


# Groups and rules


class KnownGroup(Part, frozen=True):
    id: str
    name: str
    ems_ref: str


class NewGroup(Part, frozen=True):
    """A group to create. Without a tenant or network, the cloud chooses."""

    name: str
    description: str | None = None
    tenant_ref: str | None = None
    network_ref: str | None = None

    def as_value(self) -> Group:
        return Group(ref="", **asdict(self))


class GroupAttributes(Part, frozen=True):
    """The new attributes of a group; null keeps the old value."""

    name: str | None = None
    description: str | None = None


class NewRule(Part, frozen=True):
    """A rule to create: a `drivers.values.Rule` without a ref."""

    group_ref: str
    direction: Direction
    network_protocol: str | None = None
    host_protocol: str | None = None
    port: int | None = None
    end_port: int | None = None
    source_ip_range: str | None = None
    source_group_ref: str | None = None
    description: str | None = None
    address_list_ref: str | None = None

    def as_value(self) -> Rule:
        return Rule(ref="", **asdict(self))


class KnownRule(Part, frozen=True):
    ref: str
    group_ref: str
    direction: Direction

    def as_value(self) -> Rule:
        return Rule(**asdict(self))


EditVerb = Literal["create", "edit", "delete", "remove", "replace"]


class EditArguments(Arguments, frozen=True, tag_field="edit"):
    """An edit of a group or rule, which may revert a task. Messages are made of `verb` and `subject`."""

    verb: EditVerb
    subject: str
    reverts: int | UnsetType = UNSET


class GroupCreation(EditArguments, frozen=True, kw_only=True, tag="create_group"):
    verb: EditVerb = "create"
    group: NewGroup


class GroupRestoration(GroupCreation, frozen=True, kw_only=True, tag="restore_group"):
    """Create a group again, with its rules. In these, `was` (its old ems_ref) stands for the new group."""

    was: str
    rules: tuple[NewRule, ...]


class GroupEdit(EditArguments, frozen=True, kw_only=True, tag="edit_group"):
    verb: EditVerb = "edit"
    group: KnownGroup
    attributes: GroupAttributes


class GroupDeletion(EditArguments, frozen=True, kw_only=True, tag="delete_group"):
    verb: EditVerb = "delete"
    group: KnownGroup


class RuleCreation(EditArguments, frozen=True, kw_only=True, tag="create_rule"):
    verb: EditVerb = "create"
    rule: NewRule
    #: Not stored if unset, as above.
    ending: Ending | UnsetType = UNSET


class RuleDeletion(EditArguments, frozen=True, kw_only=True, tag="delete_rule"):
    verb: EditVerb = "delete"
    rule: KnownRule


class RuleEnding(EditArguments, frozen=True, kw_only=True, tag="end_rule"):
    """Delete the rule of an `expiration` (id), which is looked up when the task begins."""

    verb: EditVerb = "delete"
    group_ref: str
    expiration: int


class PortDetachment(EditArguments, frozen=True, kw_only=True, tag="detach_port"):
    """Remove a group from a port (its ems_ref) that belongs to no instance."""

    group: KnownGroup
    port: str
    substitutes: Substitutes


class RuleDetachment(EditArguments, frozen=True, kw_only=True, tag="detach_rules"):
    """Let the rules of a group no longer name another one (`source`).

    With a `substitute`, each of these rules first gets a twin that names it. Unless it `deletes`, that is all.
    """

    group: KnownGroup
    source: KnownGroup
    substitute: KnownGroup | None = None
    deletes: bool = True


class PlacedGroup(Part, frozen=True):
    """A group to create, completed by its cloud, and the groups (ems_ref) that already have its name there."""

    group: NewGroup
    namesakes: tuple[str, ...]


class EditNotes(Notes, frozen=True):
    #: The completed group of a `GroupCreation`, set before its first attempt.
    placed: PlacedGroup | None = None
    #: Whether there was such a rule before the first attempt of a `RuleCreation` with an end.
    existed: bool | None = None


AnyEdit: TypeAlias = (
    GroupCreation
    | GroupRestoration
    | GroupEdit
    | GroupDeletion
    | RuleCreation
    | RuleDeletion
    | RuleEnding
    | PortDetachment
    | RuleDetachment
)


def edit_task(stored: Stored) -> EditArguments:
    """The arguments of a task in the queue of a provider's groups. Raises `UnreadableArguments`."""
    return read(_with_placed(stored), cast("type[EditArguments]", AnyEdit), EditNotes)


def edit_notes(stored: Stored) -> EditNotes:
    return EditNotes.read(_with_placed(stored))


def _with_placed(stored: Stored) -> Stored:
    """Convert the format without a version, in which the placed group replaced the requested one."""
    if "version" in stored or "namesakes" not in stored:
        return stored
    rest = {name: value for name, value in stored.items() if name != "namesakes"}
    group = {name: stored["group"].get(name) for name in NewGroup.__struct_fields__}
    return rest | {"group": group, "placed": {"group": group, "namesakes": stored["namesakes"]}}
