"""Counting the requests of a user, in one statement that all processes may run at once."""

from __future__ import annotations

from django.db import connection

#: A host whose clock is behind counts for the minute that others are in.
_COUNT = """
    INSERT INTO inventory_requestcount AS counted (user_id, minute, number) VALUES (%s, %s, 1)
    ON CONFLICT (user_id) DO UPDATE SET
        number = CASE WHEN counted.minute < excluded.minute THEN 1 ELSE counted.number + 1 END,
        minute = CASE WHEN counted.minute < excluded.minute THEN excluded.minute ELSE counted.minute END
    RETURNING number
"""


def count_request(user: int, minute: int) -> int:
    """The number of this request among those of a user (id) in a minute."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [user, minute])
        [number] = cursor.fetchone()
    return int(number)
