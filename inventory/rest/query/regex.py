"""Parses a subset of regular expressions, and rewrites them so that they mean the same in every database.

Nothing depends on the engine: classes are spelled out, `i` becomes both cases of each letter, and groups don't
capture. The size of patterns is limited, so that they are quick to compile. RE2 and PostgreSQL search in time that
only grows with the text. docs/filter.md describes the subset.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from inventory.rest.errors import BadInput

MAX_LENGTH = 1000
#: Maximum number of characters and classes in a pattern with its repeats written out.
MAX_EXPANSION = 1000
#: Maximum count of a repeat, which is PostgreSQL's limit.
MAX_REPEATS = 255
MAX_DEPTH = 20
#: Maximum size of a range if case is ignored.
MAX_WIDTH = 2000

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": " \t\n\r\f\v"}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_SPECIAL = set("\\.^$|()[]{}*+?-")
_QUANTIFIERS = {"?": (0, 1), "*": (0, None), "+": (1, None)}


def translated(literal: str) -> str:
    """Rewrite a `pattern`, `/pattern/` or `/pattern/i` for all engines. Raises `BadInput`."""
    pattern, ignore_case = literal, False
    if literal.startswith("/"):
        pattern, slash, flags = literal[1:].rpartition("/")
        if not slash or flags not in {"", "i"}:
            raise BadInput(f"The regular expression {literal} must end in / or /i")
        ignore_case = bool(flags)
    if len(pattern) > MAX_LENGTH:
        raise BadInput(f"A regular expression may have at most {MAX_LENGTH} characters")
    return _Reader(pattern, ignore_case).read()


@dataclass
class _Reader:
    """Reads a pattern from left to right. Its methods return a rewritten part and its size."""

    pattern: str
    ignore_case: bool
    at: int = field(default=0)
    depth: int = field(default=0)

    def read(self) -> str:
        text, size = self._alternatives()
        if self.at < len(self.pattern):
            raise self._wrong("has an unmatched )")
        if size > MAX_EXPANSION:
            raise self._wrong("is too large: it has too many repeats")
        return text

    def _alternatives(self) -> tuple[str, int]:
        branches = [self._branch()]
        while self._take("|"):
            branches.append(self._branch())
        joined = "|".join(text for text, _ in branches)
        return f"(?:{joined})", sum(size for _, size in branches)

    def _branch(self) -> tuple[str, int]:
        pieces = []
        while self._next() not in {"", "|", ")"}:
            pieces.append(self._piece())
        return "".join(text for text, _ in pieces), sum(size for _, size in pieces)

    def _piece(self) -> tuple[str, int]:
        if anchor := self._take("^") or self._take("$"):
            if self._next() in {*_QUANTIFIERS, "{"}:
                raise self._wrong(f"repeats {anchor}")
            return anchor, 0
        text, size = self._atom()
        repeats = self._repeats()
        if repeats is None:
            return text, size
        if self._next() in {*_QUANTIFIERS, "{"}:
            raise self._wrong(f"has {self._next()} after a repeat")
        least, most = repeats
        bounds = f"{{{least},{'' if most is None else most}}}"
        return f"(?:{text}){bounds}", size * max(least if most is None else most, 1)

    def _atom(self) -> tuple[str, int]:
        char = self._take_any()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class(), 1
        if char == ".":
            return ".", 1
        if char == "\\":
            return self._escape(), 1
        if char in {*_QUANTIFIERS, "{", "}", "]"}:
            raise self._wrong(f"has {char} where nothing is repeated; write \\{char} for the character itself")
        return self._one(char), 1

    def _group(self) -> tuple[str, int]:
        if self._take("?") and not self._take(":"):
            raise self._wrong("has a group of an unsupported kind: (?" + self._next())
        with self._deeper():
            inner = self._alternatives()
        if not self._take(")"):
            raise self._wrong("is missing a )")
        return inner

    def _escape(self) -> str:
        char = self._take_any()
        if char.lower() in _CLASSES:
            return f"[{'^' if char.isupper() else ''}{_CLASSES[char.lower()]}]"
        return self._one(self._escaped(char))

    def _class(self) -> str:
        negated = "^" if self._take("^") else ""
        members = []
        while not self._take("]"):
            members.append(self._member())
        if not members:
            raise self._wrong("has an empty class")
        return f"[{negated}{''.join(members)}]"

    def _member(self) -> str:
        char = self._take_any()
        if char == "[":
            raise self._wrong("has a [ in a class; write \\[ for the character itself")
        if char == "\\" and self._next() in _CLASSES:
            return _CLASSES[self._take_any()]
        first = self._escaped(self._take_any()) if char == "\\" else char
        if self._next() != "-" or self.pattern[self.at + 1 : self.at + 2] in {"]", ""}:
            return "".join(_literal(case) for case in self._cases(first))
        self._take("-")
        end = self._take_any()
        return self._range(first, self._escaped(self._take_any()) if end == "\\" else end)

    def _range(self, first: str, last: str) -> str:
        if last < first or last == "[":
            raise self._wrong(f"has the range {first}-{last}")
        text = f"{_literal(first)}-{_literal(last)}"
        if not self.ignore_case:
            return text
        if ord(last) - ord(first) > MAX_WIDTH:
            raise self._wrong(f"has the range {first}-{last}, which is too wide to ignore case")
        cases = {case for point in range(ord(first), ord(last) + 1) for case in self._cases(chr(point))}
        return text + "".join(_literal(char) for char in sorted(cases) if not first <= char <= last)

    def _escaped(self, char: str) -> str:
        """The character of an escape."""
        if char in _CONTROLS:
            return _CONTROLS[char]
        if not char.isascii() or char.isalnum():
            raise self._wrong(f"has the unsupported escape \\{char}")
        return char

    def _one(self, char: str) -> str:
        cases = self._cases(char)
        return _literal(char) if len(cases) == 1 else f"[{''.join(map(_literal, cases))}]"

    def _cases(self, char: str) -> list[str]:
        """A character and, if case is ignored, its other cases."""
        cases = {char, char.lower(), char.upper(), char.title()} if self.ignore_case else {char}
        return sorted(case for case in cases if len(case) == 1)

    def _repeats(self) -> tuple[int, int | None] | None:
        if self._next() in _QUANTIFIERS:
            return _QUANTIFIERS[self._take_any()]
        if not self._take("{"):
            return None
        bounds, closed, _ = self.pattern[self.at :].partition("}")
        self.at += len(bounds) + 1
        least, comma, most = bounds.partition(",")
        low, high = _count(least), _count(most) if comma and most else None
        if not closed or low is None or (comma and most and high is None):
            raise self._wrong(f"has the repeat {{{bounds}")
        highest = high if comma else low
        if max(low, highest or 0) > MAX_REPEATS or (highest is not None and highest < low):
            raise self._wrong(f"has the repeat {{{bounds}}}, which is not from 0 to {MAX_REPEATS}")
        return low, highest

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._wrong(f"has more than {MAX_DEPTH} groups within each other")
        yield
        self.depth -= 1

    def _next(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self, char: str) -> str:
        """Consume the next character if it is this one."""
        if self._next() != char:
            return ""
        self.at += 1
        return char

    def _take_any(self) -> str:
        char = self._next()
        if not char:
            raise self._wrong("ends too early")
        self.at += 1
        return char

    def _wrong(self, problem: str) -> BadInput:
        return BadInput(f"The regular expression {self.pattern} {problem}")


def _literal(char: str) -> str:
    return f"\\{char}" if char in _SPECIAL else char


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
