"""How fast changes are accepted, beside the bare transaction that inserts their rows."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.bench import accepting
from tests.bench.client import Client, request
from tests.bench.measuring import Measured, Probe, measured, ratio, take_turns
from tests.bench.report import Aim, Section, milliseconds
from tests.bench.side import HOW, Side

#: How many groups a request has, and how many requests a round.
BATCHES = {1: 20, 1000: 2}
#: Names that lead to one group each.
_NAMES = """SELECT name FROM secgroups_securitygroup GROUP BY name HAVING count(*) = 1 ORDER BY min(id) LIMIT %s"""
#: How often the time of one group a thousand may take, and one that of the floor.
_MANY, _ONE = 20, 3


@dataclass(frozen=True)
class Accepted:
    one: Measured
    many: Measured

    @property
    def growth(self) -> float:
        return ratio(self.many.service, self.one.service)


def accept(side: Side, rounds: int) -> Accepted:
    with side.filled.connect() as database:
        names = [name for (name,) in database.execute(_NAMES, [max(BATCHES)])]
        names += [f"group that is not there {n}" for n in range(max(BATCHES) - len(names))]
        found = {}
        for size, batch in BATCHES.items():
            body = accepting.body(names[:size])
            _check(side, body, size)
            probes = [Probe(side.server(how), _requests(side, how, body), batch) for how in HOW]
            # Else a queue would be full some time, and each request look at more rows than the one before.
            take_turns(probes, rounds, lambda: database.execute("TRUNCATE inventory_task"))
            found[size] = measured(*probes)
    return Accepted(*found.values())


def _requests(side: Side, how: str, body: bytes) -> list[bytes]:
    if how == "service":
        paths, headers = "/api/instances/{pk}/security_groups", {"X-Auth-Token": side.filled.token}
    else:
        paths, headers = f"/{how}/{{pk}}", {}
    return [request("POST", paths.format(**values), headers, body) for values in side.filled.values]


def _check(side: Side, body: bytes, size: int) -> None:
    """Both accept everything, and write the same rows, but for what the floor does not look up."""
    rows = []
    for how in HOW:
        with Client(side.server(how).port) as client, side.filled.connect() as database:
            results = json.loads(client.ask(_requests(side, how, body)[0]))["results"]
            assert [one["success"] for one in results] == [True] * size, results
            ids = [int(one["task_id"]) for one in results]
            found = database.execute(
                "SELECT name, message, state, queue, vm_id, provider_id, arguments - 'group' FROM inventory_task"
                " WHERE id = ANY(%s) ORDER BY id",
                [ids],
            )
            rows.append(found.fetchall())
    assert rows[0] == rows[1] == rows[2], rows


def acceptance(found: Accepted) -> Section:
    headers = (
        "milliseconds",
        "p50",
        "p95",
        "CPU",
        "floor: JSON",
        "floor: rows",
        "times the floor",
        "times one",
    )
    rows = [
        ("one group", *_cells(found.one), Aim(found.one.ratio, _ONE), ""),
        ("1000 groups in one request", *_cells(found.many), Aim(found.many.ratio), Aim(found.growth, _MANY)),
    ]
    return Section("POST `add`", headers, rows)


def _cells(here: Measured) -> list[str]:
    service = here.service
    times = (service.median, service.p95, service.cpu_each, here.json.median, here.rows.median)
    return [milliseconds(seconds) for seconds in times]
