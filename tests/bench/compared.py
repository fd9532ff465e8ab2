"""The reads, beside the floor and with a small and a large inventory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.bench.cases import CASES, ONE, Case
from tests.bench.measuring import Measured, Probe, measured, ratio, take_turns
from tests.bench.report import Aim, Section, milliseconds
from tests.bench.side import HOW, Side

_BASIC = replace(ONE, title="one resource, HTTP Basic", aim=None, aim_growth=None, batch=3)
_HEADERS = (
    "answer",
    "queries",
    "p50",
    "p95",
    "CPU",
    "floor: JSON",
    "floor: rows",
    "its p95",
    "its CPU",
    "times the floor",
)


@dataclass(frozen=True)
class Compared:
    case: Case
    queries: int | None
    #: With the small inventory and, if there is one, with the large.
    at: Sequence[Measured]

    @property
    def growth(self) -> float:
        return ratio(self.at[1].service, self.at[0].service)


def compare(sides: Sequence[Side], rounds: int) -> Iterator[Compared]:
    """Each kind of read in turn; all servers take turns at it."""
    variant = sides[0].filled.values[0]
    queries = sides[0].filled.queries([case.url(variant) for case in CASES])
    for case in (*CASES, _BASIC):
        basic = case is _BASIC
        asked = sides[:1] if basic else sides
        probes = [
            [Probe(side.server(how), side.requests(case, how, basic=basic), case.batch) for how in HOW]
            for side in asked
        ]
        take_turns([probe for three in probes for probe in three], rounds)
        count = None if basic else queries[case.url(variant)]
        yield Compared(case, count, [measured(*three) for three in probes])


def reads(found: Sequence[Compared], instances: int) -> Section:
    """Against the floor."""
    rows = [(one.case.title, *_cells(one), Aim(one.at[0].ratio, one.case.aim)) for one in found]
    return Section(f"Reads of {instances:,} instances", ("milliseconds", *_HEADERS), rows)


def _cells(one: Compared) -> tuple[str, ...]:
    here = one.at[0]
    times = (here.service.median, here.service.p95, here.service.cpu_each, here.json.median, here.rows.median)
    floor = (here.floor.p95, here.floor.cpu_each)
    size = f"{here.size / 1000:,.1f} kB"
    return (size, "" if one.queries is None else str(one.queries), *map(milliseconds, (*times, *floor)))


def growth(found: Sequence[Compared], small: int, large: int) -> Section:
    """With the large inventory, against the small one and against the floor there."""
    headers = (
        "milliseconds",
        f"{small:,}",
        f"{large:,}",
        "times as long",
        f"floor at {large:,}",
        "times the floor",
    )
    rows = [
        (
            one.case.title,
            *(milliseconds(at.service.median) for at in one.at),
            Aim(one.growth, one.case.aim_growth),
            milliseconds(one.at[1].floor.median),
            Aim(one.at[1].ratio, one.case.aim_large),
        )
        for one in found
        if len(one.at) > 1
    ]
    return Section(f"From {small:,} to {large:,} instances", headers, rows)
