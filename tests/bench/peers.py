"""`python -m tests.bench.peers`: the same reads of NetBox and Neutron, which take turns with Portcullis.

A peer that can't be had here is said why and left out. Writes a table between the marks of `docs/performance.md`;
`--quick` only prints it, after a fraction of the time, with few rows.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack

from tests.bench.cases import BY_NAME
from tests.bench.filled import filled
from tests.bench.machine import Noise, description
from tests.bench.measuring import Probe, Series, ratio, take_turns
from tests.bench.netbox import netbox
from tests.bench.neutron import neutron
from tests.bench.peer import Peer, Unavailable
from tests.bench.report import Aim, Section, milliseconds, write
from tests.bench.side import Side, side
from tests.bench.stage import stage

#: How many times as fast Portcullis is to be, by the peer and what is read; of all else the last.
AIMS = {("NetBox", "list-1000"): 25, ("NetBox", ""): 8, ("Neutron", "with-rules"): 10}
READS = ("list-1000", "list-50", "one", "filtered-50", "offset", "with-rules")


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.bench.peers", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, few rows, nothing written")
    quick = parser.parse_args().quick
    rounds, instances, groups = (2, 5_000, 50) if quick else (7, 10_000, 1_000)
    with stage() as (server, folder), ExitStack() as stack:
        ours = stack.enter_context(side(stack.enter_context(filled(server, folder, instances))))
        wanted = {"NetBox": netbox(server, folder, instances), "Neutron": neutron(groups)}
        peers = [peer for name, one in wanted.items() if (peer := _started(stack, name, one))]
        noise = Noise()
        made = str(compare(ours, peers, rounds, noise))
        with ours.filled.connect() as database:
            made += f"\n\nOn {description(database)}, in {rounds} rounds. A fixed loop took {noise}."
    print(made)  # noqa: T201
    if peers and not quick:
        write(made, "peers")


def _started(stack: ExitStack, name: str, peer: AbstractContextManager[Peer]) -> Peer | None:
    try:
        return stack.enter_context(peer)
    except Unavailable as why:
        print(f"{name} is left out: {why}", file=sys.stderr)  # noqa: T201
        return None


def compare(ours: Side, peers: Sequence[Peer], rounds: int, noise: Noise) -> Section:
    """Medians, and how many times as long as Portcullis each peer takes."""
    rows = []
    for case in map(BY_NAME.__getitem__, READS):
        mine = Probe(ours.service, ours.requests(case, "service"), case.batch)
        theirs = {peer.name: peer.probe(case.name, case.batch) for peer in peers if case.name in peer.paths}
        take_turns([mine, *theirs.values()], rounds)
        noise.look()
        cells = [_cells(peer.name, case.name, mine.series, theirs.get(peer.name)) for peer in peers]
        rows.append((case.title, milliseconds(mine.series.median), *(cell for two in cells for cell in two)))
    headers = ["milliseconds", "Portcullis", *(name for peer in peers for name in (peer.name, "times as long"))]
    return Section("Beside peers", headers, rows)


def _cells(name: str, case: str, mine: Series, probe: Probe | None) -> tuple[object, object]:
    if probe is None:
        return "", ""
    aim = AIMS.get((name, case), AIMS.get((name, "")))
    reached = Aim(ratio(probe.series, mine), aim, at_least=True, form="{:.1f}")
    return milliseconds(probe.series.median), reached


if __name__ == "__main__":
    main()
