"""What tests ask the database for, and what they captured of the statements to it."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.test.utils import CaptureQueriesContext

from inventory.rest.resources import Viewer

#: Who sees everything.
SUPERVISOR = Viewer(User(is_superuser=True))

#: Django puts before a statement how often it ran.
_WRITES = re.compile(r"(\d+ times: )?(INSERT|UPDATE|DELETE|COPY)\b")


def writes(queries: CaptureQueriesContext) -> list[str]:
    """Those that write rows, but the cause of events, which SQLite keeps in a table while a transaction runs."""
    written = [query["sql"] for query in queries if _WRITES.match(query["sql"])]
    return [sql for sql in written if "inventory_cause" not in sql]
