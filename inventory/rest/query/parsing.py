"""What the text of a filter means where a number, a truth value, a time or a UUID is needed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import NamedTuple
from uuid import UUID

from django.utils.dateparse import parse_date, parse_datetime

from inventory.rest import messages
from inventory.rest.errors import BadInput

#: What the databases can hold.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
#: How Ruby and others write the zone.
_UTC = re.compile(r" ?UTC$")


class IntegerBounds(NamedTuple):
    """A number among the whole ones that a database holds: one of them, or between two (None: there is none)."""

    exactly: int | None
    below: int | None
    above: int | None


def parse_integer(name: str, text: str) -> IntegerBounds:
    """`BadInput` for a text that is no decimal number."""
    if not _NUMBER.fullmatch(text):
        raise BadInput(messages.not_a("number", name, text))
    digits, _, fraction = text.lstrip("+-").partition(".")
    number = int(digits)
    between = bool(fraction.strip("0"))
    floor = -number - between if text.startswith("-") else number
    if not between and MIN_INTEGER <= floor <= MAX_INTEGER:
        return IntegerBounds(floor, None, None)
    return IntegerBounds(None, floor if floor >= MIN_INTEGER else None, floor + 1 if floor < MAX_INTEGER else None)


def parse_bool(name: str, text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise BadInput(messages.not_a_boolean(name, text)) from None


class TimeSpan(NamedTuple):
    """The first and the last moment of a day; of a time they are one."""

    first: datetime
    last: datetime


def parse_time(text: str) -> TimeSpan:
    """An ISO 8601 date or time, in UTC where it has no zone; `UTC` may stand for the zone."""
    try:
        if day := parse_date(text):
            return TimeSpan(datetime.combine(day, time.min, UTC), datetime.combine(day, time.max, UTC))
        if moment := parse_datetime(_UTC.sub("Z", text)):
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
            return TimeSpan(moment, moment)
    except (ValueError, OverflowError):
        pass
    raise BadInput(messages.bad_time(text))


def parse_uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadInput(messages.not_a("UUID", name, text)) from None
