from __future__ import annotations

import json

import pytest

from tests.bench.cases import BY_NAME, CASES, Case
from tests.bench.client import request
from tests.bench.side import comparable

VALUES = {
    "pk": 7,
    "prefix": "production-web-",
    "ems_ref": "i-7",
    "name": "production-web-7",
    "offset": 9000,
    "next": "/api/instances?a=b",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_asks_with_its_values(case: Case) -> None:
    assert "{" not in case.url(VALUES)
    assert "{" not in case.json


def test_a_filter_is_quoted_for_a_url() -> None:
    assert BY_NAME["filtered-50"].url(VALUES).endswith("&filter%5B%5D=name%3D%27production-web-%2A%27")


def test_what_is_nested_is_of_one_owner_in_json_and_of_many_in_rows() -> None:
    case = BY_NAME["with-groups"]
    assert case.nested
    assert "vm_id = r.id::bigint" in case.json
    assert "vm_id = ANY(%(owners)s)" in case.nested.of_many()
    assert case.nested.of_many().startswith("SELECT has.vm_id AS owner, ")


def test_times_are_compared_as_such_and_all_else_as_it_is() -> None:
    ours = {"on": "2026-01-01T00:00:00Z", "in": [{"on": "2026-01-01T00:00:00.500000Z"}], "name": "a", "at": None}
    theirs = {
        "on": "2026-01-01T00:00:00+00:00",
        "in": [{"on": "2026-01-01T00:00:00.5+00:00"}],
        "name": "a",
        "at": None,
    }
    assert comparable(ours) == comparable(theirs)
    assert comparable(ours) != comparable(ours | {"on": "2026-01-01T00:00:01Z"})
    assert comparable(ours) != comparable(ours | {"name": "b"})


def test_a_request_is_whole() -> None:
    head, body = request("POST", "/x", {"X-Auth-Token": "t"}, json.dumps({"é": 1}).encode()).split(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /x HTTP/1.1"
    assert b"Content-Length: %d" % len(body) in head.splitlines()
