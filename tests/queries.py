"""What tests ask the database for, and what they captured of the statements to it."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.test.utils import CaptureQueriesContext

from inventory.rest.resources import Viewer

#: Who sees everything.
SUPERVISOR = Viewer(User(is_superuser=True))

#: Django puts before a statement how often it ran. The cause of events is written too, to a table of SQLite.
_WRITES = re.compile(r"(\d+ times: )?(INSERT|UPDATE|DELETE|COPY)\b(?! OR REPLACE INTO inventory_cause\b)")


def writes(queries: CaptureQueriesContext) -> list[str]:
    """Those that write rows, but the cause of events, which SQLite keeps in a table while a transaction runs."""
    return [query["sql"] for query in queries if _WRITES.match(query["sql"])]
