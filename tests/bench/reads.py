"""`python -m tests.bench.reads`: how fast the API is, beside a floor, with 10,000 and 1,000,000 instances.

The service and the floor (`tests/bench/floor.py`) run on the web server of production before the same PostgreSQL
and take turns. Writes the tables between the marks of `docs/performance.md`; `--quick` only prints them, after a
fraction of the time, with small inventories.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from tests.bench.cases import LIST, ONE
from tests.bench.compared import compare, growth, reads
from tests.bench.filled import filled
from tests.bench.load import TURNS, capacity, process, rates, starts, weigh
from tests.bench.machine import Noise, description
from tests.bench.posting import accept, acceptance
from tests.bench.report import write
from tests.bench.side import Side, side
from tests.bench.stage import stage


def options() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.bench.reads", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, small inventories, nothing written")
    parser.add_argument("--instances", type=int, help="the small inventory (10,000)")
    parser.add_argument("--many", type=int, help="the large one (1,000,000); 0 for none")
    parser.add_argument("--rounds", type=int, help="how often what is compared takes turns (15)")
    parser.add_argument("--requests", type=int, help="after how many a web process is weighed (100,000)")
    asked = parser.parse_args()
    usual = (5_000, 20_000, 3, 1_000) if asked.quick else (10_000, 1_000_000, 15, 100_000)
    for name, value in zip(("instances", "many", "rounds", "requests"), usual, strict=True):
        if getattr(asked, name) is None:
            setattr(asked, name, value)
    return asked


def main() -> None:
    asked = options()
    with stage() as (server, folder), ExitStack() as stack:
        sizes = [instances for instances in (asked.instances, asked.many) if instances]
        databases = [stack.enter_context(filled(server, folder, size)) for size in sizes]
        made = "\n\n".join(shown(measure(asked, [stack.enter_context(side(one)) for one in databases])))
    if not asked.quick:
        write(made, "bench")


def measure(asked: Namespace, sides: Sequence[Side]) -> Iterator[object]:
    """The parts of the report, each as soon as it is there."""
    noise = Noise()
    noise.look()
    small = sides[0]
    found = []
    for one in compare(sides, asked.rounds):
        found.append(one)
        noise.look()
        print(f"{one.case.title}: {one.at[0].ratio:.2f} times the floor", file=sys.stderr)  # noqa: T201
    yield reads(found, asked.instances)
    if len(sides) > 1:
        yield growth(found, asked.instances, asked.many)
    yield acceptance(accept(small, asked.rounds))
    noise.look()
    turns = min(asked.rounds, TURNS)
    yield capacity({case.name: rates(small, case, turns) for case in (ONE, LIST)})
    yield process(*weigh(small, asked.requests), asked.requests, starts(small))
    noise.look()
    with small.filled.connect() as database:
        floor = found[0].at[0].floor
        yield (
            f"On {description(database)}, in {asked.rounds} rounds. A fixed loop took {noise}; the medians of"
            f" the rounds of the floor's {found[0].case.title} lie within {floor.spread:.0%}."
        )


def shown(parts: Iterable[object]) -> Iterator[str]:
    for part in parts:
        print(part, end="\n\n", flush=True)  # noqa: T201
        yield str(part)


if __name__ == "__main__":
    main()
