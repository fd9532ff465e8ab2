"""Queries for the rows of a read. Clients repeat the same queries with other values, so their SQL is kept."""

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
from inventory.rest.resources import ForViewer, RelatedCount, ResourceType, Subcollection

#: The columns that a query selects, as `values_list()` takes them.
Sources = tuple[str | Combinable, ...]

#: Select the number of rows, or instances, instead of values.
_COUNTED: Sources = ("count",)
_INSTANCES: Sources = ("instances",)

#: The attributes whose values one row has, or a few rows share. In tables that grow with the inventory, the index
#: on such an attribute also has the order of pages (`inventory.models.base`), so one plan suits few rows and many.
_TELLING = frozenset({"pk", "guid", "ems_ref", "uid_ems", "name", "mac_address"})


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent of a subcollection: the resource with this id, if it is in the user's `scope`."""

    resource_type: ResourceType
    scope: Condition
    subcollection: Subcollection
    pk: Any

    def rows(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.resource_type.queryset.filter(self.scope.q())
        return rows.filter(pk=self.pk)

    def below(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Restrict rows to those that belong to the parent. Doesn't check that the parent exists."""
        return self.subcollection.of(rows, self.pk)


class Total:
    """The number of rows on all pages. Reading a page also reads the number, if the database maintains it."""

    def __init__(self, rows: RowQuery) -> None:
        self._rows = rows
        self.brought: int | None = None

    def number(self) -> int:
        return self._rows.count() if self.brought is None else self.brought


@dataclass(frozen=True, slots=True)
class RowQuery:
    """A query for rows of a type, in a user's `scope` and below a parent. Without the parent, there are no rows.

    `total` receives the number of rows without the condition, if the query returns it.
    """

    resource_type: ResourceType
    scope: Condition
    parent: Parent | None = None
    where: Condition = EVERYTHING
    #: None for the order of the type.
    order: tuple[str | OrderBy, ...] | None = None
    offset: int = 0
    limit: int | None = None
    total: Total | None = None

    def filter(self, condition: Condition) -> Self:
        """The same query with one more condition."""
        return replace(self, where=self.where & condition)

    def rows(self) -> QuerySet[Any]:
        """The query as a queryset."""
        order = self.order or self.resource_type.order
        rows = self._on_all_pages().order_by(*order)
        if self.parent:
            rows = rows.filter(Exists(self.parent.rows()))
        if not self.offset:
            return rows[: self.limit]
        # Select the ids first, so that a skipped row costs only an index entry.
        ids = rows[self.offset : self.offset + self.limit if self.limit else None].values("pk")
        everything: QuerySet[Any] = self.resource_type.queryset
        return everything.filter(pk__in=ids).order_by(*order)

    def _on_all_pages(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.resource_type.queryset.filter(self.scope.q())
        if self.parent:
            rows = self.parent.below(rows)
        return rows.filter(self.where.q())

    def count(self) -> int:
        """The number of rows on all pages. Doesn't check that the parent exists."""
        compiled = self._kept(_COUNTED)
        if compiled is None:
            return self._on_all_pages().count()
        query, values = compiled
        return sum(number for (number,) in query(**values))  # no rows if the condition can't match

    def values(self, sources: Sources) -> Iterable[Sequence[Any]] | None:
        """The values of the rows, read by a kept query; None if the query is not worth keeping.

        The total may follow as an additional value.
        """
        has_other_order = self.order not in {None, self.resource_type.order}
        compiled = None if self.offset or has_other_order else self._kept(sources)
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

    def first(self) -> Any:
        """The instance of the first row, or None."""
        compiled = self._kept(_INSTANCES)
        if compiled is None:
            return self.rows().first()
        query, values = compiled
        return next(iter(query.instances(**values)), None)

    def _kept(self, sources: Sources) -> tuple[CompiledQuery, Mapping[str, Any]] | None:
        """The kept query for these rows, with its values; None if the query is unlikely to be repeated."""
        if not (self.scope.recurs and self.where.recurs and (self.parent is None or self.parent.scope.recurs)):
            return None
        kinds = {*map(type, sources)}
        if ForViewer in kinds:
            return None
        params = Params()
        parent = self.parent and replace(
            self.parent, scope=params.of(self.parent.scope), pk=params.add(self.parent.pk)
        )
        rows = RowQuery(self.resource_type, params.of(self.scope), parent, params.of(self.where))
        if RelatedCount in kinds:
            sources = tuple(
                source.within(params.of(source.scope)) if isinstance(source, RelatedCount) else source
                for source in sources
            )
        limit = None if sources is _COUNTED else self.limit
        return _compiled(replace(rows, limit=limit), sources, self.total is not None), params.values


@lru_cache(maxsize=1000)  # bounded, because clients choose the filters
def _compiled(rows: RowQuery, sources: Sources, with_total: bool) -> CompiledQuery:
    """The query for these rows, which have params in place of values."""

    def make() -> QuerySet[Any, Any]:
        if sources is _INSTANCES:
            return rows.rows()
        if sources is _COUNTED:
            counted: QuerySet[Any, Any] = rows._on_all_pages().counted()  # type: ignore[attr-defined]
            return counted
        total = replace(rows, where=EVERYTHING)._on_all_pages().stored_count_query() if with_total else None  # type: ignore[attr-defined]
        return rows.rows().values_list(*sources, *([] if total is None else [_as_text(total)]))

    few = rows.parent is None or rows.parent.subcollection.few
    # If the condition or a parent names rows, their scope is checked last, so any scope suits the plan.
    any_scope = _tells(rows.scope.shape) or _names(rows.where.shape) or rows.parent is not None
    return CompiledQuery(make, planned=few and any_scope and _tells(rows.where.shape))


def _as_text(number: QuerySet[Any, Any]) -> Combinable:
    """Select a number as text, because Django would convert a number in each row."""
    return Cast(Subquery(number), TextField())


def _tells(shape: Shape) -> bool:
    """Whether the condition only names rows, or rows after an id. One plan suits all of these."""
    match shape:
        case Junction(parts=parts):
            return all(map(_tells, parts))
        case Comparison(lookup="pk__gt" | "pk__lt"):
            return True
    return _names(shape)


def _names(shape: Shape) -> bool:
    """Whether the condition requires a value that one row has, or a few."""
    match shape:
        case Junction(connector="AND", parts=parts):
            return any(map(_names, parts))
        case Comparison(lookup=str(name)):
            return name.removesuffix("__exact") in _TELLING
        case Comparison(expression=F() as attribute, lookup=lookup):
            return lookup is Exact and attribute in map(F, _TELLING)
    return False
