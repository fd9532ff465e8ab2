"""The floor: a bare WSGI application that reads the same rows over a kept connection and does nothing else.

No login, no permission, no filter language. `/json/<case>?<values>` has the database make the JSON and sends it
as it is, `/rows/<case>?<values>` reads rows and dumps them with orjson. What a list says beside its resources is
taken from `ENVELOPES`, a file that has it by case, so that the answers are as long as the service's.

A POST inserts as many rows of tasks as its body has resources, in one transaction: as one JSON array that the
database takes apart, or as rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import parse_qsl

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from tests.bench import accepting
from tests.bench.cases import BY_NAME, Case

ENVELOPES = "BENCH_ENVELOPES"
_of_thread = local()

Values = dict[str, str]
Connection = psycopg.Connection[Any]


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    _, how, name = environ["PATH_INFO"].split("/")
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        sent = accepting.HOW[how](_connection(), name, body)
    else:
        sent = HOW[how](_connection(), BY_NAME[name], dict(parse_qsl(environ["QUERY_STRING"])))
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(sent)))]
    start_response("200 OK", headers)
    return [sent]


def _json(connection: Connection, case: Case, values: Values) -> bytes:
    found = connection.execute(case.json, values, prepare=True, binary=True).fetchone()
    assert found
    return _enveloped(case, found[0] or b"[]")


def _rows(connection: Connection, case: Case, values: Values) -> bytes:
    cursor = connection.cursor(binary=True, row_factory=dict_row)
    found = cursor.execute(case.rows, values, prepare=True).fetchall()
    if case.nested:
        _nest(connection, case, {int(row["id"]): row for row in found})
    return _enveloped(case, orjson.dumps(found[0] if case.one else found, option=orjson.OPT_UTC_Z))


def _nest(connection: Connection, case: Case, resources: dict[int, dict[str, Any]]) -> None:
    assert case.nested
    for resource in resources.values():
        resource[case.nested.name] = []
    cursor = connection.cursor(binary=True, row_factory=dict_row)
    for row in cursor.execute(case.nested.of_many(), {"owners": list(resources)}, prepare=True):
        resources[row.pop("owner")][case.nested.name].append(row)


HOW: dict[str, Callable[[Connection, Case, Values], bytes]] = {"json": _json, "rows": _rows}


def _enveloped(case: Case, made: bytes) -> bytes:
    before = _envelope(case.name)
    return b"".join((before, made[1:]) if case.one else (before, b'"resources":', made, b"}"))


@cache
def _envelope(name: str) -> bytes:
    """The beginning of an answer, up to what is read for it."""
    envelope = orjson.loads(Path(os.environ[ENVELOPES]).read_bytes())[name]
    return orjson.dumps(envelope)[:-1] + (b"," if envelope else b"")


def _connection() -> Connection:
    """This thread's, kept."""
    if not hasattr(_of_thread, "connection"):
        # Compiling takes longer than these statements do.
        options = "-c timezone=UTC -c jit=off"
        connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, options=options)
        set_json_loads(bytes, connection)
        _of_thread.connection = connection
    kept: Connection = _of_thread.connection
    return kept
