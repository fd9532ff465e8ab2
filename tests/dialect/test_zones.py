"""Zones, as ManageIQ's requests/zones_spec asks for them: there is one, which nobody changes."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client

from inventory.models import Zone
from tests.dialect.callers import ask, may, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def url() -> str:
    return f"/api/zones/{Zone.objects.get().pk}"


def test_a_zone_is_shown(admin_client: Client, url: str) -> None:
    zone = ask(admin_client, "get", url)
    assert (zone["href"], zone["id"]) == (f"http://testserver{url}", url.rpartition("/")[2])
    assert zone.keys() >= {"name", "description"}


@pytest.mark.on_purpose("The one zone says nothing about anything, so it asks no permission")
def test_everybody_sees_the_zone(client: Client, url: str) -> None:
    may(client)
    assert ask(client, "get", "/api/zones")["count"] == 1
    ask(client, "get", url)


@pytest.mark.on_purpose("There is one zone, which is neither made nor changed nor deleted")
@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("action", ["create", "edit", "delete"])
def test_zones_are_not_changed(admin_client: Client, url: str, action: str, below: bool) -> None:
    where = url if below else "/api/zones"
    body = {"action": action, "resource": {"name": "other", "description": "other"}}
    said = refusal(admin_client, "post", where, body)
    assert said == f"Unsupported Action {action} for the zones {'resource' if below else 'collection'} specified"
    for method in ("put", "patch", "delete"):
        refusal(admin_client, method, url, {"name": "other"})
    assert Zone.objects.get().name == Zone.DEFAULT


@pytest.mark.on_purpose("Portcullis is configured by its environment, not over its API")
def test_zones_have_no_settings(admin_client: Client, url: str) -> None:
    assert refusal(admin_client, "get", f"{url}/settings") == "Unsupported Sub-Collection settings specified"
    assert refusal(admin_client, "get", f"{url}?expand=settings") == "Invalid expand specified: settings"
    admin_client.logout()
    ask(admin_client, "get", f"{url}/settings", status=HTTPStatus.UNAUTHORIZED)
