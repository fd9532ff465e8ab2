"""Parsing numbers, booleans, times and UUIDs in filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import NamedTuple
from uuid import UUID

from django.utils.dateparse import parse_date, parse_datetime

from inventory.rest import messages
from inventory.rest.errors import BadInput

#: The range of the databases.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
#: The zone as Ruby and others write it.
_UTC = re.compile(r" ?UTC$")


class IntegerBounds(NamedTuple):
    """A number relative to the database's integers: equal to one, or between two (None: out of range)."""

    exactly: int | None
    below: int | None
    above: int | None


def parse_integer(name: str, text: str) -> IntegerBounds:
    """Raises `BadInput` unless the text is a decimal number."""
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
    """The first and last moment of a day; for a time, both are equal."""

    first: datetime
    last: datetime


def parse_time(text: str) -> TimeSpan:
    """Parse an ISO 8601 date or time. The default zone is UTC, and the zone may be `UTC`."""
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
