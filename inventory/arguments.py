"""What a task is to do, and what its workers noted on the way: the values that `Task.arguments` holds as JSON.

    {"version": 1, "force": false, "scope": {"kind": "instance", "ref": "i-1"}, "subject": "instance web-1",
     "unsure": true}

Both stand side by side there: `Arguments` as they were accepted, and `Notes` as workers add them. Rows outlive an
upgrade. What has no `version` was accepted before there was one, and is read as version 1. Another version, or a
key that this one does not know, is refused: a part of what was asked for would be lost. A change of what is stored
that this code would misread takes another `VERSION`, and the code of that version reads this one as well.

What an app asks of its queues is in its own `arguments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self, TypeVar

import msgspec
from msgspec import Struct

from inventory import messages
from inventory.drivers.values import Kind, Scope

VERSION: Final = 1

#: What the column holds.
Stored = Mapping[str, Any]
Value = TypeVar("Value")


class UnreadableArguments(Exception):
    """This version can't read what a task is to do; `str()` is for a person."""


class Notes(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a worker has to know that takes a task after another one; what is as its default is not noted."""

    #: Whether the cloud may have carried the task out, in whole or in part, without our knowing.
    unsure: bool = False

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return _converted({name: stored[name] for name in cls.__struct_fields__ if name in stored}, cls)


class Arguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a task was accepted to do. A subclass for each kind of task; this one has nothing more to say."""

    version: Literal[1] = VERSION


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """What arguments are made of."""


class RefreshScope(Part, frozen=True):
    """A `drivers.values.Scope`."""

    kind: Kind
    ref: str


class ProviderRefresh(Arguments, frozen=True):
    """Read the inventory of a provider, or what is within `scope`; `subject` is what it is called then."""

    force: bool = False
    scope: RefreshScope | None = None
    subject: str | None = None

    @property
    def within(self) -> Scope | None:
        return Scope(self.scope.kind, self.scope.ref) if self.scope else None


class ProviderDeletion(Arguments, frozen=True):
    """Delete a provider whose deletion was accepted. `TaskQuerySet.deletions` finds these."""

    deletion: bool = True


class DeletionNotes(Notes, frozen=True):
    #: How many rows there were when the deletion began.
    rows: int = 0


def provider_task(stored: Stored) -> ProviderRefresh | ProviderDeletion:
    """What a task in the queue of a provider is to do. Raises `UnreadableArguments`."""
    kind: type[ProviderRefresh | ProviderDeletion] = (
        ProviderDeletion if stored.get("deletion") else ProviderRefresh
    )
    return read(stored, kind, DeletionNotes)


def read(stored: Stored, kind: type[Value], notes: type[Notes]) -> Value:
    """What a task is to do, without its notes, which are of this type. Raises `UnreadableArguments`."""
    version = stored.get("version", VERSION)
    if version != VERSION:
        raise UnreadableArguments(messages.other_version(version, VERSION))
    return _converted({name: stored[name] for name in stored if name not in notes.__struct_fields__}, kind)


def _converted(stored: Stored, kind: type[Value]) -> Value:
    try:
        return msgspec.convert(stored, kind)
    except msgspec.ValidationError as error:
        raise UnreadableArguments(messages.unreadable(error)) from error
