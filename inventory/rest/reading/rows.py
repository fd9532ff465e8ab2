"""Which rows a read is of. The same is asked again and again with other values, so its SQL is made once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

from django.db.models import Exists, F, Q, QuerySet, Subquery, TextField, Value
from django.db.models.expressions import Combinable, OrderBy
from django.db.models.functions import Cast
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, IsNull, LessThan, LessThanOrEqual

from inventory.db.expressions import Like, Regex
from inventory.db.statements import CompiledQuery, Param
from inventory.rest.query.sorting import BY_ID
from inventory.rest.resources import ResourceType, Subcollection

#: What a query selects, as `values_list()` takes it.
Sources = tuple[str | Combinable, ...]

#: Instead of values, how many there are, and instances.
_COUNTED: Sources = ("count",)
_INSTANCES: Sources = ("instances",)

_EVERYTHING = Q()
#: What tells one row from others, or few. In the tables that grow with the inventory those that share one stand in
#: its index in the order of pages (`inventory.models.base`), so that the plan for few is also the one for many.
_TELLING = frozenset({"pk", "guid", "ems_ref", "uid_ems", "name", "mac_address"})
#: The ends of keyword arguments whose values are compared as they are, and the lookups of which that holds.
_COMPARED = frozenset({"exact", "lt", "lte", "gt", "gte"})
_COMPARISONS = (Exact, GreaterThan, GreaterThanOrEqual, IsNull, LessThan, LessThanOrEqual)


@dataclass(frozen=True, slots=True)
class Parent:
    """What stands above a subcollection: the resource of this id, if it is among what the user may see."""

    resource_type: ResourceType
    visible: QuerySet[Any]
    subcollection: Subcollection
    pk: Any

    def rows(self) -> QuerySet[Any]:
        return self.visible.filter(pk=self.pk)

    def below(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of these rows that belong to it, whether or not it is there."""
        return self.subcollection.of(rows, self.pk)


