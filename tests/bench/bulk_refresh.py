"""`python -m tests.bench.bulk_refresh`: a full refresh of a very large account, beside COPY of the same rows.

On the PostgreSQL of `DATABASE_URL`, in a database of its own. The refreshes of `at_once` and COPY into the same
tables take turns, so that whatever else the machine does meets both. Writes the tables between the marks of
`docs/performance.md`; `--quick` only prints them, after one round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from tests.bench.copying import Tables
from tests.bench.filled import database
from tests.bench.machine import Noise, description
from tests.bench.report import Aim, Section, write
from tests.bench.stage import stage

#: How often what is compared takes turns.
ROUNDS = 3
WHAT = {"copy": "COPY", "first": "first", "unchanged": "unchanged", "renamed": "every instance renamed"}
#: What part of COPY's rows a second the first makes at least, how many times as fast an unchanged one is, and MB.
OF_COPY, UNCHANGED, MEMORY = 0.5, 5, 600
#: What each of `WHAT` took, as `Taken`, how many `rows` there are, and `peak` and `before` as `at_once` has them.
Round = Mapping[str, Any]


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.bench.bulk_refresh", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round, nothing written")
    rounds = 1 if (quick := parser.parse_args().quick) else ROUNDS
    noise, found = Noise(), []
    with stage() as (server, folder), database(server) as url:
        with psycopg.connect(url) as connection:
            machine = description(connection)
        for one in measured(url, folder, rounds):
            found.append(one)
            noise.look()
    on = f"On {machine}, in {rounds} rounds. A fixed loop took {noise}."
    made = "\n\n".join(map(str, (taken(found), goals(found), on)))
    print(made)  # noqa: T201
    if not quick:
        write(made, "bulk")


def measured(url: str, folder: Path, rounds: int) -> Iterator[Round]:
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "settings.test"}
    run(environment, "django", "migrate", "--verbosity=0")
    run(environment, "tests.bench.at_once")
    tables = Tables(url)
    rows = tables.save(folder)
    for _ in range(rounds):
        tables.empty()
        copied = asdict(tables.load(folder))
        tables.empty()
        yield {"rows": rows, "copy": copied, **json.loads(run(environment, "tests.bench.at_once"))}
    tables.close()


def taken(rounds: Sequence[Round]) -> Section:
    rows = []
    for what, words in WHAT.items():
        wall, cpu = (median(one[what][by] for one in rounds) for by in ("wall", "cpu"))
        rows.append((words, f"{wall:.1f}", f"{cpu:.1f}", f"{rounds[0]['rows'] / wall:,.0f}"))
    return Section(
        f"Refreshes of {rounds[0]['rows']:,} rows", ("", "seconds", "of processors", "rows a second"), rows
    )


def goals(rounds: Sequence[Round]) -> Section:
    """The medians of the ratios, by the clock and by processors, and the worst of the memory."""
    copy, unchanged = ratios(rounds, "copy", "first"), ratios(rounds, "first", "unchanged")
    peak, before = (max(one[name] for one in rounds) for name in ("peak", "before"))
    rows = [
        ("rows a second of the first / of COPY", Aim(copy["wall"], OF_COPY, at_least=True), Aim(copy["cpu"])),
        (
            "seconds of the first / of an unchanged one",
            Aim(unchanged["wall"], UNCHANGED, at_least=True),
            Aim(unchanged["cpu"]),
        ),
        ("MB that the process has at most", Aim(peak, MEMORY, form="{:.0f}"), ""),
        ("of that with the account before it begins", f"{before:.0f}", ""),
    ]
    return Section("Refreshes beside COPY", ("", "by the clock", "by processors"), rows)


def ratios(rounds: Sequence[Round], one: str, other: str) -> dict[str, float]:
    return {by: median(each[one][by] / each[other][by] for each in rounds) for by in ("wall", "cpu")}


def run(environment: Mapping[str, str], module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
