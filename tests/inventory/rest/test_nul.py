"""NUL, which no database takes in a text: it is refused wherever it comes in."""

from __future__ import annotations

import base64
from http import HTTPStatus

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("cast")


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": basic("admin\0", "password")},
        {"Authorization": basic("admin", "password\0")},
        {"X-Auth-Token": "12345678\0"},
        {"X-Auth-Token": "1234\x005678"},
        {"Authorization": basic("admin", "password"), "X-MIQ-Group": "a%00b"},
        {"Authorization": basic("admin", "password"), "X-MIQ-Group": "a\0b"},
        {"Cookie": 'sessionid="abcdefgh\\000ijk"'},
    ],
)
def test_nobody_is_called_so(client: Client, admin_user: User, headers: dict[str, str]) -> None:
    answer = client.get("/api/vms", headers=headers)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED, answer.content


@pytest.mark.parametrize(
    "path",
    [
        "vms?name=a%00",
        "vms?name__icontains=a%00",
        "vms?name__in=a%00,b",
        "vms?guid=%00",
        "vms?id=%00",
        "vms?created_on=%00",
        "vms?filter[]=name=a%00",
        "vms?filter[]=name=~a%00",
        "vms?sort_by=a%00",
        "vms?attributes=a%00",
        "vms?expand=a%00",
        "vms?a%00=1",
        "vms?limit=1%00",
        "tasks/1?wait=%00",
        "auth?requester_type=%00",
    ],
)
def test_no_parameter_can_have_it(admin_client: Client, path: str) -> None:
    answer = admin_client.get(f"/api/{path}")
    assert answer.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}, answer.content


@pytest.mark.parametrize("path", ["vms/1%00", "vms%00", "vms/1/security_groups%00", "vms/1%00/security_groups"])
def test_no_address_has_it(admin_client: Client, path: str) -> None:
    assert admin_client.get(f"/api/{path}").status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}


@pytest.mark.parametrize(
    "form",
    [
        {"action": "refresh\0"},
        {"action": "refresh", "force\0": "true"},
        {"action": "edit", "name": "a\0"},
        {"action": "edit", "credentials.userid": "a\0", "credentials.password": "b"},
        {"action": "query", "guid": "\0"},
        {"action": "query", "id": "\0"},
        {"action": "delete", "href": "/api/providers/1\0"},
    ],
)
def test_no_form_can_have_it(admin_client: Client, cast: Cast, form: dict[str, str]) -> None:
    for path in ("/api/providers", f"/api/providers/{cast.acme.pk}"):
        assert admin_client.post(path, form).status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("body", ['{"action": "edit", "name": "a\\u0000"}', '{"action": "a\0"}', '"\\u0000"'])
def test_no_json_can_have_it(admin_client: Client, cast: Cast, body: str) -> None:
    answer = admin_client.post(f"/api/providers/{cast.acme.pk}", body, content_type="application/json")
    assert answer.status_code == HTTPStatus.BAD_REQUEST


def test_no_idempotency_key_has_it(admin_client: Client, cast: Cast) -> None:
    body, headers = {"action": "refresh"}, {"Idempotency-Key": "a\0"}
    answer = admin_client.post(
        f"/api/providers/{cast.acme.pk}", body, content_type="application/json", headers=headers
    )
    assert answer.status_code == HTTPStatus.BAD_REQUEST
