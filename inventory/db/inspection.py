"""What a query asks for, read from where Django keeps it."""

from __future__ import annotations

from typing import Any

from django.db.models import Lookup
from django.db.models.expressions import Col
from django.db.models.lookups import Exact
from django.db.models.sql import Query
from django.db.models.sql.where import AND

from inventory.db.statements import Param


def has_lookup(query: Query, kind: type[Lookup[Any]]) -> bool:
    """Whether the query is filtered by a lookup of this kind, whatever else it asks."""
    return any(isinstance(condition, kind) for condition in query.where.children)


def equalities(query: Query, *, ignoring: type[Lookup[Any]]) -> dict[str, Any] | None:
    """What each attribute must be equal to; None for a query that asks anything else of its one table.

    Lookups of the kind `ignoring` are passed over.
    """
    joined = sum(map(bool, query.alias_refcount.values())) > 1 or query.extra_tables
    if joined or query.group_by is not None or query.distinct or query.is_sliced or query.combinator:
        return None
    if query.where.negated or query.where.connector != AND:
        return None
    values: dict[str, Any] = {}
    for condition in query.where.children:
        match condition:
            case Exact(lhs=Col(target=field), rhs=bool() | int() | Param() as value) if (
                field.attname not in values
            ):
                values[field.attname] = value
            case _ if not isinstance(condition, ignoring):
                return None
    return values
