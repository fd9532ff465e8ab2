"""What an answer about one side reads, and how often."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import NetworkPort
from inventory.rest.resources import Viewer
from secgroups.analysis.one_side import OneSide
from secgroups.analysis.reachability import resource
from secgroups.analysis.unknown import unknown_of
from secgroups.traffic.services import Service
from tests.secgroups.api.test_reachability import Company

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    company = Company()
    company.rule(company.web, "outbound")
    company.rule(company.db, source_security_group=company.web)
    return company


def to_store(company: Company) -> OneSide:
    viewer = Viewer(User.objects.get_or_create(username="viewer", is_superuser=True)[0])
    side = resource("instances", company.store.vm_id or 0, viewer)
    assert side
    return OneSide(side, "inbound", Service("tcp", 5432, 5432), viewer)


def queries(ask: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        ask()
    return [query["sql"] for query in captured]


def test_doubts_are_looked_up_once_whatever_the_number_of_addresses(company: Company) -> None:
    numbers = []
    for addresses in (["10.0.0.2"], ["10.0.0.2", "10.0.0.3", "10.0.0.4"]):
        NetworkPort.objects.filter(pk=company.store.pk).update(ipaddresses=addresses)
        answer = to_store(company)
        assert answer.found().ids
        numbers.append(len(queries(partial(unknown_of, answer))))
    assert numbers[0] == numbers[1]
