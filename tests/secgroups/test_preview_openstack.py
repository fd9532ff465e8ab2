"""Previews beside what is read back after the changes, on a real OpenStack (`make openstack-up`)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from django.test import Client

from inventory.models import Provider
from inventory.refresh import refresh
from tests import cast as actors
from tests.cast import OPENSTACK
from tests.clouds import Grip
from tests.live.faults import running
from tests.live.openstack import PASSWORD, Plane, Project
from tests.live.openstack_faults import OpenStackFaults
from tests.secgroups.truth import World, compare

pytestmark = [pytest.mark.openstack, pytest.mark.django_db(transaction=True)]

READS = {"GET", "HEAD"}
LOGIN = "POST auth"


@pytest.fixture
def world(admin_client: Client, plane: Plane, project: Project) -> Iterator[World]:
    """A project with a few groups, among them a stateless one, and servers with one or two ports."""
    groups = [project.group(f"group-{number}") for number in range(4)]
    project.group("stateless", stateful=False)
    project.server(project.port(groups[0]), project.port(groups[0], groups[1]), name="vm-0")
    project.server(project.port(groups[2], groups[3]), project.port(port_security_enabled=False), name="vm-1")
    with running(OpenStackFaults(plane.ports)) as proxy:
        keys = {"userid": project.userid, "password": PASSWORD}
        provider: Provider = actors.provider("openstack", vendor=OPENSTACK, url=proxy.url, credentials=keys)
        refresh(provider, Grip())

        def writes() -> int:
            """What Neutron and Nova were asked to change."""
            asked = [call.action for call in proxy.calls if call.action != LOGIN]
            return sum(action.partition(" ")[0] not in READS for action in asked)

        yield World(admin_client, provider, writes)


@pytest.mark.parametrize("seed", range(4))
def test_two_hundred_changes(world: World, seed: int) -> None:
    statuses = compare(world, Random(seed), 50)  # noqa: S311
    assert statuses["Ok"] > 10
    assert world.writes() > 10
