"""What the tasks of security groups are to do, and what their workers note: see `inventory.arguments`."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

from inventory.arguments import Arguments, Notes, Part, Stored, read
from inventory.drivers.values import Direction
from secgroups.plan import Action

# The groups of an instance


class WantedGroup(Part, frozen=True):
    """A group as somebody named it; where `ems_ref` is null the cloud is asked for the name."""

    name: str
    ems_ref: str | None


class MembershipChange(Arguments, frozen=True):
    """Add or remove a group; `ports` (ems_refs) narrows it to these ports; where there are none it is for all."""

    action: Action
    group: WantedGroup
    ports: tuple[str, ...] = ()


class ChangeNotes(Notes, frozen=True):
    #: Of each port (ems_ref) that may be half done, which groups (ems_ref) it had and had not before.
    undone: dict[str, dict[str, bool]] = {}


def membership_task(stored: Stored) -> MembershipChange:
    """What a task in the queue of an instance is to do. Raises `UnreadableArguments`."""
    return read(stored, MembershipChange, ChangeNotes)


# Groups and rules


class KnownGroup(Part, frozen=True):
    id: str
    name: str
    ems_ref: str


class NewGroup(Part, frozen=True):
    """A group that is to be made; where it is of no tenant or network the cloud chooses."""

    name: str
    description: str | None = None
    tenant_ref: str | None = None
    network_ref: str | None = None


class GroupAttributes(Part, frozen=True):
    """What a group is to have from now on; null is as it was."""

    name: str | None = None
    description: str | None = None


class NewRule(Part, frozen=True):
    """A rule that is to be made: `drivers.values.Rule` without the ref that it will have."""

    group_ref: str
    direction: Direction
    network_protocol: str | None = None
    host_protocol: str | None = None
    port: int | None = None
    end_port: int | None = None
    source_ip_range: str | None = None
    source_group_ref: str | None = None
    description: str | None = None


class KnownRule(Part, frozen=True):
    ref: str
    group_ref: str
    direction: Direction


EditVerb = Literal["create", "edit", "delete"]


class EditArguments(Arguments, frozen=True, tag_field="edit"):
    """An edit of one of a provider's groups or rules; `verb` and `subject` tell it to a person."""

    verb: EditVerb
    subject: str


class GroupCreation(EditArguments, frozen=True, kw_only=True, tag="create_group"):
    verb: EditVerb = "create"
    group: NewGroup


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


class RuleDeletion(EditArguments, frozen=True, kw_only=True, tag="delete_rule"):
    verb: EditVerb = "delete"
    rule: KnownRule


class PlacedGroup(Part, frozen=True):
    """A group as its cloud makes it, and which groups (ems_ref) had its name there before."""

    group: NewGroup
    namesakes: tuple[str, ...]


class EditNotes(Notes, frozen=True):
    #: What is made of a `GroupCreation`, from its first attempt on.
    placed: PlacedGroup | None = None


AnyEdit: TypeAlias = GroupCreation | GroupEdit | GroupDeletion | RuleCreation | RuleDeletion


def edit_task(stored: Stored) -> EditArguments:
    """What a task in the queue of a provider's groups is to do. Raises `UnreadableArguments`."""
    return read(_with_placed(stored), cast("type[EditArguments]", AnyEdit), EditNotes)


def edit_notes(stored: Stored) -> EditNotes:
    return EditNotes.read(_with_placed(stored))


def _with_placed(stored: Stored) -> Stored:
    """What was noted before there was a version: the placed group stood in the place of the one asked for."""
    if "version" in stored or "namesakes" not in stored:
        return stored
    rest = {name: value for name, value in stored.items() if name != "namesakes"}
    group = {name: stored["group"].get(name) for name in NewGroup.__struct_fields__}
    return rest | {"group": group, "placed": {"group": group, "namesakes": stored["namesakes"]}}