class Total:
    """How many rows there are, on all pages; a page that is read for it brings that along, where it is kept."""

    def __init__(self, rows: RowQuery) -> None:
        self._rows = rows
        self.brought: int | None = None

    def number(self) -> int:
        return self._rows.count() if self.brought is None else self.brought


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Rows of a collection that a user may see: below a parent, under a condition, in an order, so many.

    `visible` is what the user may see of the rows. There are none below a parent that is not there. Where it is
    given, `total` is told the number of those without the condition.
    """

    resource_type: ResourceType
    visible: QuerySet[Any]
    parent: Parent | None = None
    where: Q = _EVERYTHING
    order: tuple[str | OrderBy, ...] = BY_ID
    offset: int = 0
    limit: int | None = None
    total: Total | None = None

    def filter(self, *conditions: Any, **lookups: Any) -> Self:
        """Those of which this holds too, as a queryset would have it."""
        return replace(self, where=self.where & Q(*conditions, **lookups))

    def rows(self) -> QuerySet[Any]:
        """As a queryset."""
        rows = self._on_all_pages().order_by(*self.order)
        if self.parent:
            rows = rows.filter(Exists(self.parent.rows()))
        if not self.offset:
            return rows[: self.limit]
        # First the ids alone: what is skipped then costs an entry of an index, and no row.
        ids = rows[self.offset : self.offset + self.limit if self.limit else None].values("pk")
        everything: QuerySet[Any] = self.resource_type.queryset
        return everything.filter(pk__in=ids).order_by(*self.order)

    def _on_all_pages(self) -> QuerySet[Any]:
        rows = self.parent.below(self.visible) if self.parent else self.visible
        return rows.filter(self.where) if self.where else rows

    def count(self) -> int:
        """How many there are, on all pages; the parent is taken to be there."""
        kept = self._kept(_COUNTED)
        if kept is None:
            return self._on_all_pages().count()
        read, values = kept
        return sum(number for (number,) in read(**values))  # of what no row can be not even that is asked

    def values(self, sources: Sources) -> Iterable[Sequence[Any]] | None:
        """Their values, by a query that is kept; None where it is not of the kind that comes again.

        Each may have one more, the total.
        """
        kept = None if self.offset or self.order != BY_ID else self._kept(sources)
        if kept is None:
            return None
        read, values = kept
        found = read(**values)
        if self.total is None:
            return found
        rows = list(found)
        if rows and len(rows[0]) > len(sources):
            self.total.brought = int(rows[0][-1])
        return rows

    def ids(self) -> list[int]:
        found = self.values(BY_ID)
        return list(self.rows().values_list("pk", flat=True)) if found is None else [row[0] for row in found]

    def one(self) -> Any:
        """The instance of a single row; None if there is none."""
        kept = self._kept(_INSTANCES)
        if kept is None:
            return self.rows().first()
        read, values = kept
        return next(iter(read.instances(**values)), None)

    def _kept(self, sources: Sources) -> tuple[CompiledQuery, Mapping[str, Any]] | None:
        """What reads this, and with which values."""
        seen = (self, self.parent) if self.parent else (self,)
        if any(one.visible is not one.resource_type.queryset for one in seen):
            return None
        parent = self.parent and replace(self.parent, pk=Param("parent"))
        slotted = _Slotted({"parent": self.parent.pk} if self.parent else {})
        try:
            where = slotted.condition(self.where) if self.where else self.where
        except LookupError:
            return None
        limit = None if sources is _COUNTED else self.limit
        reads = _read(self.resource_type, parent, where, limit, sources, self.total is not None)
        return reads, slotted.values


@lru_cache(maxsize=1000)  # of the many that clients can ask for
def _read(
    resource_type: ResourceType,
    parent: Parent | None,
    where: Q,
    limit: int | None,
    sources: Sources,
    with_total: bool,
) -> CompiledQuery:
    """What reads rows that are so chosen."""

    def make() -> QuerySet[Any, Any]:
        chosen = RowQuery(resource_type, resource_type.queryset, parent, where, limit=limit)
        if sources is _INSTANCES:
            return chosen.rows()
        if sources is _COUNTED:
            counted: QuerySet[Any, Any] = chosen._on_all_pages().counted()  # type: ignore[attr-defined]
            return counted
        total = replace(chosen, where=_EVERYTHING)._on_all_pages().kept_number() if with_total else None  # type: ignore[attr-defined]
        return chosen.rows().values_list(*sources, *([] if total is None else [_as_text(total)]))

    return CompiledQuery(make, planned=(parent is None or parent.subcollection.few) and _reads_alike(where))


def _as_text(number: QuerySet[Any, Any]) -> Combinable:
    """Of a number Django would make another for each row."""
    return Cast(Subquery(number), TextField())


def _reads_alike(condition: Any) -> bool:
    """Whether it asks for no more than what tells a row, or for what comes after one: all are read alike."""
    match condition:
        case Q():
            return not condition.negated and all(map(_reads_alike, condition.children))
        case str(name), _:
            return name == "pk__gt" or name.removesuffix("__exact") in _TELLING
        case Exact(lhs=F() as attribute):
            return attribute in map(F, _TELLING)
    return False


class _Slotted:
    """Puts slots in place of a condition's values, and keeps those by the slots' names."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def condition(self, condition: Q) -> Q:
        """The same with slots; `LookupError` if it holds something that is not just compared."""
        slotted = map(self._child, condition.children)
        return Q(*slotted, _connector=condition.connector, _negated=condition.negated)

    def _child(self, child: Any) -> Any:
        match child:
            case Q():
                return self.condition(child)
            case IsNull() | ("pk__in", ()):
                return child
            case str(name), value if _is_compared(name):
                return name, self._slot(value)
            case Like(lhs=F() as left, rhs=value) | Regex(lhs=F() as left, rhs=value):
                return type(child)(left, self._slot(value))
            case Like(lhs=left, rhs=value):
                return Like(left, self._slot(value))
            case _ if type(child) in _COMPARISONS and isinstance(child.rhs, Value):
                return type(child)(child.lhs, self._slot(child.rhs.value))
        raise LookupError(child)

    def _slot(self, value: Any) -> Any:
        match value:
            case bool():
                return value  # an index may be of the rows with one of them
            case str() | int() | tuple():  # what the databases take as it is
                name = f"value_{len(self.values)}"
                self.values[name] = value
                return Param(name)
        raise LookupError(value)


def _is_compared(name: str) -> bool:
    return "__" not in name or name.rpartition("__")[2] in _COMPARED
