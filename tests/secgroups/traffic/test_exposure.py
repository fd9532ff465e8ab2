"""Exposures beside what each rule opens, service by service and address by address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgroups.traffic.addresses import FAMILIES, Family, networks, parse_address
from secgroups.traffic.effective import Direction, Line, OtherSide
from secgroups.traffic.exposure import Exposure, exposures
from secgroups.traffic.ranges import Ranges
from secgroups.traffic.services import Service

SERVICES = [
    Service(),
    Service("tcp"),
    Service("tcp", 0, 32767),
    Service("tcp", 32768, 65535),
    Service("tcp", 22, 22),
    Service("tcp", 20, 30),
    Service("udp", 53, 53),
    Service("icmp"),
    Service("icmp", 8),
    Service("icmp", 8, 0),
    Service("odd"),
]
RANGES = [there for service in SERVICES if (there := service.range())]
#: One member of each part into which these services cut all.
MEMBERS = sorted({0, *(edge for first, last in RANGES for edge in (first, last + 1))})[:-1]
PUBLIC = ["1.0.0.0/8", "1.2.0.0/16", "8.8.8.8", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/0", "2a00::/16", "::/0"]
PRIVATE = ["10.0.0.0/8", "fd00::/8"]
DIRECTIONS: list[Direction] = ["inbound", "outbound"]
PROBES = [parse_address(text) for text in ("1.2.3.4", "1.9.9.9", "8.8.8.8", "200.0.0.1", "2a00::1", "2b00::1")]


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    drawn = []
    for rule in range(draw(st.integers(0, 8))):
        texts = draw(st.lists(st.sampled_from(PUBLIC + PRIVATE), min_size=1, max_size=2))
        addresses = draw(st.sampled_from([networks(*texts), networks(*texts), None]))
        direction, service = draw(st.sampled_from(DIRECTIONS)), draw(st.sampled_from(SERVICES))
        rules = frozenset({rule})
        drawn.append(Line(direction, None, service, OtherSide(source_name="x"), addresses, because_of=rules))
    return drawn


def opens(line: Line, service: int, address: int) -> bool:
    services = line.service.range()
    return (
        line.direction == "inbound"
        and services is not None
        and services[0] <= service <= services[1]
        and line.addresses is not None
        and address in line.addresses
    )


def row_of(rows: list[Exposure], family: Family, service: int) -> Exposure | None:
    """The narrowest row of a service."""
    concerned = [
        row
        for row in rows
        if row.family == family and (there := row.service.range()) and there[0] <= service <= there[1]
    ]
    return min(concerned, key=lambda row: Ranges((row.service.range() or (0, 0),)).size, default=None)


@given(lines())
def test_each_service_is_open_to_the_addresses_of_its_narrowest_row(drawn: list[Line]) -> None:
    rows = exposures(drawn)
    for address in PROBES:
        family: Family = "IPV4" if address in FAMILIES["IPV4"] else "IPV6"
        for service in MEMBERS:
            openers = [line for line in drawn if opens(line, service, address)]
            row = row_of(rows, family, service)
            assert bool(openers) == (row is not None and address in row.addresses)
            if row:
                assert {rule for line in openers for rule in line.because_of} <= row.rules


@given(lines())
def test_no_row_is_there_for_nothing(drawn: list[Line]) -> None:
    rows = exposures(drawn)
    assert len({(row.family, row.service) for row in rows}) == len(rows)
    for row in rows:
        assert row.addresses
        assert row.rules
        wider = [
            other
            for other in rows
            if other.family == row.family
            and other.service != row.service
            and _contains(other.service, row.service)
        ]
        narrowest = min(wider, key=lambda other: Ranges((other.service.range() or (0, 0),)).size, default=None)
        assert narrowest is None or narrowest.addresses != row.addresses


def _contains(wide: Service, narrow: Service) -> bool:
    first, last = narrow.range() or (0, 0)
    start, end = wide.range() or (0, 0)
    return start <= first and last <= end


SSH = Service("tcp", 22, 22)


def line(text: str, service: Service = SSH) -> Line:
    side = OtherSide(source_ip_range=text)
    return Line("inbound", None, service, side, networks(text), because_of=frozenset({1}))


@pytest.mark.parametrize(
    ("texts", "breadth"),
    [
        (["0.0.0.0/0"], "world"),
        (["0.0.0.0/1", "128.0.0.0/1"], "world"),
        (["::/0"], "world"),
        (["2000::/3"], "world"),
        (["0.0.0.0/1"], "wide"),
        (["8.0.0.0/15"], "wide"),
        (["8.0.0.0/16"], "narrow"),
        (["2a00::/31"], "wide"),
        (["2a00::/32"], "narrow"),
    ],
)
def test_breadth_is_how_many_public_addresses_there_are(texts: list[str], breadth: str) -> None:
    [row] = exposures(map(line, texts))
    assert row.breadth == breadth


def test_private_addresses_are_not_exposed() -> None:
    assert exposures([line("10.0.0.0/8"), line("fd00::/8")]) == []


def test_halves_of_the_ports_are_the_protocol() -> None:
    halves = [line("8.8.8.8", Service("tcp", 0, 999)), line("8.8.8.8", Service("tcp", 1000, 65535))]
    assert [row.service for row in exposures(halves)] == [Service("tcp")]


def test_what_is_open_to_more_has_a_row_of_its_own() -> None:
    rows = exposures([line("8.8.8.8", Service()), line("9.9.9.9"), line("8.8.8.8", Service("udp"))])
    assert [(row.service, row.addresses) for row in rows] == [
        (Service(), networks("8.8.8.8")),
        (Service("tcp", 22, 22), networks("8.8.8.8", "9.9.9.9")),
    ]
