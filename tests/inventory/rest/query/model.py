"""What `filter[]`, sorting and paging mean, said a second time: over plain dictionaries, as simply as can be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Filter:
    """A filter and what it means: `values` are what its operand says, None for null."""

    name: str
    operator: str
    values: tuple[Any, ...]
    text: str
    alternative: bool = False


@dataclass(frozen=True)
class Query:
    """Everything that is asked of a list at once."""

    filters: list[Filter]
    orders: list[tuple[str, bool]] = field(default_factory=list)
    ignore_case: bool = False
    offset: int = 0
    limit: int = 1000


def answer(rows: Sequence[Row], query: Query) -> list[int]:
    """The ids of the rows on the page."""
    found = [row for row in rows if fits(query.filters, lambda one, row=row: holds(row[one.name], one))]
    found.sort(key=lambda row: row["id"])
    for name, descending in reversed(query.orders):
        found.sort(key=_key(name, query.ignore_case), reverse=descending)
    return [row["id"] for row in found[query.offset : query.offset + query.limit]]


def _key(name: str, ignore_case: bool) -> Callable[[Row], Any]:
    def key(row: Row) -> Any:
        value = row[name]
        if ignore_case and isinstance(value, str):
            value = (
                value.upper().lower().replace("\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}")
            )
        return (value is None, 0 if value is None else value)

    return key


def fits(filters: Sequence[Filter], held: Callable[[Filter], bool]) -> bool:
    """Whether a row fits these filters, of which it is told whether each holds."""
    needed = [one for one in filters if not one.alternative]
    alternatives = [one for one in filters if one.alternative]
    if not filters:
        return True
    return (bool(needed) and all(map(held, needed))) or any(map(held, alternatives))


def holds(value: Any, one: Filter) -> bool:
    """Whether a filter holds for the value of its attribute."""
    match one.operator:
        case "=":
            return any(_equal(value, wanted) for wanted in one.values)
        case "!=":
            return not any(_equal(value, wanted) for wanted in one.values)
        case "==":
            return any(_same(value, wanted) for wanted in one.values)
        case "!==":
            return not any(_same(value, wanted) for wanted in one.values)
        case "=~":
            return value is not None and re.search(one.values[0], value, re.DOTALL) is not None
        case "!~":
            return value is None or re.search(one.values[0], value, re.DOTALL) is None
    if value is None:
        return False
    wanted = one.values[0]
    value = _seen_as(wanted, value)
    return {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[one.operator]


def _seen_as(wanted: Any, value: Any) -> Any:
    """A moment as the day on which it is, where a day is wanted."""
    is_day = isinstance(wanted, date) and not isinstance(wanted, datetime)
    return value.date() if is_day and value is not None else value


def _same(value: Any, wanted: Any) -> bool:
    return bool(_seen_as(wanted, value) == wanted)


def _equal(value: Any, wanted: Any) -> bool:
    """With `*` and `%` for anything, where the value is a text."""
    if not isinstance(value, str) or not isinstance(wanted, str):
        return _same(value, wanted)
    return re.fullmatch(".*".join(map(re.escape, re.split("[*%]", wanted))), value, re.DOTALL) is not None
