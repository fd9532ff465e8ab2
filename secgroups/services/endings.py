"""When what is requested for a while ends."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from secgroups import messages
from secgroups.arguments import Ending

#: The size of each unit, in seconds.
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
DURATION = re.compile("[1-9][0-9]{0,8}[smhd]?")


def duration_of(text: str) -> timedelta:
    """`90s`, `30m`, `2h`, `3d`, or a number of seconds. Raises `ValidationError`."""
    if not DURATION.fullmatch(text):
        raise ValidationError(messages.INVALID_DURATION)
    number = text.rstrip("smhd")
    return timedelta(seconds=int(number) * _UNITS[text[len(number) :]])


def ending_of(
    now: datetime, *, duration: timedelta | None = None, until: datetime | None = None, reason: str | None = None
) -> Ending | None:
    """The end that a request asks for, `now` by the database's clock; None if it asks for none.

    Raises `ValidationError` for both a duration and a time, and for an end that is over or too late.
    """
    if duration is None and until is None:
        if reason:
            raise ValidationError(messages.REASON_WITHOUT_END)
        return None
    if duration is not None and until is not None:
        raise ValidationError(messages.BOTH_ENDS)
    longest: timedelta = settings.EXPIRATION_LIMIT
    if duration is not None and duration > longest:  # before it is added, because it may be too long for a time
        raise ValidationError(messages.too_long(longest))
    end = now + duration if duration is not None else (until or now).astimezone(UTC)
    if end <= now:
        raise ValidationError(messages.IN_THE_PAST)
    if end > now + longest:
        raise ValidationError(messages.too_long(longest))
    return Ending(end, reason or None)


def require_ending(now: datetime, *, duration: timedelta | None = None, until: datetime | None = None) -> datetime:
    """The same where an end is needed."""
    ending = ending_of(now, duration=duration, until=until)
    if ending is None:
        raise ValidationError(messages.NO_END)
    return ending.expires_on


def shown_ending(ending: Ending) -> dict[str, Any]:
    """What a task shows of it in its `context_data`."""
    return {"expires_on": ending.expires_on.isoformat(), "reason": ending.reason}
