"""A database for tests whose threads work on the same rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: pytest.Blocker) -> Path:
    """An SQLite database with all tables, to be copied: migrating takes seconds."""
    path = tmp_path_factory.mktemp("migrated") / "db.sqlite3"
    with pytest.MonkeyPatch.context() as patched, django_db_blocker.unblock(), ThreadPoolExecutor(1) as pool:
        patched.setitem(connections.settings["default"], "NAME", str(path))
        pool.submit(migrate).result()
    return path


@pytest.fixture
def shared_database(
    transactional_db: None, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A database that threads can share: SQLite's in memory fails where a real one lets them wait."""
    with monkeypatch.context() as patched:
        if connection.vendor == "sqlite":
            path = shutil.copy(request.getfixturevalue("migrated"), tmp_path / "shared.sqlite3")
            patched.setitem(connections.settings["default"], "NAME", str(path))
        yield


def migrate() -> None:
    with closing(connection):
        call_command("migrate", verbosity=0)
