"""A database of its own with a synthetic inventory, and values to ask for it with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from tests.e2e.service import MANAGE, clean_environment

#: How many different values a read is asked with.
VARIANTS = 50
#: How many instances a prefix of a name should fit; the first that fits so many is taken.
FITTING = (50, 1000)

#: Instances from all over the table with as many groups as most have.
_INSTANCES = """
    SELECT vm.id AS pk, vm.ems_ref, vm.name FROM
    (SELECT min(id) AS least, max(id) AS most FROM inventory_vm WHERE cloud) AS ids,
    generate_series(least, most, greatest((most - least) / %s, 1)) AS beginning,
    LATERAL (
        SELECT * FROM inventory_vm WHERE cloud AND id >= beginning
        AND (SELECT count(DISTINCT security_group_id) FROM secgroups_membership WHERE vm_id = inventory_vm.id) = 3
        ORDER BY id LIMIT 1
    ) AS vm LIMIT %s"""


@dataclass(frozen=True, slots=True)
class Filled:
    environment: Mapping[str, str]
    instances: int
    #: Of a user who is no superuser and may see everything and change the groups of instances.
    token: str
    #: What the paths and the statements of the cases have placeholders for.
    values: list[dict[str, Any]]

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)

    def queries(self, paths: list[str]) -> dict[str, int]:
        """How many queries each of these reads takes."""
        found: dict[str, int] = inside(self.environment, "queries", self.token, *paths)
        return found


@contextmanager
def filled(server: str, folder: Path, instances: int) -> Iterator[Filled]:
    """So many instances in a database of their own on this server."""
    with database(server) as url:
        yield _fill(_environment(url, folder, instances), instances)


def kept(server: str, folder: Path, instances: int) -> Filled:
    """The same in a database that stays, and that is used again if the folder tells of it."""
    told = folder / "filled.json"
    if told.exists():
        url, values = json.loads(told.read_text())
        environment = _environment(url, folder, instances)
        return Filled(environment, instances, inside(environment, "account"), values)
    folder.mkdir(mode=0o700, parents=True)
    url = _create(server)
    filled = _fill(_environment(url, folder, instances), instances)
    told.write_text(json.dumps([url, filled.values]))
    return filled


def _environment(url: str, folder: Path, instances: int) -> dict[str, str]:
    return clean_environment(
        DATABASE_URL=url,
        PORTCULLIS_VAR=str(folder / "var"),
        CELERY_QUEUE=urlsplit(url).path[1:],
        BENCH_ENVELOPES=str(folder / f"envelopes-{instances}"),
    )


@contextmanager
def database(server: str) -> Iterator[str]:
    """The URL of a fresh database on this server, which is dropped at the end."""
    url = _create(server)
    try:
        yield url
    finally:
        _execute(server, "DROP DATABASE {} WITH (FORCE)", urlsplit(url).path[1:])


def _create(server: str) -> str:
    """The URL of a fresh database."""
    name = f"portcullis_bench_{uuid4().hex[:8]}"
    _execute(server, "CREATE DATABASE {}", name)
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def _execute(server: str, statement: LiteralString, name: str) -> None:
    with psycopg.connect(make_conninfo(server, dbname="postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _fill(environment: Mapping[str, str], instances: int) -> Filled:
    groups = min(instances // 5, 20_000)
    asked = {"instances": instances, "groups": groups, "rules": 5 * groups, "seed": 1}
    for command in (["migrate", "--verbosity=0"], ["synthesize", *(f"--{name}={n}" for name, n in asked.items())]):
        subprocess.run([sys.executable, str(MANAGE), *command], env=environment, check=True)
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True, row_factory=dict_row) as connection:
        connection.execute("VACUUM ANALYZE")  # as autovacuum does sooner or later
        values = _values(connection)
    return Filled(environment, instances, inside(environment, "account"), values)


def _values(connection: psycopg.Connection[dict[str, Any]]) -> list[dict[str, Any]]:
    found = connection.execute(_INSTANCES, [VARIANTS, VARIANTS]).fetchall()
    [there] = connection.execute("SELECT count(*) * 9 / 10 AS offset FROM inventory_vm WHERE cloud")
    prefixes = [prefix for one in found if (prefix := _prefix(connection, one["name"]))]
    assert prefixes, "no prefix of a name fits as many as it should"
    return [one | there | {"prefix": prefixes[n % len(prefixes)]} for n, one in enumerate(found)]


def _prefix(connection: psycopg.Connection[dict[str, Any]], name: str) -> str | None:
    least, most = FITTING
    for length in range(len(name), 0, -1):
        prefix = name[:length]
        like = prefix.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        [row] = connection.execute(
            "SELECT count(*) AS fitting FROM inventory_vm WHERE cloud AND name LIKE %s", [f"{like}%"]
        )
        if row["fitting"] >= least:
            return prefix if row["fitting"] <= most and "_" not in prefix else None
    return None


def inside(environment: Mapping[str, str], *arguments: str) -> Any:
    """What a command of `tests.bench.inside` prints."""
    command = [sys.executable, "-m", "tests.bench.inside", *arguments]
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
