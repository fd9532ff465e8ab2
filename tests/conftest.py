"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.backends.base.operations import BaseDatabaseOperations
from hypothesis import settings

from inventory import logins
from tests import cast
from tests.moments import unguarded_events

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
            with unguarded_events(self.connection), self.connection.cursor() as cursor:
                flush(self, sql_list)
                # SQLite empties one table after the other, which leaves events and numbers.
                cursor.execute("DELETE FROM inventory_eventstream")
                cursor.execute("DELETE FROM inventory_tally")

        patched.setattr(BaseDatabaseOperations, "execute_sql_flush", unguarded)
        yield flush


@pytest.fixture
def company(admin_user: User) -> cast.Cast:
    """The cast, with what else it takes for every collection to have at least two resources."""
    return cast.company(admin_user)
