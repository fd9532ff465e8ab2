"""Which rows a read is of. The same is asked again and again with other values, so its SQL is made once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

from django.db.models import Exists, F, QuerySet, Subquery, TextField
from django.db.models.expressions import Combinable, OrderBy
from django.db.models.functions import Cast
from django.db.models.lookups import Exact

from inventory.db.conditions import EVERYTHING, Comparison, Condition, Junction, Params, Shape
from inventory.db.statements import CompiledQuery
from inventory.rest.query.sorting import BY_ID
from inventory.rest.resources import RelatedCount, ResourceType, Subcollection

#: What a query selects, as `values_list()` takes it.
Sources = tuple[str | Combinable, ...]

#: Instead of values, how many there are, and instances.
_COUNTED: Sources = ("count",)
_INSTANCES: Sources = ("instances",)

#: What tells one row from others, or few. In the tables that grow with the inventory those that share one stand in
#: its index in the order of pages (`inventory.models.base`), so that the plan for few is also the one for many.
_TELLING = frozenset({"pk", "guid", "ems_ref", "uid_ems", "name", "mac_address"})


@dataclass(frozen=True, slots=True)
class Parent:
    """What stands above a subcollection: the resource of this id, if it is in the `scope` of the user."""

    resource_type: ResourceType
    scope: Condition
    subcollection: Subcollection
    pk: Any

    def rows(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.resource_type.queryset.filter(self.scope.q())
        return rows.filter(pk=self.pk)

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
    """Rows of a type: those in a user's `scope`, below a parent, under a condition, in an order, so many.

    There are none below a parent that is not there. Where it is given, `total` is told the number of those without
    the condition.
    """

    resource_type: ResourceType
    scope: Condition
    parent: Parent | None = None
    where: Condition = EVERYTHING
    order: tuple[str | OrderBy, ...] = BY_ID
    offset: int = 0
    limit: int | None = None
    total: Total | None = None

    def filter(self, condition: Condition) -> Self:
        """Those of which this holds too."""
        return replace(self, where=self.where & condition)

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
        rows: QuerySet[Any] = self.resource_type.queryset.filter(self.scope.q())
        if self.parent:
            rows = self.parent.below(rows)
        return rows.filter(self.where.q())

    def count(self) -> int:
        """How many there are, on all pages; the parent is taken to be there."""
        compiled = self._kept(_COUNTED)
        if compiled is None:
            return self._on_all_pages().count()
        query, values = compiled
        return sum(number for (number,) in query(**values))  # of what no row can be not even that is asked

    def values(self, sources: Sources) -> Iterable[Sequence[Any]] | None:
        """Their values, by a query that is kept; None where it is not of the kind that comes again.

        Each may have one more, the total.
        """
        compiled = None if self.offset or self.order != BY_ID else self._kept(sources)
        if compiled is None:
            return None
        query, values = compiled
        result = query(**values)
        if self.total is None:
            return result
        rows = list(result)
        if rows and len(rows[0]) > len(sources):
            self.total.brought = int(rows[0][-1])
        return rows

    def ids(self) -> list[int]:
        rows = self.values(BY_ID)
        return list(self.rows().values_list("pk", flat=True)) if rows is None else [row[0] for row in rows]

    def one(self) -> Any:
        """The instance of a single row; None if there is none."""
        compiled = self._kept(_INSTANCES)
        if compiled is None:
            return self.rows().first()
        query, values = compiled
        return next(iter(query.instances(**values)), None)

    def _kept(self, sources: Sources) -> tuple[CompiledQuery, Mapping[str, Any]] | None:
        """What reads this, and with which values; None for what is not expected to come again."""
        if not (self.scope.recurs and self.where.recurs and (self.parent is None or self.parent.scope.recurs)):
            return None
        params = Params()
        parent = self.parent and replace(
            self.parent, scope=params.of(self.parent.scope), pk=params.add(self.parent.pk)
        )
        rows = RowQuery(self.resource_type, params.of(self.scope), parent, params.of(self.where))
        if any(isinstance(source, RelatedCount) for source in sources):
            sources = tuple(
                one.within(params.of(one.scope)) if isinstance(one, RelatedCount) else one for one in sources
            )
        limit = None if sources is _COUNTED else self.limit
        return _compiled(replace(rows, limit=limit), sources, self.total is not None), params.values


@lru_cache(maxsize=1000)  # of the many that clients can ask for
def _compiled(rows: RowQuery, sources: Sources, with_total: bool) -> CompiledQuery:
    """What reads these rows, in which params stand for the values."""

    def make() -> QuerySet[Any, Any]:
        if sources is _INSTANCES:
            return rows.rows()
        if sources is _COUNTED:
            counted: QuerySet[Any, Any] = rows._on_all_pages().counted()  # type: ignore[attr-defined]
            return counted
        total = replace(rows, where=EVERYTHING)._on_all_pages().stored_count_query() if with_total else None  # type: ignore[attr-defined]
        return rows.rows().values_list(*sources, *([] if total is None else [_as_text(total)]))

    few = rows.parent is None or rows.parent.subcollection.few
    # Of a row that is named, it is looked at last whether it is in the scope.
    any_scope = _tells(rows.scope.shape) or _names(rows.where.shape)
    return CompiledQuery(make, planned=few and any_scope and _tells(rows.where.shape))


def _as_text(number: QuerySet[Any, Any]) -> Combinable:
    """Of a number Django would make another for each row."""
    return Cast(Subquery(number), TextField())


def _tells(shape: Shape) -> bool:
    """Whether it asks for no more than what tells a row, or for what comes after one: all are read alike."""
    match shape:
        case Junction(parts=parts):
            return all(map(_tells, parts))
        case Comparison(lookup="pk__gt"):
            return True
    return _names(shape)


def _names(shape: Shape) -> bool:
    """Whether it asks for what has one value that tells a row."""
    match shape:
        case Junction(connector="AND", parts=parts):
            return any(map(_names, parts))
        case Comparison(lookup=str(name)):
            return name.removesuffix("__exact") in _TELLING
        case Comparison(expression=F() as attribute, lookup=lookup):
            return lookup is Exact and attribute in map(F, _TELLING)
    return False
