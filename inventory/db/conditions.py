"""Conditions on rows. Each has a shape and values, and a shape is compiled once for all values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any, Literal

from django.db.models import Lookup, Q
from django.db.models.expressions import Combinable

from inventory.db.lookups import Numbers, Texts
from inventory.db.statements import Param

#: Types of values that a compiled query takes as parameters. Any other value is a part of the shape.
_GIVEN = (str, int, tuple, Numbers, Texts)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares a value with an expression. A lookup that is text is a keyword argument of `filter`."""

    lookup: str | type[Lookup[Any]]
    expression: Combinable | None = None

    def q(self, values: Iterator[Any]) -> Q:
        if isinstance(self.lookup, str):
            return Q(**{self.lookup: next(values)})
        return Q(self.lookup(self.expression, next(values)))


@dataclass(frozen=True, slots=True)
class Fixed:
    """A condition without values."""

    condition: Q

    def q(self, values: Iterator[Any]) -> Q:
        return self.condition


@dataclass(frozen=True, slots=True)
class Junction:
    """Joins parts. Without parts, `AND` matches every row and `OR` matches none."""

    connector: Literal["AND", "OR"]
    parts: tuple[Shape, ...]

    def q(self, values: Iterator[Any]) -> Q:
        if not self.parts:
            return Q() if self.connector == "AND" else Q(pk__in=())
        return reduce(and_ if self.connector == "AND" else or_, [part.q(values) for part in self.parts])


@dataclass(frozen=True, slots=True)
class Negation:
    part: Shape

    def q(self, values: Iterator[Any]) -> Q:
        return ~self.part.q(values)


Shape = Comparison | Fixed | Junction | Negation


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on rows. `values` are in the order of their places in the shape.

    `recurs` says that conditions of the same shape are expected, so the compiled query is worth keeping.
    """

    shape: Shape
    values: tuple[Any, ...] = ()
    recurs: bool = True

    def __and__(self, other: Condition) -> Condition:
        return self._with("AND", other)

    def __or__(self, other: Condition) -> Condition:
        return self._with("OR", other)

    def __invert__(self) -> Condition:
        if self is EVERYTHING or self is NOTHING:  # Django's own `~Q()` is everything too
            return NOTHING if self is EVERYTHING else EVERYTHING
        return Condition(Negation(self.shape), self.values, self.recurs)

    def _with(self, connector: Literal["AND", "OR"], other: Condition) -> Condition:
        neutral, absorbing = (EVERYTHING, NOTHING) if connector == "AND" else (NOTHING, EVERYTHING)
        if self is neutral or other is absorbing:
            return other
        if other is neutral or self is absorbing:
            return self
        shape = Junction(connector, (self.shape, other.shape))
        return Condition(shape, self.values + other.values, self.recurs and other.recurs)

    def q(self) -> Q:
        """The condition as a `Q`, with its values."""
        return self.shape.q(iter(self.values))


EVERYTHING = Condition(Junction("AND", ()))
NOTHING = Condition(Junction("OR", ()))


def compare(lookup: str, value: Any) -> Condition:
    """`compare("name__gt", "web")` is `filter(name__gt="web")`."""
    if isinstance(value, bool) or not isinstance(value, _GIVEN):
        # Booleans stay in the shape, because a partial index may depend on one.
        return fixed(Q(**{lookup: value}), recurs=isinstance(value, bool))
    return Condition(Comparison(lookup), (value,))


def compare_by(lookup: type[Lookup[Any]], expression: Combinable, value: Any) -> Condition:
    """`compare_by(Exact, F("name"), "web")` is `filter(Exact(F("name"), "web"))`."""
    if isinstance(value, bool) or not isinstance(value, _GIVEN):
        return fixed(Q(lookup(expression, value)), recurs=isinstance(value, bool))
    return Condition(Comparison(lookup, expression), (value,))


def fixed(condition: Q, *, recurs: bool = False) -> Condition:
    """A condition without separate values, such as a subquery or a list of ids."""
    return Condition(Fixed(condition), recurs=recurs)


def any_of(conditions: Sequence[Condition]) -> Condition:
    return reduce(or_, conditions, NOTHING)


def all_of(conditions: Sequence[Condition]) -> Condition:
    return reduce(and_, conditions, EVERYTHING)


class Params:
    """Replaces each value of conditions with a `Param`, and keeps the values by name."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def of(self, condition: Condition) -> Condition:
        """The same condition, with params in place of its values."""
        if not condition.values:
            return condition
        return Condition(condition.shape, tuple(map(self.add, condition.values)))

    def add(self, value: Any) -> Param:
        name = f"value_{len(self.values)}"
        self.values[name] = value
        return Param(name)
