"""A database as an earlier commit left it, brought up to today."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import override_settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

#: What the credentials in the dumps are encrypted with.
KEY = "dGhlIGtleSBvZiBhbiBvbGQgaW5zdGFsbGF0aW9uISE="


@dataclass(frozen=True)
class Upgraded:
    """A database, and how many rows each table had before the migrations of today."""

    name: str
    before: dict[str, int]


@pytest.fixture(scope="session")
def upgraded_once(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgraded]:
    """The dump of f3d7f62 in a database of its own, which each test finds as it was after the migrations."""
    with django_db_blocker.unblock(), fresh_database(tmp_path_factory.mktemp("upgrade")) as name:
        with talking_to(name):
            load(Path(__file__).with_name(f"f3d7f62.{connection.vendor}.sql").read_text(encoding="utf-8"))
        with talking_to(name), override_settings(CREDENTIALS_KEYS=[KEY, *configured.CREDENTIALS_KEYS]):
            # anew, for the dump sets what its session sees
            Group.objects.create(name="viewer")  # as a group of a role is called that a migration makes
            before = rows_by_table()
            call_command("migrate", verbosity=0)
        yield Upgraded(name, before)


@pytest.fixture
def upgraded(upgraded_once: Upgraded, django_db_blocker: Any, settings: Any) -> Iterator[Upgraded]:
    """What `connection` talks to during one test, whose changes are taken back."""
    settings.CREDENTIALS_KEYS = [KEY, *configured.CREDENTIALS_KEYS]
    with django_db_blocker.unblock(), talking_to(upgraded_once.name), transaction.atomic():
        yield upgraded_once
        connection.check_constraints()
        transaction.set_rollback(True)


def rows_by_table() -> dict[str, int]:
    with connection.cursor() as cursor:
        return {table: _count(cursor, table) for table in connection.introspection.table_names(cursor)}


def _count(cursor: Any, table: str) -> int:
    [[number]] = cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
    return int(number)


@contextmanager
def fresh_database(folder: Path) -> Iterator[str]:
    """The name of an empty database beside that of the tests."""
    if connection.vendor == "sqlite":
        yield str(folder / "upgraded.sqlite3")
        return
    name = f"{connection.settings_dict['NAME']}_upgraded"
    with psycopg.connect(make_conninfo(os.environ["DATABASE_URL"], dbname="postgres"), autocommit=True) as server:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        server.execute(drop)
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            server.execute(drop)


@contextmanager
def talking_to(name: str) -> Iterator[None]:
    """Have this thread, and those that it starts, talk to another database."""
    ours, settings = connections["default"], connections.settings["default"]
    connections.settings["default"] = {**settings, "NAME": name}
    del connections["default"]
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = settings
        connections["default"] = ours
        ContentType.objects.clear_cache()


def load(dump: str) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executescript("PRAGMA foreign_keys = OFF;" + dump)
        else:
            cursor.execute("BEGIN;" + dump + "COMMIT;")
