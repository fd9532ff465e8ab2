"""Inspects conditions of queries and lazy objects in Django's private attributes."""

from __future__ import annotations

from typing import Any

from django.db.models import Lookup, OuterRef
from django.db.models.expressions import Col, ResolvedOuterRef
from django.db.models.lookups import Exact
from django.db.models.sql import Query
from django.db.models.sql.where import AND
from django.utils.functional import LazyObject, empty

from inventory.db.lookups import Among
from inventory.db.statements import Param


def has_lookup(query: Query, kind: type[Lookup[Any]]) -> bool:
    """Whether the query is filtered by a lookup of this kind."""
    return any(isinstance(condition, kind) for condition in query.where.children)


def comparisons(query: Query, *, ignoring: type[Lookup[Any]]) -> list[tuple[str, str, Any]] | None:
    """The comparisons of a query on one table, each with the attribute's name, a lookup and a value.

    None if the query joins, groups or slices, or has any other condition. Skips lookups of the kind `ignoring`.
    """
    joined = sum(map(bool, query.alias_refcount.values())) > 1 or query.extra_tables
    if joined or query.group_by is not None or query.distinct or query.is_sliced or query.combinator:
        return None
    if query.where.negated or query.where.connector != AND:
        return None
    values: list[tuple[str, str, Any]] = []
    for condition in query.where.children:
        match condition:
            case Exact(lhs=Col(target=field), rhs=bool() | int() | Param() as value):
                values.append((field.attname, "exact", value))
            case Exact(lhs=Col(target=field), rhs=ResolvedOuterRef() as outer):
                values.append((field.attname, "exact", OuterRef(outer.name)))  # type: ignore[attr-defined]
            case Among(lhs=Col(target=field), rhs=ids):
                values.append((field.attname, "among", ids))
            case _ if not isinstance(condition, ignoring):
                return None
    return values


def evaluated(value: Any) -> Any:
    """The object behind a lazy one, or None if nobody has needed it yet."""
    if not isinstance(value, LazyObject):
        return value
    wrapped = vars(value)["_wrapped"]
    return None if wrapped is empty else wrapped
