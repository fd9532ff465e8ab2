"""`python -m tests.bench.grants`: what grants cost a reader, with 1,000,000 instances.

The same reads by a user with grants on 50 tenants and by one who may see everything take turns, on the web server
of production, before PostgreSQL. Writes the table between the marks of `docs/performance.md`; `--quick` prints it,
with a small inventory.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator

from tests.bench.client import request
from tests.bench.filled import Filled, filled, inside
from tests.bench.machine import Noise, description
from tests.bench.measuring import Probe, ratio, take_turns
from tests.bench.report import Aim, Section, milliseconds, write
from tests.bench.server import SERVICE, Server, serving
from tests.bench.stage import stage

GRANTS = 50
ROUNDS, BATCH = 15, 20
READS = {
    "list of 1000": "/api/vms?expand=resources&limit=1000",
    "list of 50": "/api/vms?expand=resources&limit=50",
    "one resource": "/api/vms/{pk}",
    "an instance's groups": "/api/instances/{pk}/security_groups?expand=resources",
}
#: At most so many times as long as without grants.
AIM = 1.2


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.bench.grants", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small inventory, nothing written")
    parser.add_argument("--keep", metavar="DATABASE", help="fill a database of this name once, and leave it")
    arguments = parser.parse_args()
    quick, instances = arguments.quick, 5_000 if arguments.quick else 1_000_000
    with stage() as (server, folder), filled(server, folder, instances, arguments.keep) as inventory:
        granted = inside(inventory.environment, "granted", str(GRANTS))
        with serving(SERVICE, inventory.environment) as service:
            report = "\n\n".join(map(str, measure(service, inventory, granted["token"], granted["instances"])))
    print(report)  # noqa: T201
    if not quick:
        write(report, "grants")


def measure(service: Server, inventory: Filled, token: str, instances: list[int]) -> Iterator[object]:
    noise = Noise()
    probes = {
        title: [
            Probe(
                service, [request("GET", path.format(pk=pk), {"X-Auth-Token": caller}) for pk in instances], BATCH
            )
            for caller in (inventory.token, token)
        ]
        for title, path in READS.items()
    }
    in_turn = [probe for pair in probes.values() for probe in pair]
    for probe in in_turn:
        probe.turn()
        probe.series.rounds.clear()
    take_turns(in_turn, ROUNDS, noise.look)
    rows = [
        (
            title,
            milliseconds(everything.series.median),
            milliseconds(granted.series.median),
            Aim(ratio(granted.series, everything.series), AIM),
        )
        for title, (everything, granted) in probes.items()
    ]
    headers = ("milliseconds", "everything", f"{GRANTS} grants", "times as long")
    yield Section(f"Reads by who has grants, of {inventory.instances:,} instances", headers, rows)
    with inventory.connect() as database:
        yield f"On {description(database)}, in {ROUNDS} rounds. A fixed loop took {noise}."


if __name__ == "__main__":
    main()
