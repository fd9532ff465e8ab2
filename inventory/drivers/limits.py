"""Limits on the values of a cloud, which `values` declares for each attribute."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, ClassVar

#: Characters that no database can store: NUL in PostgreSQL, lone surrogates in UTF-8.
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"
#: Python also takes an IPv6 scope, and dotted masks, which not all clouds read as it does.
_CIDR = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?")


def storable(text: str) -> str:
    """Replace characters that no database can store with U+FFFD."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


class Limit(ABC):
    """A limit on an attribute. A row with a value that does not fit is left as it was."""

    #: The type of values that fit.
    type: ClassVar[type] = str

    @abstractmethod
    def problem(self, value: Any) -> str | None:
        """Why a value does not fit, to follow the attribute's name; None if it does."""

    @abstractmethod
    def fits_all(self, values: Collection[Any]) -> bool:
        """Whether all of these fit. Raises `TypeError` if one has another type."""


@dataclass(frozen=True, slots=True)
class _Text(Limit):
    #: Maximum length; None for any.
    longest: int | None = None
    shortest: int = 0

    def problem(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return _no("text", value)
        if self.longest is not None and len(value) > self.longest:
            return f"has {len(value)} characters (limit {self.longest})"
        if len(value) < self.shortest:
            return "is empty"
        return "has characters that no database can store" if _UNSTORABLE.search(value) else None

    def fits_all(self, values: Collection[Any]) -> bool:
        text = "".join(values)
        if "\0" in text if text.isascii() else _UNSTORABLE.search(text):
            return False
        if self.shortest and "" in values:
            return False
        return self.longest is None or len(text) <= self.longest or max(map(len, values)) <= self.longest


@dataclass(frozen=True, slots=True)
class Exact(_Text):
    """A text that identifies or decides something, and so is never cut."""


@dataclass(frozen=True, slots=True)
class IpNetwork(Exact):
    """A CIDR, or an address."""

    def problem(self, value: Any) -> str | None:
        return Exact.problem(self, value) or (None if _is_network(value) else "is neither a CIDR nor an address")

    def fits_all(self, values: Collection[Any]) -> bool:
        return Exact.fits_all(self, values) and all(map(_is_network, values))


@dataclass(frozen=True, slots=True)
class Shown(_Text):
    """A text that is only displayed, and cut if it is too long."""

    def cut(self, value: Any) -> str:
        return storable(str(value))[: self.longest]


@dataclass(frozen=True, slots=True)
class Between(Limit):
    """A whole number."""

    type: ClassVar[type] = int
    least: int
    most: int

    def problem(self, value: Any) -> str | None:
        if type(value) is not int:  # True is one as well
            return _no("whole number", value)
        return None if self.least <= value <= self.most else f"is not between {self.least} and {self.most}"

    def fits_all(self, values: Collection[Any]) -> bool:
        return not values or (self.least <= min(values) and max(values) <= self.most)


@dataclass(frozen=True, slots=True)
class OneOf(Limit):
    """One of a few words."""

    choices: tuple[str, ...]

    def problem(self, value: Any) -> str | None:
        return (
            None
            if isinstance(value, str) and value in self.choices
            else f"is not one of {', '.join(self.choices)}"
        )

    def fits_all(self, values: Collection[Any]) -> bool:
        return set(values) <= set(self.choices)


@dataclass(frozen=True, slots=True)
class Flag(Limit):
    """True or false."""

    type: ClassVar[type] = bool

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, bool) else _no("boolean", value)

    def fits_all(self, values: Collection[Any]) -> bool:
        return None not in values


def _is_network(text: str) -> bool:
    if not _CIDR.fullmatch(text):
        return False
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _no(expected: str, value: object) -> str:
    return "is missing" if value is None else f"is not a {expected} but of type {type(value).__name__}"
