"""Related rows in filters."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

#: Maximum number of related rows to list by id.
FEW = 1000


def few(related: QuerySet[Any], name: str = "pk") -> list[int] | None:
    """The ids of these rows in this column, unless there are many.

    With ids, the database can estimate how many rows each leads to. With a subquery for the name of a tenant or
    group, it assumes an average, and may scan a million instances for the few of one tenant.
    """
    ids = list(related.order_by().values_list(name, flat=True)[: FEW + 1])
    return ids if len(ids) <= FEW else None
