"""The grammar of `filter[]`: from text to a typed condition.

filter     = ["or "] attribute operator operand
attribute  = name {"." name}
operator   = "=" | "!=" | "==" | "!==" | "<" | "<=" | ">" | ">=" | "=~" | "!~"
operand    = null | list | text
null       = "NULL" | "nil"                 any case, without quotes
list       = "[" item {"," item} "]"        without quotes around it
item       = null | text
text       = quote any quote | any          the outer pair of equal quotes is not part of the text
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from inventory.rest.errors import BadInput

#: Longest filter, in characters.
LONGEST = 4000

_ATTRIBUTE = re.compile(r"[\w.\-]*")
_OPERATOR = re.compile(r"\s*([=!<>~]*)")
#: An item and its comma; one in quotes, which may have commas, ends where a quote stands before a comma.
_LISTED = re.compile(r"""\s*((['"]).*?\2(?=\s*,)|[^,]*?)\s*,""", re.DOTALL)
_NULLS = {"null", "nil"}
_QUOTES = "'\""


class Operator(Enum):
    EQUAL = "="
    NOT_EQUAL = "!="
    EXACT = "=="
    NOT_EXACT = "!=="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    MATCHES = "=~"
    MATCHES_NOT = "!~"

    @property
    def opposite(self) -> Operator | None:
        """The operator that this one is the complement of; None for one that says what it means itself."""
        return _COMPLEMENTS.get(self)


_COMPLEMENTS = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.NOT_EXACT: Operator.EXACT,
    Operator.MATCHES_NOT: Operator.MATCHES,
}


@dataclass(frozen=True, slots=True)
class Null:
    """The value that is none."""


@dataclass(frozen=True, slots=True)
class Text:
    """A value as it was written, without its quotes; what it means depends on the attribute."""

    value: str


@dataclass(frozen=True, slots=True)
class Several:
    """Any of these."""

    items: tuple[Null | Text, ...]


Operand = Null | Text | Several


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter; `alternative` if it is ored with the others, `path` the names of the attribute."""

    path: tuple[str, ...]
    operator: Operator
    operand: Operand
    alternative: bool = False


def parse(text: str) -> Condition:
    """Read one filter; `BadInput` says what is wrong with it."""
    if len(text) > LONGEST:
        raise BadInput(f"A filter may have at most {LONGEST} characters")
    if "\0" in text:
        raise BadInput("A filter must not contain NUL characters")
    stripped = text.strip()
    alternative = stripped[:3].lower() == "or " and stripped[3:].strip() != ""
    rest = stripped[3:].lstrip() if alternative else stripped
    path, rest = _taken(_ATTRIBUTE, rest)
    operator, rest = _taken(_OPERATOR, rest)
    try:
        known = Operator(operator.strip())
    except ValueError:
        raise BadInput(f"Unknown operator specified in filter {text}") from None
    if not path:
        raise BadInput(f"No attribute specified in filter {text}")
    return Condition(tuple(path.split(".")), known, _operand(rest.strip(), text), alternative)


def _taken(pattern: re.Pattern[str], text: str) -> tuple[str, str]:
    """What the pattern finds at the beginning, and the rest."""
    found = pattern.match(text)
    end = found.end() if found else 0
    return text[:end], text[end:]


def _operand(written: str, text: str) -> Operand:
    if not (written.startswith("[") and written.endswith("]")):
        return _item(written)
    items = written[1:-1]
    if not items.strip():
        raise BadInput(f"The list is empty in filter {text}")
    return Several(tuple(_item(found[1]) for found in _LISTED.finditer(f"{items},")))


def _item(written: str) -> Null | Text:
    if len(written) > 1 and written[0] == written[-1] and written[0] in _QUOTES:
        return Text(written[1:-1])
    return Null() if written.lower() in _NULLS else Text(written)
