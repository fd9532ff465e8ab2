"""Effective rules beside what each rule lets through, member by member over a small universe."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

from hypothesis import given
from hypothesis import strategies as st

from secgroups.traffic.effective import Line, OtherSide, effective
from secgroups.traffic.ranges import Ranges
from secgroups.traffic.services import Service
from tests.secgroups.traffic.test_ranges import members
from tests.secgroups.traffic.universe import sets

SERVICES = [
    Service(),
    Service("tcp"),
    Service("tcp", 1, 3),
    Service("tcp", 2, 2),
    Service("tcp", 3, 5),
    Service("icmp", 8),
    Service("icmp", 8, 0),
    Service("no such protocol"),
]
PORTS = [frozenset({1}), frozenset({2}), frozenset({1, 2})]
GROUPS = {pk: Ranges.of((pk, pk), (pk + 4, pk + 6)) for pk in (1, 2, 3)}
#: Where a service of these begins or the one before it ends.
EDGES = sorted(
    {edge for service in SERVICES for first, last in [service.range() or (-1, -1)] for edge in (first, last + 1)}
)


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    drawn = []
    for rule in range(draw(st.integers(0, 12))):
        side, addresses = draw(
            st.one_of(
                sets.map(lambda there: (OtherSide(source_ip_range=str(there.ranges)), there)),
                st.sampled_from(list(GROUPS)).map(lambda pk: (OtherSide(source_security_group=pk), GROUPS[pk])),
                st.sampled_from("xy").map(lambda name: (OtherSide(source_name=name), None)),
            )
        )
        drawn.append(
            Line(
                draw(st.sampled_from(["inbound", "outbound"])),
                draw(st.sampled_from(["IPV4", None])),
                draw(st.sampled_from(SERVICES)),
                side,
                addresses,
                draw(st.sampled_from(PORTS)),
                frozenset({rule}),
            )
        )
    return drawn


def unknown(line: Line) -> set[int]:
    """A list that is not known has one member of each family."""
    name = ord(line.other_side.source_name)
    return {-name} if line.network_protocol else {-name, -name - 1000}


def openings(*lines: Line) -> set[tuple[str, int, int, int]]:
    """What lines let through: by port, by service, by address. What is unknown is one member of its own."""
    opened: set[tuple[str, int, int, int]] = set()
    for line in lines:
        addresses = unknown(line) if line.addresses is None else members(line.addresses.ranges)
        first, last = line.service.range() or (-1, -1)
        if line.service == Service():
            first = -1  # an unknown service is one of all
        services = [edge for edge in EDGES if first <= edge <= last]
        opened |= set(product([line.direction], line.network_ports, services, addresses))
    return opened


@given(lines())
def test_together_they_let_through_what_the_rules_do(drawn: list[Line]) -> None:
    assert openings(*effective(drawn)) == openings(*drawn)


@given(lines())
def test_no_line_contains_another_of_the_same_ports(drawn: list[Line]) -> None:
    opened = [(line.network_ports, openings(line)) for line in effective(drawn)]
    for (ports, inner), (other_ports, outer) in permutations(opened, 2):
        assert ports != other_ports or not inner or not inner <= outer


@given(lines())
def test_every_rule_is_the_reason_of_a_line_that_has_all_of_it(drawn: list[Line]) -> None:
    kept = [(line.because_of, openings(line)) for line in effective(drawn)]
    for line in drawn:
        assert any(line.because_of <= rules and openings(line) <= opened for rules, opened in kept)


@given(lines())
def test_every_rule_is_a_reason_of_each_line_of_its_ports_that_has_all_of_it(drawn: list[Line]) -> None:
    of_one_port = [replace(line, network_ports=frozenset({1})) for line in drawn]
    for rule, line in product(of_one_port, effective(of_one_port)):
        inner = openings(rule)
        assert rule.because_of <= line.because_of or not inner or not inner <= openings(line)


@given(lines(), st.randoms())
def test_their_order_is_the_same_whatever_that_of_the_rules(drawn: list[Line], shuffled: object) -> None:
    mixed = list(drawn)
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    assert list(map(described, effective(mixed))) == list(map(described, effective(drawn)))


def described(line: Line) -> tuple[object, ...]:
    return (*line.key, line.addresses, line.network_ports, line.because_of)


SSH = Line(
    "inbound", "IPV4", Service("tcp", 22, 22), OtherSide(source_ip_range="a"), Ranges.of((1, 3)), frozenset({1})
)


def test_a_rule_that_another_contains_stands_in_its_reasons() -> None:
    wide = replace(
        SSH, service=Service("tcp"), other_side=OtherSide(source_ip_range="b"), because_of=frozenset({1})
    )
    narrow = replace(SSH, addresses=Ranges.of((2, 2)), because_of=frozenset({2}))
    assert list(map(described, effective([narrow, wide]))) == [
        described(replace(wide, because_of=frozenset({1, 2})))
    ]


def test_a_rule_that_several_contain_stands_in_the_reasons_of_each() -> None:
    more_services = replace(SSH, service=Service(), because_of=frozenset({1}))
    more_addresses = [
        replace(
            SSH, addresses=Ranges.of(ends), other_side=OtherSide(source_ip_range=name), because_of=frozenset({pk})
        )
        for pk, name, ends in ((2, "b", (0, 3)), (3, "c", (1, 4)))
    ]
    narrow = replace(SSH, addresses=Ranges.of((2, 2)), because_of=frozenset({4}))
    kept = effective([narrow, more_services, *more_addresses])
    assert sorted(sorted(line.because_of) for line in kept) == [[1, 4], [2, 4], [3, 4]]


def test_lines_of_other_ports_stay_apart() -> None:
    assert len(effective([SSH, replace(SSH, service=Service(), network_ports=frozenset({2}))])) == 2


def test_rules_alike_are_one_line_of_all_their_ports() -> None:
    [line] = effective([SSH, replace(SSH, network_ports=frozenset({2}))])
    assert line.network_ports == {1, 2}
