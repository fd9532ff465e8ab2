"""`python -m tests.bench.bulk_refresh`: a full refresh of a very large account, beside COPY of the same rows.

On the PostgreSQL of `DATABASE_URL`, in a database of its own. The refreshes of `at_once` and COPY into the same
tables take turns, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.copying import Tables
from tests.e2e.installation import fresh_database

#: How often what is compared takes turns.
ROUNDS = 3


def main() -> dict[str, float]:
    """Print the figures; returns what the goals are about: two ratios, and MB."""
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        sys.exit("This compares with PostgreSQL's COPY: set DATABASE_URL.")
    with fresh_database() as database, tempfile.TemporaryDirectory(prefix="portcullis-bench-") as folder:
        return measure(database["DATABASE_URL"], Path(folder))


def measure(url: str, folder: Path) -> dict[str, float]:
    var = str(folder / "var")
    settings = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "settings.test", "PORTCULLIS_VAR": var}
    environment = os.environ | settings
    run(environment, "django", "migrate", "--verbosity=0")
    run(environment, "tests.bench.at_once")
    tables = Tables(url)
    rows = tables.save(folder)
    rounds = []
    for _ in range(ROUNDS):
        tables.empty()
        copied = asdict(tables.load(folder))
        tables.empty()
        rounds.append({"copy": copied} | json.loads(run(environment, "tests.bench.at_once")))
    tables.close()
    say(f"{rows:,} rows, in each round seconds (of processors, client and server) and rows a second")
    for what in ("copy", "first", "unchanged", "renamed"):
        say(f"{what:<12}" + "".join(_told(one[what], rows) for one in rounds))
    return summed_up(rounds)


def _told(taken: dict[str, float], rows: int) -> str:
    return f"{taken['wall']:8.1f} s ({taken['cpu']:5.1f} s){rows / taken['wall']:9,.0f}/s"


def summed_up(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """The medians of the ratios, by the clock and by processors, and the worst of the memory."""
    found = {}
    for by, words in (("wall", "by the clock"), ("cpu", "by processors")):
        ratios = [(one["copy"][by] / one["first"][by], one["first"][by] / one["unchanged"][by]) for one in rounds]
        copy, unchanged = map(median, zip(*ratios, strict=True))
        found[f"rows a second of the first / of COPY, {words}"] = copy
        found[f"seconds of the first / of an unchanged one, {words}"] = unchanged
    found["peak memory in MB"] = max(one["peak"] for one in rounds)
    found["of that the account in MB"] = max(one["before"] for one in rounds)
    for what, figure in found.items():
        say(f"{what:<60} {figure:8.2f}")
    return found


def run(environment: dict[str, str], module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def say(what: str) -> None:
    print(what, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
