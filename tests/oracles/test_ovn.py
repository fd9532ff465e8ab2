"""Answers of the API beside OVN, packet by packet over random worlds. A provider of type file has each world."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.oracles.comparison import World
from tests.oracles.ovn import Ovn

pytestmark = [pytest.mark.oracle, pytest.mark.django_db]

#: How many worlds, packets of each, and packets of each whose missing rules are tried.
WORLDS, PACKETS, BLOCKED = 20, 500, 25


@pytest.fixture(params=range(WORLDS))
def world(request: pytest.FixtureRequest, ovn: Ovn, admin_client: Client, settings: Any, tmp_path: Path) -> World:
    settings.INVENTORY_FILES = tmp_path
    return World.of_file(request.param, ovn, admin_client, tmp_path)


def test_what_passes_is_what_ovn_lets_through(world: World) -> None:
    packets = islice(world.packets(), PACKETS)
    assert world.differences(packets) == []


def test_missing_rules_are_complete_and_minimal(world: World) -> None:
    tried = 0
    for packet in islice(world.packets(), PACKETS):
        if tried < BLOCKED and (rules := world.missing(packet)):
            world.assert_complete_and_minimal(packet, rules)
            tried += 1
    assert tried == BLOCKED
