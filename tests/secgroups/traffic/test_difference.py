"""What appears and disappears, beside what each line lets through, member by member over a small universe."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from secgroups.traffic.difference import GrowingRules, difference
from secgroups.traffic.effective import Line, OtherSide, effective
from secgroups.traffic.ranges import Ranges
from secgroups.traffic.services import Service
from tests.secgroups.traffic.test_effective import SSH, described, lines, openings

growths = st.lists(lines(), min_size=1, max_size=4)


@given(lines(), lines())
def test_what_appears_is_every_line_that_lets_through_something_new(before: list[Line], after: list[Line]) -> None:
    had = openings(*before)
    expected = [described(line) for line in effective(after) if not openings(line) <= had]
    assert list(map(described, difference(before, after).appear)) == expected


@given(lines(), lines())
def test_what_disappears_is_what_appears_the_other_way_round(before: list[Line], after: list[Line]) -> None:
    forth, back = difference(before, after), difference(after, before)
    assert list(map(described, forth.disappear)) == list(map(described, back.appear))


@given(growths)
def test_growing_shows_step_by_step_what_the_difference_is(steps: list[list[Line]]) -> None:
    first, *others = steps
    rules, before = GrowingRules(first), list(first)
    for added in others:
        after = before + added
        expected = list(map(described, difference(before, after).appear))
        assert list(map(described, rules.grow(added))) == expected
        before = after


@given(lines())
def test_reasons_alone_are_no_difference(drawn: list[Line]) -> None:
    others = [replace(line, because_of=frozenset({-1})) for line in drawn]
    assert difference(drawn, others) == ([], [])


def test_two_that_together_let_it_through_are_enough() -> None:
    halves = [
        replace(SSH, addresses=Ranges.of(ends), other_side=OtherSide(source_ip_range=str(ends)))
        for ends in ((1, 2), (3, 3))
    ]
    appear, disappear = difference(halves, [SSH])
    assert (appear, len(disappear)) == ([], 0)


def test_one_of_two_ports_is_something_new() -> None:
    wider = replace(SSH, network_ports=frozenset({1, 2}))
    assert list(map(described, difference([SSH], [wider]).appear)) == [described(wider)]


def test_more_members_of_a_group_appear() -> None:
    side = OtherSide(source_security_group=1)
    before, after = (replace(SSH, other_side=side, addresses=Ranges.of((1, last))) for last in (3, 4))
    assert list(map(described, GrowingRules([before]).grow([after]))) == [described(after)]
    assert difference([before], [after]).disappear == []


def test_a_line_without_addresses_lets_nothing_through() -> None:
    nobody = replace(SSH, addresses=Ranges())
    assert difference([], [nobody]) == ([], [])


def test_a_list_that_is_not_known_is_new_beside_another_one() -> None:
    unknown = replace(SSH, other_side=OtherSide(source_name="pl-1"), addresses=None)
    other = replace(unknown, other_side=OtherSide(source_name="pl-2"))
    assert difference([unknown], [unknown, other]).appear == [other]
    assert difference([unknown], [unknown]) == ([], [])


def test_a_service_that_is_not_known_is_new_beside_what_is_not_everything() -> None:
    odd = replace(SSH, service=Service("no such protocol"))
    assert difference([SSH], [odd]).appear == [odd]
    assert difference([replace(SSH, service=Service())], [odd]).appear == []
