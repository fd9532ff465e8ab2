"""The grammar of `filter[]`, and its parser.

filter     = ["or "] attribute operator operand
attribute  = name {"." name}
operator   = "=" | "!=" | "==" | "!==" | "<" | "<=" | ">" | ">=" | "=~" | "!~"     the longest match
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

from inventory.rest import messages
from inventory.rest.errors import BadInput

#: Maximum length of a filter.
MAX_LENGTH = 4000

_FILTER = re.compile(r"(or\s(?=.*\S))?\s*([\w.\-]+)\s*(!==?|[=!]~|[<>=]=?)(.*)", re.DOTALL | re.IGNORECASE)
#: An item and its comma. A quoted item may contain commas, and ends with a quote before a comma.
_LISTED = re.compile(r"""\s*((['"]).*?\2(?=\s*,)|[^,]*?)\s*,""", re.DOTALL)
_NULLS = {"null", "nil"}
_QUOTES = "'\""
_ANY_RUN = str.maketrans("%", "*")


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
        """The operator whose complement this is, or None."""
        return _COMPLEMENTS.get(self)


_COMPLEMENTS = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.NOT_EXACT: Operator.EXACT,
    Operator.MATCHES_NOT: Operator.MATCHES,
}


@dataclass(frozen=True, slots=True)
class Null:
    """The value null."""


@dataclass(frozen=True, slots=True)
class Text:
    """A value without its quotes. Its meaning depends on the attribute."""

    value: str


@dataclass(frozen=True, slots=True)
class ListOperand:
    """Any of these."""

    items: tuple[Null | Text, ...]


Operand = Null | Text | ListOperand


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter; `alternative` if it is ored with the others, `path` the names of the attribute."""

    path: tuple[str, ...]
    operator: Operator
    operand: Operand
    alternative: bool = False


def parse(text: str) -> Filter:
    """Parse one filter. Raises `BadInput`."""
    if len(text) > MAX_LENGTH:
        raise BadInput(messages.filter_too_long(MAX_LENGTH))
    if "\0" in text:
        raise BadInput(messages.NUL_IN_FILTER)
    match = _FILTER.fullmatch(text.strip())
    if not match:
        raise BadInput(messages.unknown_operator(text))
    alternative, path, operator, operand_text = match.groups()
    operand = _operand(operand_text.strip(), text)
    return Filter(tuple(path.split(".")), Operator(operator), operand, alternative is not None)


def pieces(text: str) -> tuple[str, ...]:
    """Split a pattern at its wildcards `*` and `%`."""
    return tuple(text.translate(_ANY_RUN).split("*"))


def _operand(operand_text: str, text: str) -> Operand:
    if not (operand_text.startswith("[") and operand_text.endswith("]")):
        return _item(operand_text)
    items = operand_text[1:-1]
    if not items.strip():
        raise BadInput(messages.empty_list(text))
    return ListOperand(tuple(_item(match[1]) for match in _LISTED.finditer(f"{items},")))


def _item(text: str) -> Null | Text:
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        return Text(text[1:-1])
    return Null() if text.lower() in _NULLS else Text(text)
