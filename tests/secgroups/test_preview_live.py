"""Previews beside what is read back after the changes, on a live endpoint of EC2."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider
from inventory.refresh import refresh
from tests import cast as actors
from tests.clouds import Grip
from tests.live.ec2 import Cast
from tests.live.faults import FaultProxy
from tests.secgroups.truth import World, compare

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

KEYS = {"userid": "AKIDTEST", "password": "secret"}
READS = ("Describe", "Get")


@pytest.fixture
def world(admin_client: Client, ec2_proxy: FaultProxy, ec2_api: Any) -> World:
    """Two VPCs with a few groups each, and instances with one or two interfaces."""
    cast = Cast(ec2_api)
    groups = [cast.web, cast.db, *(cast.group(f"group-{number}") for number in range(3))]
    for group, port in zip(groups, (22, 80, 443, 53, 25), strict=True):
        cast.allow(group, "tcp", port, port, IpRanges=[{"CidrIp": "10.0.0.0/8"}])
    cast.allow(cast.db, "tcp", 5432, 5432, UserIdGroupPairs=[{"GroupId": cast.web}])
    elsewhere, _ = cast.network("10.2")
    cast.group("elsewhere", elsewhere)
    for number in range(4):
        cast.instance(groups[number], groups[number + 1], name=f"vm-{number}", interfaces=1 + number % 2)
    provider: Provider = actors.provider("aws", url=ec2_proxy.url, credentials=KEYS)
    refresh(provider, Grip())

    def writes() -> int:
        return sum(not call.action.startswith(READS) for call in ec2_proxy.calls)

    return World(admin_client, provider, writes)


def test_a_few_changes(world: World) -> None:
    statuses = compare(world, Random(1), 20)  # noqa: S311
    assert statuses["Ok"] > 5


@pytest.mark.walk
@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_changes(world: World, seed: int) -> None:
    statuses = compare(world, Random(seed), 100)  # noqa: S311
    assert {"Ok", "Error"} <= statuses.keys()
