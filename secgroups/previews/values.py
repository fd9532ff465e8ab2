"""What a preview says, apart from how the API shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

from secgroups.analysis.rulebook import Rulebook
from secgroups.previews import messages
from secgroups.traffic.effective import Line

Status = Literal["Ok", "Warn", "Error"]
Kind = Literal["open_to_world", "no_group_left", "locked_out", "limit", "no_effect", "connections_stay", "unknown"]


@dataclass(frozen=True, slots=True)
class Warned:
    """Something to know about a change that would be done all the same."""

    kind: Kind
    message: str


@dataclass(frozen=True, slots=True)
class PortPreview:
    """A port with the refs of its groups before and after; `pk` is None if it is not in the inventory."""

    pk: int | None
    ref: str
    before: Sequence[str]
    after: Sequence[str]


@dataclass(frozen=True, slots=True)
class LineEffect:
    """The effective rules that appear and disappear, and what to know about that."""

    appear: Sequence[Line]
    disappear: Sequence[Line]
    warnings: Sequence[Warned]


@dataclass(frozen=True, slots=True)
class Preview:
    """What becomes of one change.

    `accepted` and `answer` are what the request is answered, `status` and `message` what its task ends with.
    """

    accepted: bool
    answer: str
    status: Status
    message: str
    as_of: datetime | None
    ports: Sequence[PortPreview] = ()
    appear: Sequence[Line] = ()
    disappear: Sequence[Line] = ()
    warnings: Sequence[Warned] = ()

    @classmethod
    def refused(cls, reason: str, as_of: datetime | None) -> Self:
        """The preview of a request that is refused."""
        return cls(False, reason, "Error", reason, as_of, warnings=(Warned("no_effect", messages.NO_EFFECT),))


@dataclass(frozen=True, slots=True)
class Previews:
    """The previews of one request, with the groups and rules that they name.

    `groups` has by ref the ids of the groups on ports, which are negative for those that are not in the inventory.
    Groups that the user may not see have no name in the rulebook.
    """

    changes: Sequence[Preview]
    rulebook: Rulebook
    groups: Mapping[str, int] = field(default_factory=dict)
