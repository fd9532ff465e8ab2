"""The arguments of tasks, and the notes of their workers, which `Task.arguments` stores as JSON.

    {"version": 1, "force": false, "scope": {"kind": "instance", "ref": "i-1"}, "subject": "instance web-1",
     "unsure": true}

It has both `Arguments`, as accepted, and `Notes`, as workers add them. Rows outlive an upgrade. Arguments without
a `version` were accepted before versions existed, and are read as version 1. Another version, or an unknown key,
is refused, because a part of the request would be lost. If you change the format so that this code would misread
it, increase `VERSION`, and let the new code read this version as well.

The arguments of each app's queues are in its own module `arguments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from inventory import messages
from inventory.drivers.values import Kind, Scope

VERSION: Final = 1

#: What the column holds.
Stored = Mapping[str, Any]
Value = TypeVar("Value")


class UnreadableArguments(Exception):
    """This version can't read the arguments of a task; `str()` is for people."""


class Notes(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the next worker of a task must know. Defaults are not stored."""

    #: Whether the cloud may have done the task, completely or partly, with an unknown outcome.
    unsure: bool = False

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return _converted({name: stored[name] for name in cls.__struct_fields__ if name in stored}, cls)


class Arguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a task does. Each kind of task has a subclass."""

    version: Literal[1] = VERSION
    #: Set if what the task names may belong to another tenant than its instance, so that whoever may only see the
    #: instance's does not read it. Otherwise not stored, so that workers of an older version can read the rest.
    names_others: Literal[True] | UnsetType = UNSET


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of arguments."""


class RefreshScope(Part, frozen=True):
    """A `drivers.values.Scope`."""

    kind: Kind
    ref: str


class ProviderRefresh(Arguments, frozen=True):
    """Refresh a provider, or what is within `scope`, which messages call `subject`."""

    force: bool = False
    scope: RefreshScope | None = None
    subject: str | None = None

    @property
    def within(self) -> Scope | None:
        return Scope(self.scope.kind, self.scope.ref) if self.scope else None


class ProviderDeletion(Arguments, frozen=True):
    """Delete a disconnected provider. `TaskQuerySet.deletions` finds these."""

    deletion: bool = True


class DeletionNotes(Notes, frozen=True):
    #: How many rows there were when the deletion began.
    rows: int = 0


def without_notes(stored: Stored) -> dict[str, Any]:
    """The arguments of a task as they were accepted."""
    kinds: list[type[Notes]] = [Notes, *Notes.__subclasses__()]
    noted = {name for kind in kinds for name in kind.__struct_fields__}
    return {name: value for name, value in stored.items() if name not in noted}


def provider_task(stored: Stored) -> ProviderRefresh | ProviderDeletion:
    """The arguments of a task in the queue of a provider. Raises `UnreadableArguments`."""
    kind: type[ProviderRefresh | ProviderDeletion] = (
        ProviderDeletion if stored.get("deletion") else ProviderRefresh
    )
    return read(stored, kind, DeletionNotes)


def read(stored: Stored, kind: type[Value], notes: type[Notes]) -> Value:
    """The arguments of a task, without its notes of this type. Raises `UnreadableArguments`."""
    version = stored.get("version", VERSION)
    if version != VERSION:
        raise UnreadableArguments(messages.other_version(version, VERSION))
    return _converted({name: stored[name] for name in stored if name not in notes.__struct_fields__}, kind)


def _converted(stored: Stored, kind: type[Value]) -> Value:
    try:
        return msgspec.convert(stored, kind)
    except msgspec.ValidationError as error:
        raise UnreadableArguments(messages.unreadable(error)) from error
