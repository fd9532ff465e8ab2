"""`Flows` beside sets of pairs of service and address, over a small universe."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given

from secgroups.traffic.flows import Box, Flows
from tests.secgroups.traffic.test_ranges import members
from tests.secgroups.traffic.universe import SERVICES, boxes

Pairs = set[tuple[int, int]]


def pairs(*boxes: Box) -> Pairs:
    return {
        (service, address)
        for box in boxes
        for service in members([box.services])
        for address in members(box.addresses.ranges)
    }


@given(boxes)
def test_a_union_lets_through_what_any_box_does(parts: list[Box]) -> None:
    flows = Flows.of(*parts)
    assert pairs(*flows.slices) == pairs(*parts)
    for service in SERVICES:
        assert members(flows.addresses(service).ranges) == {a for s, a in pairs(*parts) if s == service}


@given(boxes)
def test_slices_are_sorted_and_as_few_as_possible(parts: list[Box]) -> None:
    for before, after in pairwise(Flows.of(*parts).slices):
        assert before.services[1] < after.services[0]
        assert before.services[1] + 1 < after.services[0] or before.addresses != after.addresses


@given(boxes, boxes)
def test_operations_are_those_of_sets(left: list[Box], right: list[Box]) -> None:
    one, other = Flows.of(*left), Flows.of(*right)
    for result, expected in (
        (one | other, pairs(*left) | pairs(*right)),
        (one & other, pairs(*left) & pairs(*right)),
        (one - other, pairs(*left) - pairs(*right)),
    ):
        assert pairs(*result.slices) == expected
        assert result == Flows.of(*result.slices)
    assert (one <= other) == (pairs(*left) <= pairs(*right))
    assert bool(one) == bool(pairs(*left))
