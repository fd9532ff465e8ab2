"""Who may ask, and by which proof."""

from __future__ import annotations

import base64
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.contracts import grant

PASSWORD = "a good one"


@pytest.fixture
def ada(django_user_model: type[User]) -> User:
    """A user who may view providers."""
    user = django_user_model.objects.create_user("ada", password=PASSWORD)
    return grant(user, "inventory.view_provider")


def basic(username: str = "ada", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


@pytest.fixture
def get(client: Client, ada: User) -> Callable[..., Any]:
    """A GET with these headers, underscores for hyphens."""

    def get(path: str = "/api/providers", **headers: str) -> Any:
        return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return get


def message(answer: Any) -> str:
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.json()["error"]["kind"] == "unauthorized"
    assert "Basic" not in answer.headers["WWW-Authenticate"]
    return str(answer.json()["error"]["message"])


def test_http_basic_lets_in(get: Any) -> None:
    assert get(**basic()).status_code == HTTPStatus.OK
    assert message(get(**basic(password="wrong"))) == "Invalid username/password."
    assert message(get(Authorization="Basic x"))
    assert message(get())


def test_the_entry_point_says_what_there_is(admin_client: Client, settings: Any) -> None:
    answer = admin_client.get("/api/v1.0.0").json()
    assert (answer["name"], answer["description"], answer["version"]) == ("API", "REST API", "1.0.0")
    assert answer["versions"] == [{"name": "1.0.0", "href": "http://testserver/api/v1.0.0"}]
    assert answer.keys() >= {"settings", "server_info", "product_info"}
    names = [collection["name"] for collection in answer["collections"]]
    assert names == sorted(settings.COLLECTIONS)
    assert all(one["href"] == f"http://testserver/api/v1.0.0/{one['name']}" for one in answer["collections"])
    assert all(one["description"] for one in answer["collections"])
