"""Conditions: what Django makes of them, and which have one shape."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.models import F
from django.db.models.lookups import Exact
from hypothesis import given
from hypothesis import strategies as st

from inventory.db.conditions import (
    EVERYTHING,
    NOTHING,
    Condition,
    Params,
    all_of,
    any_of,
    compare,
    compare_by,
    fixed,
)
from inventory.models import Vm
from tests.cast import Cast

A, B = compare("name", "a"), compare("name", "b")


def names(condition: Condition) -> list[str]:
    return sorted(Vm.objects.filter(condition.q()).values_list("name", flat=True))


@pytest.fixture
def vms(cast: Cast) -> None:
    Vm.objects.all().delete()
    for name in "abc":
        Vm.objects.create(provider=cast.acme, ems_ref=f"i-{name}", name=name, cloud=True)


@pytest.mark.usefixtures("vms")
@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (EVERYTHING, "abc"),
        (NOTHING, ""),
        (A, "a"),
        (compare_by(Exact, F("name"), "a"), "a"),
        (fixed(A.q()), "a"),
        (A | B, "ab"),
        (A & B, ""),
        (~A, "bc"),
        (~(A | B), "c"),
        (~A & ~B, "c"),
        (compare("name__gt", "a") & ~B, "c"),
        (compare("cloud", True) & A, "a"),
        (any_of([]), ""),
        (all_of([]), "abc"),
    ],
)
def test_it_finds_what_django_finds(condition: Condition, found: str) -> None:
    assert names(condition) == list(found)


@pytest.mark.parametrize(
    ("made", "same"),
    [
        (EVERYTHING & A, A),
        (A & EVERYTHING, A),
        (NOTHING & A, NOTHING),
        (A & NOTHING, NOTHING),
        (EVERYTHING | A, EVERYTHING),
        (A | EVERYTHING, EVERYTHING),
        (NOTHING | A, A),
        (A | NOTHING, A),
        (~EVERYTHING, NOTHING),
        (~NOTHING, EVERYTHING),
    ],
)
def test_everything_and_nothing_are_no_part_of_others(made: Condition, same: Condition) -> None:
    assert made == same


@pytest.mark.parametrize("make", [lambda one: one, lambda one: ~one, lambda one: one & A, lambda one: A | one])
@given(st.text(), st.text())
def test_the_values_are_no_part_of_the_shape(make: Callable[[Condition], Condition], one: str, other: str) -> None:
    made, too = make(compare("name", one)), make(compare("name", other))
    assert hash(made.shape) == hash(too.shape)
    assert made.shape == too.shape
    assert made.recurs


def test_other_shapes_are_told_apart() -> None:
    shapes = [
        one.shape
        for one in (
            A,
            ~A,
            A & B,
            A | B,
            compare("name__gt", "a"),
            compare_by(Exact, F("name"), "a"),
            compare_by(Exact, F("ems_ref"), "a"),
            compare("cloud", True),
            compare("cloud", False),
        )
    ]
    assert len({*shapes}) == len(shapes)


@pytest.mark.parametrize("value", [["a"], 1.5, None, {"a"}])
def test_what_a_compiled_query_does_not_take_as_it_is_does_not_recur(value: object) -> None:
    assert not compare("name__in", value).recurs
    assert not (A | compare("name__in", value)).recurs


def test_each_value_has_a_param_of_its_own_in_the_order_of_the_shape() -> None:
    params = Params()
    first, second = params.of(A & ~B), params.of(compare("pk__gt", 7))
    assert params.values == {"value_0": "a", "value_1": "b", "value_2": 7}
    assert [param.name for param in (*first.values, *second.values)] == [*params.values]
