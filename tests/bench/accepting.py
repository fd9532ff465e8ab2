"""What a change has to write: a bare transaction that inserts the rows of the tasks; and the request for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import psycopg
from psycopg.types.json import Jsonb

from tests.bench.cases import HOST

Connection = psycopg.Connection[Any]

_COLUMNS = """created_on, updated_on, state, status, pct_complete, name, message, arguments, context_data, queue,
    userid, owner_id, provider_id, vm_id"""
_CONSTANT = "now(), now(), 'Queued', 'Ok', 0"
#: What is the same for all: the instance, its provider and a user.
_VM = "SELECT vm.id, vm.name, vm.provider_id FROM inventory_vm vm WHERE vm.id = %s"


def body(names: Sequence[str]) -> bytes:
    """The request that adds these groups."""
    return json.dumps({"action": "add", "resources": [{"name": name} for name in names]}).encode()


def _at_once(connection: Connection, vm: tuple[int, str, int], names: Sequence[str]) -> list[int]:
    """One statement, and so one transaction, in which the database takes one JSON array apart."""
    insert = f"""INSERT INTO inventory_task ({_COLUMNS})
        SELECT {_CONSTANT}, name, name, arguments, context, %s, 'bench', NULL, %s, %s
        FROM jsonb_to_recordset(%s) AS asked(name text, arguments jsonb, context jsonb) RETURNING id"""  # noqa: S608
    pk, _, provider = vm
    values = (f"vms/{pk}", provider, pk, Jsonb([_task(vm, name) for name in names], dumps=orjson.dumps))
    return [found for (found,) in connection.execute(insert, values, prepare=True)]


def _one_by_one(connection: Connection, vm: tuple[int, str, int], names: Sequence[str]) -> list[int]:
    insert = f"""INSERT INTO inventory_task ({_COLUMNS})
        VALUES ({_CONSTANT}, %s, %s, %s, %s, %s, 'bench', NULL, %s, %s) RETURNING id"""  # noqa: S608
    pk, _, provider = vm
    with connection.transaction(), connection.cursor() as cursor:
        tasks = [_task(vm, name) for name in names]
        rows = [
            (one["name"], one["name"], Jsonb(one["arguments"]), Jsonb(one["context"]), f"vms/{pk}", provider, pk)
            for one in tasks
        ]
        cursor.executemany(insert, rows, returning=True)
        return [found for _ in cursor.results() for (found,) in cursor]


def _task(vm: tuple[int, str, int], name: str) -> dict[str, Any]:
    group = {"name": name, "ems_ref": None}
    return {
        "name": f"Adding security group {name} to {vm[1]}",
        "arguments": {"version": 1, "action": "add", "group": group, "ports": []},
        "context": {"action": "add", "instance": vm[1], "security_group": group},
    }


def _answered(
    insert: Callable[[Connection, tuple[int, str, int], Sequence[str]], list[int]],
) -> Callable[[Connection, str, bytes], bytes]:
    """The same answer as the service's."""

    def answer(connection: Connection, pk: str, sent: bytes) -> bytes:
        names = [one["name"] for one in orjson.loads(sent)["resources"]]
        vm = connection.execute(_VM, [pk], prepare=True).fetchone()
        assert vm
        root = f"http://{HOST}/api"
        results = [
            {
                "success": True,
                "message": f"Adding security group {name} to {vm[1]}",
                "task_id": str(task),
                "task_href": f"{root}/tasks/{task}",
                "href": f"{root}/instances/{pk}",
            }
            for name, task in zip(names, insert(connection, vm, names), strict=True)
        ]
        return orjson.dumps({"results": results})

    return answer


HOW = {"json": _answered(_at_once), "rows": _answered(_one_by_one)}
