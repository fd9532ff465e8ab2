"""Where a bench on PostgreSQL takes place."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stage() -> Iterator[tuple[str, Path]]:
    """The server of `DATABASE_URL` and a folder; both are tidy afterwards, also after SIGTERM."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        sys.exit("DATABASE_URL says on which PostgreSQL to measure: env $(.ci/services env) ...")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that whatever was started is ended
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "settings.base", "PORTCULLIS_VAR": f"{folder}/var"}
        yield server, Path(folder)
