"""The guard against deletions because a cloud failed to list something."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

#: How many of the objects to be deleted a message names.
NAMED = 3


class TooManyGone(Exception):
    """So many known objects are gone that the read is probably incomplete."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Stops if more than this `share` of one kind would go, and at least `minimum` objects."""

    share: float
    minimum: int

    @classmethod
    def from_settings(cls) -> Guard:
        return cls(settings.REFRESH_GUARD_SHARE, settings.REFRESH_GUARD_MINIMUM)

    def stops(self, gone: int, total: int) -> bool:
        return gone >= self.minimum and gone > self.share * total
