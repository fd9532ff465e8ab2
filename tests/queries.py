"""What a test captured of the statements to the database."""

from __future__ import annotations

import re

from django.test.utils import CaptureQueriesContext

#: Django puts before a statement how often it ran.
_WRITES = re.compile(r"(\d+ times: )?(INSERT|UPDATE|DELETE|COPY)\b")


def writes(queries: CaptureQueriesContext) -> list[str]:
    """Those that write rows."""
    return [query["sql"] for query in queries if _WRITES.match(query["sql"])]
