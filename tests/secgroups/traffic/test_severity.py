"""Severities, beside the table of `docs/exposure.md`."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from secgroups.traffic.exposure import Breadth
from secgroups.traffic.services import Service
from secgroups.traffic.severity import SEVERITIES, Holder, Severity, severity
from secgroups.traffic.well_known import name_of
from tests.test_architecture import ROOT

BREADTHS: tuple[Breadth, ...] = get_args(Breadth)
HOLDERS: tuple[Holder, ...] = get_args(Holder)
SERVICES = {
    "control": Service("tcp", 22, 22),
    "data": Service("tcp", 5432, 5432),
    "internal": Service("tcp", 8080, 8080),
    "published": Service("tcp", 443, 443),
}
ROW = re.compile(
    r"\| (?:\*\*(?P<purpose>\w+)\*\*[^|]*)?\| (?P<breadths>`[^|]*) "
    r"\| (?P<public>\w+) \| (?P<private>\w+) \| (?P<nothing>\w+) \|"
)


def documented() -> dict[tuple[str, str, str], str]:
    table, purpose = {}, ""
    for row in ROW.finditer((Path(ROOT) / "docs" / "exposure.md").read_text()):
        purpose = row["purpose"] or purpose
        for breadth, holder in product(re.findall(r"`(\w+)`", row["breadths"]), HOLDERS):
            table[purpose, breadth, holder] = row[holder]
    return table


def test_the_table_is_as_documented() -> None:
    cases = list(product(SERVICES, BREADTHS, HOLDERS))
    assert documented() == {
        (purpose, breadth, holder): severity(SERVICES[purpose], breadth, holder)
        for purpose, breadth, holder in cases
    }


def rank(found: Severity) -> int:
    return SEVERITIES.index(found)


@pytest.mark.parametrize("service", SERVICES.values())
def test_it_is_never_worse_for_fewer_addresses_or_less_that_has_it(service: Service) -> None:
    for holder in HOLDERS:
        ranks = [rank(severity(service, breadth, holder)) for breadth in BREADTHS]
        assert ranks == sorted(ranks)
    for breadth in BREADTHS:
        ranks = [rank(severity(service, breadth, holder)) for holder in HOLDERS]
        assert ranks == sorted(ranks)
        assert rank(severity(service, breadth, "nothing")) >= rank("low")


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (Service(), "critical"),
        (Service("tcp"), "critical"),
        (Service("tcp", 20, 25), "critical"),
        (Service("tcp", 1024, 65535), "critical"),
        (Service("tcp", 442, 443), "high"),
        (Service("tcp", 3000, 3000), "high"),
        (Service("udp", 3000, 3000), "high"),
        (Service("47"), "high"),
        (Service("icmp"), "low"),
        (Service("icmp", 8, 0), "low"),
        (Service("esp"), "low"),
        (Service("udp", 53, 53), "low"),
    ],
)
def test_the_worst_that_is_let_in_counts(service: Service, expected: Severity) -> None:
    assert severity(service, "world", "public") == expected


@pytest.mark.parametrize(
    ("service", "name"),
    [
        (Service("tcp", 22, 22), "ssh"),
        (Service("tcp", 22), "ssh"),
        (Service("udp", 22, 22), None),
        (Service("tcp", 3389, 3389), "rdp"),
        (Service("tcp", 5432, 5432), "postgresql"),
        (Service("tcp", 22, 23), None),
        (Service("tcp"), None),
        (Service(), None),
        (Service("icmp", 0, 22), None),
    ],
)
def test_a_single_port_has_its_usual_name(service: Service, name: str | None) -> None:
    assert name_of(service) == name
