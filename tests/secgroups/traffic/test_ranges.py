"""`Ranges` beside Python's sets, over a small universe."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given

from secgroups.traffic.ranges import Range, Ranges
from tests.secgroups.traffic.universe import NUMBERS, range_lists, sets


def members(ranges: Iterable[Range]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(range_lists)
def test_a_set_has_the_members_of_its_ranges(ranges: list[Range]) -> None:
    assert members(Ranges.of(*ranges).ranges) == members(ranges)
    assert Ranges.of(*ranges).size == len(members(ranges))


@given(range_lists)
def test_ranges_are_sorted_with_gaps_between_them(ranges: list[Range]) -> None:
    assert all(before[1] + 1 < after[0] for before, after in pairwise(Ranges.of(*ranges).ranges))


@given(sets, sets)
def test_operations_are_those_of_sets(one: Ranges, other: Ranges) -> None:
    left, right = members(one.ranges), members(other.ranges)
    for result, expected in (
        (one | other, left | right),
        (one & other, left & right),
        (one - other, left - right),
    ):
        assert members(result.ranges) == expected
        assert result == Ranges.of(*result.ranges)
    assert (one <= other) == (left <= right)
    assert bool(one) == bool(left)
    assert {number for number in NUMBERS if number in one} == left
