"""What `spec/requests/headers_spec.rb` asks."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client

from tests.cast import Cast


@pytest.mark.parametrize("headers", [{"Accept": "application/json"}, {}])
def test_json_is_answered(admin_client: Client, headers: dict[str, str]) -> None:
    answer = admin_client.get("/api", headers=headers)
    assert (answer.json()["name"], answer.json()["description"]) == ("API", "REST API")


def test_another_type_is_refused(admin_client: Client) -> None:
    answer = admin_client.get("/api", headers={"Accept": "application/xml"})
    assert answer.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    error = answer.json()["error"]
    assert (error["kind"], error["klass"]) == ("unsupported_media_type", "Api::UnsupportedMediaTypeError")
    assert error["message"].startswith("Invalid Response Format application/xml requested")


@pytest.mark.parametrize("content_type", ["", "application/json", "application/xml"])
def test_a_body_is_json_whatever_its_type_says(admin_client: Client, cast: Cast, content_type: str) -> None:
    body = '{"action": "edit", "project": "new"}'
    answer = admin_client.generic("POST", f"/api/providers/{cast.acme.pk}", body, content_type=content_type)
    assert (answer.status_code, answer.json()["project"]) == (HTTPStatus.OK, "new")


@pytest.mark.on_purpose("an answer is for no frame and has no script; the headers of old browsers are left out")
def test_an_answer_is_nothing_but_data(admin_client: Client) -> None:
    headers = admin_client.get("/api").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
