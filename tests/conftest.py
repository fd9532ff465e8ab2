"""Fixtures for every test."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from hypothesis import settings

from inventory import logins
from tests import cast

# How long an example takes says more of the machine than of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

pytest_plugins = ["tests.live.endpoints", "tests.live.openstack", "tests.clouds", "tests.threads"]


@pytest.fixture(autouse=True)
def quiet() -> None:
    """No other test has just tried wrong passwords: in a flood, a process checks fewer at a time."""
    logins._recent_failures.clear()


@pytest.fixture
def company(admin_user: User) -> cast.Cast:
    """The cast, with what else it takes for every collection to have at least two resources."""
    return cast.company(admin_user)
