"""Errors have one shape, whoever answers."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.http import HttpResponse
from django.test import Client

from inventory.rest.viewsets import CollectionViewSet
from tests.cast import Cast


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


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_ping_by_another_method_is_refused_as_everywhere(method: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)("/api/ping")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == f"Unsupported HTTP Method {method} for the Ping specified"


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


@pytest.mark.parametrize(
    "accept", ["application/xml", "application/json;q=0", "application/json;q=0, text/html;q=0", "nonsense"]
)
def test_what_can_be_answered_neither_as_json_nor_as_a_page_is_415(admin_client: Client, accept: str) -> None:
    answer = admin_client.get("/api/vms", headers={"accept": accept})
    assert answer.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    assert answer.json()["error"]["klass"] == "Api::UnsupportedMediaTypeError"


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/html, application/json;q=0.5", "text/html"),
        ("text/html;q=0, */*", "application/json"),
    ],
)
def test_the_answer_is_what_the_caller_prefers(admin_client: Client, accept: str, answered: str) -> None:
    answer = admin_client.get("/api/vms", headers={"accept": accept})
    assert answer.headers["Content-Type"].partition(";")[0] == answered


def test_a_format_that_does_not_exist_is_415(admin_client: Client) -> None:
    assert admin_client.get("/api/vms?format=xml").status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    assert admin_client.get("/api/vms?format=json").status_code == HTTPStatus.OK


def assert_protected(answer: HttpResponse) -> None:
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/api", "/api/ping", "/api/foo", "/api/vms/99", "/admin/login/"])
def test_answers_are_not_to_be_guessed_at_or_framed(admin_client: Client, path: str) -> None:
    assert_protected(admin_client.get(path))


@pytest.mark.parametrize("path", ["/api", "/api/vms", "/api/foo"])
def test_answers_are_for_their_caller_alone(admin_client: Client, path: str) -> None:
    assert admin_client.get(path).headers["Cache-Control"] == "private, no-cache"


def test_a_host_that_is_not_ours_is_an_error_like_any_other(client: Client) -> None:
    answer = client.get("/api/vms", headers={"host": "evil.example"})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"] == {
        "kind": "bad_request",
        "message": "The service does not serve the host that the request names",
        "klass": "Api::BadRequestError",
    }
    assert_protected(answer)


def test_before_a_view_a_browser_gets_a_page(client: Client) -> None:
    answer = client.get("/api/vms", headers={"host": "evil.example", "accept": "text/html"})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "<h1>The service does not serve" in answer.content.decode()


@pytest.mark.parametrize("path", ["/api/foo", "/api/vms/99"])
def test_an_error_is_a_page_of_the_browsable_api(admin_client: Client, path: str) -> None:
    answer = admin_client.get(path, headers={"accept": "text/html"})
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "&quot;klass&quot;: &quot;Api::" in answer.content.decode()


def test_a_failure_of_the_service_shows_nothing_of_it(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin_client.raise_request_exception = False
    monkeypatch.setattr(CollectionViewSet, "list", lambda *args, **kwargs: {}["SELECT secret"])
    answer = admin_client.get("/api/vms")
    assert answer.json() == {
        "error": {
            "kind": "internal_server_error",
            "message": "Internal Server Error",
            "klass": "Api::InternalServerError",
        }
    }


@pytest.mark.parametrize("path", ["/apix", "/elsewhere"])
def test_elsewhere_errors_are_django_s_own(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/api", "Entry Point"),
        ("/api/ping", "Ping"),
        ("/api/security_groups", "Collection security_groups"),
        ("/api/vms/{vm}/security_groups", "Sub-Collection security_groups"),
    ],
)
def test_a_method_that_is_not_there_is_named(
    admin_client: Client, cast: Cast, method: str, path: str, place: str
) -> None:
    answer = getattr(admin_client, method)(path.format(vm=cast.production.single.pk))
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == f"Unsupported HTTP Method {method} for the {place} specified"
