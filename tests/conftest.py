"""Fixtures for every test."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from inventory.models import Task
from secgroups.models import FirewallRule
from tests import cast

pytest_plugins = ["tests.live.endpoints", "tests.clouds"]


@pytest.fixture
def company(admin_user: User) -> cast.Cast:
    """The cast, with what else it takes for every collection to have at least two resources."""
    entered = cast.enter()
    other = cast.provider("other")
    cast.tenant(other, "other")
    web, db = entered.production.web, entered.production.db
    for ref, source in (("sgr-1", None), ("sgr-2", web)):
        FirewallRule.objects.create(
            provider=entered.acme,
            ems_ref=ref,
            security_group=db,
            direction="inbound",
            network_protocol=None if source else "IPV4",
            host_protocol="tcp",
            port=5432,
            end_port=5432,
            source_ip_range=None if source else "10.0.0.0/8",
            source_security_group=source,
        )
    for number in (1, 2):
        Task.objects.create(
            name=f"Refresh {number}", message="", userid="admin", owner=admin_user, queue=f"providers/{number}"
        )
    return entered
