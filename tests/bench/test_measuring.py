from __future__ import annotations

import pytest

from tests.bench.measuring import Measured, Probe, Series, ratio, take_turns


def series(*rounds: list[float], cpu: float = 0) -> Series:
    return Series(list(rounds), cpu)


def test_the_median_and_the_95th_percentile_are_of_all_requests() -> None:
    found = series([float(n) for n in range(1, 51)], [float(n) for n in range(51, 102)])
    assert found.median == 51
    assert found.p95 == 96


def test_a_request_costs_its_part_of_the_processor_time() -> None:
    assert series([1.0, 1.0], [1.0, 1.0], cpu=2).cpu_each == 0.5


def test_a_ratio_is_that_of_the_rounds_which_were_next_to_each_other() -> None:
    """The machine was slow in the second round, for both: the ratio of all medians would be 3."""
    service, floor = series([2.0], [20.0], [6.0]), series([1.0], [10.0], [2.0])
    assert ratio(service, floor) == 2


def test_a_slow_answer_does_not_make_a_round() -> None:
    assert ratio(series([2.0, 2.0, 90.0]), series([1.0, 1.0, 1.0])) == 2


def test_rounds_without_a_partner_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio(series([1.0], [1.0]), series([1.0]))


def test_the_spread_leaves_the_outer_tenths_out() -> None:
    medians = [90.0, *[100.0] * 18, 900.0]
    assert series(*([one] for one in medians)).spread == 0
    assert series(*([one] for one in (90.0, 90.0, 100.0, 110.0, 110.0))).spread == pytest.approx(0.2)


def test_the_better_of_the_two_floors_is_the_floor() -> None:
    slow, fast = series([4.0], [4.0]), series([2.0], [1.0])
    found = Measured(series([6.0], [6.0]), json=slow, rows=fast, size=1)
    assert found.floor is fast
    assert found.ratio == 4.5


class Recorded(Probe):
    def __init__(self, name: str, turns: list[str]) -> None:
        self.name, self.turns = name, turns

    def turn(self) -> None:
        self.turns.append(self.name)


def test_what_is_compared_takes_turns_and_nobody_is_always_first() -> None:
    turns: list[str] = []
    take_turns([Recorded("a", turns), Recorded("b", turns)], 3, lambda: turns.append("|"))
    assert "".join(turns) == "ab|ba|ab|"
