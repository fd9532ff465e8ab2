"""Counting different values in large groups of rows."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet

_SQL = 'SELECT "{owner}", sum(number), count("{counted}") FROM ({rows}) AS one GROUP BY "{owner}"'


def numbers_of_each(rows: QuerySet[Any], owner: str, counted: str) -> list[tuple[int, int, int]]:
    """For each owner the number of its rows, and of their different values that are not null.

    PostgreSQL sorts all rows for COUNT(DISTINCT). Grouped by both columns, they come from an index in order.
    """
    pairs = rows.order_by().values(owner, counted).annotate(number=Count("*"))
    sql, params = pairs.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_SQL.format(owner=owner, counted=counted, rows=sql), params)
        return [(pk, int(number), different) for pk, number, different in cursor.fetchall()]
