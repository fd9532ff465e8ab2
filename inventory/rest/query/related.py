"""Rows of other tables that a filter is about."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

#: Most related rows that are named by their ids.
FEW = 1000


def few(related: QuerySet[Any], name: str = "pk") -> list[int] | None:
    """The ids that these rows have by this name, unless the rows are many.

    A database that is given them knows how many rows each leads to. Asked in one for the name of a tenant or of a
    group, it would take each to be like any other, and look through a million instances for the few of one tenant.
    """
    ids = list(related.order_by().values_list(name, flat=True)[: FEW + 1])
    return ids if len(ids) <= FEW else None
