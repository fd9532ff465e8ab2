"""The database's clock, by which times are judged that hosts with other clocks must agree on."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

_NOW = {
    "postgresql": "SELECT statement_timestamp()",
    "sqlite": "SELECT strftime('%%Y-%%m-%%dT%%H:%%M:%%f+00:00', 'now')",
}


def database_now() -> datetime:
    """What the database's clock shows, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW[connection.vendor], [])
        [now] = cursor.fetchone()
    moment = datetime.fromisoformat(now) if isinstance(now, str) else now
    return moment.astimezone(UTC)
