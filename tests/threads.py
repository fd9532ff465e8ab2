"""A database for tests whose threads work on the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections


@pytest.fixture
def shared_database(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database that threads can share: SQLite's in memory fails where a real one lets them wait."""
    with monkeypatch.context() as patched:
        if connection.vendor == "sqlite":
            patched.setitem(connections.settings["default"], "NAME", str(tmp_path / "shared.sqlite3"))
            with ThreadPoolExecutor(1) as pool:
                pool.submit(migrate).result()
        yield


def migrate() -> None:
    with closing(connection):
        call_command("migrate", verbosity=0)
