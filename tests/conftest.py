"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.db.backends.base.operations import BaseDatabaseOperations
from hypothesis import settings

from inventory import logins
from inventory.db.event_guard import GuardEvents
from inventory.models import EventStream
from tests import cast

# How long an example takes says more of the machine than of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

pytest_plugins = ["tests.live.endpoints", "tests.live.openstack", "tests.clouds", "tests.threads"]


@pytest.fixture(autouse=True)
def quiet() -> None:
    """No other test has just tried wrong passwords: in a flood, a process checks fewer at a time."""
    logins._recent_failures.clear()


@pytest.fixture(autouse=True, scope="session")
def flushable() -> Iterator[Any]:
    """Tests that commit flush the database after themselves. It guards events against that otherwise.

    Yields how Django flushes.
    """
    flush = BaseDatabaseOperations.execute_sql_flush
    with pytest.MonkeyPatch.context() as patched:

        def unguarded(self: Any, sql_list: Any) -> None:
            operation = GuardEvents("EventStream", [column.column for column in EventStream._meta.fields])
            with transaction.atomic(), self.connection.cursor() as cursor:
                for sql in operation.drop(self.connection.vendor, EventStream._meta.db_table):
                    cursor.execute(sql)
                flush(self, sql_list)
                # SQLite empties one table after the other, which leaves events and numbers.
                cursor.execute("DELETE FROM inventory_eventstream")
                cursor.execute("DELETE FROM inventory_tally")
                for sql in operation.create(self.connection.vendor, EventStream._meta.db_table):
                    cursor.execute(sql)

        patched.setattr(BaseDatabaseOperations, "execute_sql_flush", unguarded)
        yield flush


@pytest.fixture
def company(admin_user: User) -> cast.Cast:
    """The cast, with what else it takes for every collection to have at least two resources."""
    return cast.company(admin_user)
