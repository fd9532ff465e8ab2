"""Inspects conditions of queries and lazy objects in Django's private attributes."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Lookup, OuterRef, Q
from django.db.models.expressions import Col, ResolvedOuterRef
from django.db.models.lookups import Exact
from django.db.models.sql import Query
from django.db.models.sql.where import AND, OR, WhereNode
from django.utils.functional import LazyObject, empty

from inventory.db.lookups import Among
from inventory.db.statements import Param


class Comparison(NamedTuple):
    """Compares an attribute with a value."""

    attribute: str
    lookup: str
    value: Any

    def of(self, attribute: str) -> Q:
        """The same comparison of another attribute."""
        return Q(**{f"{attribute}__{self.lookup}": self.value})


def has_lookup(query: Query, kind: type[Lookup[Any]]) -> bool:
    """Whether the query is filtered by a lookup of this kind."""
    return any(isinstance(condition, kind) for condition in query.where.children)


def comparisons(query: Query, *, ignoring: type[Lookup[Any]]) -> list[list[Comparison]] | None:
    """The comparisons of a query on one table. Of those in each list, a row fulfils one, and so all lists.

    None if the query joins, groups or slices, or has any other condition. Skips lookups of the kind `ignoring`.
    """
    joined = sum(map(bool, query.alias_refcount.values())) > 1 or query.extra_tables
    if joined or query.group_by is not None or query.distinct or query.is_sliced or query.combinator:
        return None
    if query.where.negated or query.where.connector != AND:
        return None
    lists = []
    condition: Any
    for condition in query.where.children:
        if isinstance(condition, ignoring):
            continue
        alternatives = [condition]
        if isinstance(condition, WhereNode) and condition.connector == OR and not condition.negated:
            alternatives = condition.children
        parts = [_comparison(alternative) for alternative in alternatives]
        lists.append([part for part in parts if part is not None])
        if None in parts:
            return None
    return lists


def _comparison(condition: Any) -> Comparison | None:
    match condition:
        case Exact(lhs=Col(target=field), rhs=bool() | int() | Param() as value):
            return Comparison(field.attname, "exact", value)
        case Exact(lhs=Col(target=field), rhs=ResolvedOuterRef() as outer):
            return Comparison(field.attname, "exact", OuterRef(outer.name))  # type: ignore[attr-defined]
        case Among(lhs=Col(target=field), rhs=ids):
            return Comparison(field.attname, "among", ids)
    return None


def evaluated(value: Any) -> Any:
    """The object behind a lazy one, or None if nobody has needed it yet."""
    if not isinstance(value, LazyObject):
        return value
    wrapped = vars(value)["_wrapped"]
    return None if wrapped is empty else wrapped
