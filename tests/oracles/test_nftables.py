"""Answers of the API beside real connections through the Linux kernel, over the same random worlds."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.oracles.comparison import World
from tests.oracles.connections import is_connection
from tests.oracles.nftables import Kernel

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.django_db,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make network namespaces"),
]

#: How many worlds, connections of each, and connections of each whose missing rules are tried.
WORLDS, CONNECTIONS, BLOCKED = 6, 100, 10


@pytest.fixture(params=range(WORLDS))
def world(
    request: pytest.FixtureRequest, kernel: Kernel, admin_client: Client, settings: Any, tmp_path: Path
) -> World:
    settings.INVENTORY_FILES = tmp_path
    return World.of_file(request.param, kernel, admin_client, tmp_path)


def test_what_connects_is_what_the_answers_say(world: World) -> None:
    packets = islice(filter(is_connection, world.packets()), CONNECTIONS)
    assert world.differences(packets) == []


def test_missing_rules_make_connections(world: World) -> None:
    tried = 0
    for packet in islice(filter(is_connection, world.packets()), CONNECTIONS):
        if tried < BLOCKED and (rules := world.missing(packet)):
            world.assert_complete_and_minimal(packet, rules)
            tried += 1
    assert tried == BLOCKED
