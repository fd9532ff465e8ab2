"""Errors have one shape, whoever answers."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/foo", 400, "Unsupported Collection foo specified"),
        ("/api/vms/1/foo", 400, "Unsupported Sub-Collection foo specified"),
        ("/api/v9.9/vms", 400, "Unsupported API Version 9.9 specified"),
        ("/api/vms/99", 404, "Couldn't find Vm with 'id'=99"),
        ("/api/vms/99/security_groups", 404, "Couldn't find Vm with 'id'=99"),
        ("/api/vms?limit=x", 400, "Non numeric parameter: limit"),
        ("/api/vms?expand=foo", 400, "Invalid expand specified: foo"),
    ],
)
def test_an_error_says_what_was_wrong(admin_client: Client, path: str, status: int, message: str) -> None:
    answer = admin_client.get(path)
    assert answer.status_code == status
    kind, klass = ("not_found", "NotFound") if status == HTTPStatus.NOT_FOUND else ("bad_request", "BadRequest")
    assert answer.json() == {"error": {"kind": kind, "message": message, "klass": f"Api::{klass}Error"}}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api", "/api/foo", "/api/vms/1/foo", "/api/v9.9/vms", "/api/vms/99"])
def test_without_a_login_everything_is_401(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.json()["error"]["kind"] == "unauthorized"


def test_anybody_may_ask_whether_the_service_is_there(client: Client) -> None:
    answer = client.get("/api/ping")
    assert (answer.status_code, answer.content) == (HTTPStatus.OK, b"pong")


@pytest.mark.parametrize("path", ["/api/vms/", "/api//vms//", "/api/v1.0.0/vms", "/api/v1.0.0//vms/"])
def test_slashes_and_the_version_do_not_matter(admin_client: Client, path: str) -> None:
    answer = admin_client.get(path)
    assert answer.status_code == HTTPStatus.OK
    version = "/v1.0.0" if "v1.0.0" in path else ""
    assert answer.json()["links"]["self"].startswith(f"http://testserver/api{version}/vms?")


@pytest.mark.parametrize(
    "body", [b"{", b"", b'{"action": NaN}', b"\xff", b"[" * 100_000, b'{"name": "a\\u0000b"}']
)
def test_a_body_that_is_no_json_is_refused(admin_client: Client, body: bytes) -> None:
    answer = admin_client.post("/api/providers", body, content_type="application/json")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["kind"] == "bad_request"


def test_a_body_is_json_whatever_its_content_type_says(admin_client: Client) -> None:
    answer = admin_client.post(
        "/api/providers", b'{"action": "foo"}', content_type="application/x-www-form-urlencoded"
    )
    assert answer.json()["error"]["message"] == "Unsupported Action foo for the providers collection specified"


def test_a_body_that_is_too_large_is_refused(admin_client: Client) -> None:
    answer = admin_client.post("/api/providers", b"[" + b" " * 3_000_000 + b"]", content_type="application/json")
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert answer.json()["error"]["kind"] == "payload_too_large"


def test_what_can_be_answered_neither_as_json_nor_as_a_page_is_415(admin_client: Client) -> None:
    answer = admin_client.get("/api/vms", headers={"accept": "application/xml"})
    assert answer.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def test_answers_are_not_to_be_guessed_at_or_framed(admin_client: Client) -> None:
    answer = admin_client.get("/api")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
