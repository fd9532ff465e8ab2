"""From the API of a cloud to the verdict: Neutron's own driver writes a world to OVN, which judges its packets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from django.test import Client

from inventory.refresh import refresh
from tests import cast
from tests.clouds import Grip
from tests.live.openstack import FILES, PASSWORD, Plane
from tests.oracles.comparison import World
from tests.oracles.neutron import RULES, NeutronsOvn

pytestmark = [pytest.mark.openstack, pytest.mark.django_db]

PACKETS = 500


@pytest.fixture(scope="module")
def ovn(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NeutronsOvn]:
    oracle = NeutronsOvn(packages, tmp_path_factory.mktemp("ovn"))
    try:
        yield oracle
    finally:
        oracle.end()


@pytest.fixture(scope="module")
def plane(ovn: NeutronsOvn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane of its own, with the packages of the one that is up."""
    folder = tmp_path_factory.mktemp("openstack")
    (folder / "venv").symlink_to(Path(os.environ["OPENSTACK"]).resolve() / "venv")
    command = [sys.executable, "-m", "inventory.demo.openstack"]
    try:
        subprocess.run([*command, "up", folder, "--ovn", ovn.folder], env=ovn.environment, check=True)
        access, ports = (json.loads((folder / name).read_text()) for name in FILES)
        yield Plane(access["url"], access["userid"], access["password"], ports, folder / "state" / "db")
    finally:
        subprocess.run([*command, "down", folder], check=True)


@pytest.fixture
def world(ovn: NeutronsOvn, plane: Plane, admin_client: Client) -> Iterator[World]:
    random = Random(1)  # noqa: S311 - the same world each time
    project = plane.project()
    ovn.create(random, plane, project.ref)
    provider = cast.provider("cloud", vendor=cast.OPENSTACK, url=plane.url)
    cast.give_credentials(provider, userid=project.userid, password=PASSWORD)
    refresh(provider, Grip())
    inventory = project.driver().inventory()
    ovn.load(inventory)
    yield World(inventory, random, ovn, admin_client)
    project.clear()


def test_what_passes_is_what_the_cloud_lets_through(world: World) -> None:
    assert len(world.inventory.rules) > RULES / 2  # the cloud refuses those that make no sense
    assert world.differences(islice(world.packets(), PACKETS)) == []
