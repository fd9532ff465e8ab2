"""`python -m tests.bench.analyses`: how fast answers about what rules mean are, with 1,000,000 instances.

The service runs on the web server of production, before PostgreSQL. Each question about an instance is asked with
many different ones, and its p95 stands beside a bound. Then come the seconds of exposures. Writes the tables
between the marks of `docs/performance.md`; `--quick` only prints them, with a small inventory. `--keep DATABASE`
saves the minutes of filling the next time.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from urllib.parse import urlencode

from tests.bench.client import request
from tests.bench.filled import Filled, filled, inside
from tests.bench.machine import Noise, description
from tests.bench.measuring import Probe, take_turns
from tests.bench.report import Aim, Section, milliseconds, write
from tests.bench.server import SERVICE, Server, serving
from tests.bench.stage import stage

BUSY, GROUPS_OF_ONE, RULES_OF_EACH = 20, 5, 60
ROUNDS, BATCH = 10, 20


@dataclass(frozen=True, slots=True)
class Question:
    """`path` and `query` have placeholders; `bound` is in milliseconds, at p95. With a `body` it is a POST."""

    title: str
    path: str
    bound: float
    query: Mapping[str, str] | None = None
    body: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def request(self, token: str, values: Mapping[str, Any]) -> bytes:
        query = {name: text.format(**values) for name, text in (self.query or {}).items()}
        path = self.path.format(**values) + (f"?{urlencode(query)}" if query else "")
        body = json.dumps(self.body(values)) if self.body else ""
        return request("POST" if body else "GET", path, {"X-Auth-Token": token}, body.encode())


_SSH = {"protocol": "tcp", "port": "22"}
QUESTIONS = (
    Question(
        f"effective rules of an instance with {GROUPS_OF_ONE} groups of {RULES_OF_EACH} rules",
        "/api/instances/{busy}",
        5,
        {"attributes": "effective_rules"},
    ),
    Question("effective rules of an instance", "/api/instances/{pk}", 5, {"attributes": "effective_rules"}),
    Question(
        "A to B on a port",
        "/api/reachability",
        20,
        {"from": "instances/{other}", "to": "instances/{pk}", **_SSH},
    ),
    Question(
        "who can reach an instance, one source being a group of half of all",
        "/api/reachability",
        50,
        {"to": "instances/{busy}", "protocol": "tcp", "port": "0", "limit": "50"},
    ),
    Question("what the internet can reach", "/api/reachability", 50, {"from": "internet", **_SSH, "limit": "50"}),
    Question("exposures, the first page", "/api/exposures", 5, {"expand": "resources", "limit": "50"}),
    Question(
        f"preview of a group for an instance with {GROUPS_OF_ONE} groups of {RULES_OF_EACH} rules",
        "/api/instances/{busy}/security_groups",
        25,
        body=lambda values: {"action": "add", "dry_run": True, "resource": {"id": str(values["group"])}},
    ),
    Question(
        "preview of 1,000 groups for it",
        "/api/instances/{busy}/security_groups",
        200,
        body=lambda values: {
            "action": "add",
            "dry_run": True,
            "resources": [{"id": str(group)} for group in values["many"]],
        },
    ),
)
#: In seconds, as `tests.bench.inside` names them.
EXPOSURES = {"in full": 60, "after one rule": 1, "after one membership of the largest group": 1}


def options() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.bench.analyses", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small inventory, nothing written")
    parser.add_argument("--instances", type=int, help="how many (1,000,000)")
    parser.add_argument("--keep", metavar="DATABASE", help="fill a database of this name once, and leave it")
    arguments = parser.parse_args()
    arguments.instances = arguments.instances or (5_000 if arguments.quick else 1_000_000)
    return arguments


def main() -> None:
    arguments = options()
    with stage() as (server, folder), ExitStack() as stack:
        inventory = stack.enter_context(filled(server, folder, arguments.instances, arguments.keep))
        busy = inside(inventory.environment, "busy", *map(str, (BUSY, GROUPS_OF_ONE, RULES_OF_EACH)))
        with inventory.connect() as database:
            database.execute("VACUUM ANALYZE")
        with serving(SERVICE, inventory.environment) as service:
            answers = list(measure(service, inventory, busy))
        report = "\n\n".join(map(str, [*answers, exposures(inventory)]))
    print(report)  # noqa: T201
    if not arguments.quick:
        write(report, "analyses")


def measure(service: Server, inventory: Filled, busy: Sequence[Mapping[str, Any]]) -> Iterator[object]:
    noise = Noise()
    others = [values["pk"] for values in inventory.values]
    values = [
        {**each, **of_busy, "other": other}
        for each, of_busy, other in zip(inventory.values, cycle(busy), [*others[1:], others[0]])
    ]
    probes = [
        Probe(service, [question.request(inventory.token, each) for each in values], BATCH)
        for question in QUESTIONS
    ]
    for probe in probes:
        probe.turn()
        probe.series.rounds.clear()
    take_turns(probes, ROUNDS, noise.look)
    rows = [
        (
            question.title,
            f"{probe.size / 1000:,.1f} kB",
            milliseconds(probe.series.median),
            Aim(probe.series.p95 * 1000, question.bound, form="{:.1f}"),
        )
        for question, probe in zip(QUESTIONS, probes, strict=True)
    ]
    yield Section(
        f"What rules mean, with {inventory.instances:,} instances", ("milliseconds", "answer", "p50", "p95"), rows
    )
    with inventory.connect() as database:
        yield f"On {description(database)}, in {ROUNDS} rounds. A fixed loop took {noise}."


def exposures(inventory: Filled) -> Section:
    seconds = inside(inventory.environment, "exposures")
    rows = [(title, Aim(seconds[title], bound)) for title, bound in EXPOSURES.items()]
    return Section("Exposures", ("", "seconds"), rows)


if __name__ == "__main__":
    main()
