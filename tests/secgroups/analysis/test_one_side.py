"""A list of one side beside the questions with both sides, over random worlds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import User

from inventory.drivers.boundary import PARTS
from inventory.drivers.file.document import dumped
from inventory.models import Vm
from inventory.refresh import refresh
from inventory.rest.resources import Viewer
from secgroups.analysis.one_side import OneSide
from secgroups.analysis.ports import rulebook_of
from secgroups.analysis.reachability import Side, outside, resource, with_lines
from secgroups.traffic.reachability import Question
from secgroups.traffic.services import Service
from tests import cast
from tests.cast import FILE
from tests.clouds import Grip
from tests.oracles.worlds import random_world

pytestmark = pytest.mark.django_db

SERVICES = (Service("tcp", 22, 22), Service("tcp", 5432, 5432), Service("icmp", 8), Service("tcp"), Service())
OUTSIDE = ("internet", "10.0.0.5", "10.0.0.0/28", "0.0.0.0/0", "fd00::/64")


class World:
    """A random world in the inventory, with every port judged by all rules together."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = Random(seed)  # noqa: S311 - the same world for each seed
        inventory = random_world(self.random)
        (folder / "world.json").write_bytes(b"".join(dumped({part: getattr(inventory, part) for part in PARTS})))
        refresh(cast.provider("world", vendor=FILE, url="file:///world.json"), Grip())
        self.viewer = Viewer(User.objects.create_superuser("viewer"))
        self.instances = [self.side(pk) for pk in Vm.objects.order_by("pk").values_list("pk", flat=True)]
        rows = [row for side in self.instances for row in side.ports]
        rulebook = rulebook_of(rows, self.viewer)
        self.ports = {row.pk: with_lines(row, rulebook) for row in rows}

    def side(self, pk: int) -> Side:
        side = resource("instances", pk, self.viewer)
        assert side is not None
        return side

    def sides(self) -> Iterator[tuple[Side, Service]]:
        named = [*self.random.sample(self.instances, 3), *map(outside, self.random.sample(OUTSIDE, 2))]
        for side in named:
            assert side is not None
            yield from ((side, service) for service in self.random.sample(SERVICES, 2))

    def question(self, source: Side, target: Side, service: Service) -> Question:
        sides = (
            [self.ports[row.pk] for row in side.ports] if side.collection else None for side in (source, target)
        )
        services = service.range()
        assert services
        return Question(*sides, services, source.outside | target.outside)


@pytest.mark.parametrize("seed", range(4))
def test_it_lists_what_passes_with_both_sides(seed: int, settings: Any, tmp_path: Path) -> None:
    settings.INVENTORY_FILES = tmp_path
    world = World(seed, tmp_path)
    listed = 0
    for side, service in world.sides():
        for direction in ("inbound", "outbound"):
            expected = [
                other.pk
                for other in world.instances
                if world.question(*((other, side) if direction == "inbound" else (side, other)), service).passing
            ]
            assert OneSide(side, direction, service, world.viewer).found().ids == expected, (side.name, service)
            listed += len(expected)
    assert listed  # or it would prove nothing
