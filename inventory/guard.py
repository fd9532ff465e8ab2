"""What keeps a refresh from deleting what a cloud only failed to show."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

#: How many of those that would go are named.
NAMED = 3


class TooManyGone(Exception):
    """So much of what was known is not there any more that the reading is rather at fault."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Stops where more than a `share` of one kind would go, and at least `minimum` of it."""

    share: float
    minimum: int

    @classmethod
    def from_settings(cls) -> Guard:
        return cls(settings.REFRESH_GUARD_SHARE, settings.REFRESH_GUARD_MINIMUM)

    def stops(self, gone: int, known: int) -> bool:
        return gone >= self.minimum and gone > self.share * known
