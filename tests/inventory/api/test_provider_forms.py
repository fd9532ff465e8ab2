"""OPTIONS of providers: what can be connected, and what a form asks for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from inventory.models import Provider
from tests.cast import AMAZON, AMAZON_TYPE, FILE, FILE_TYPE, OPENSTACK, OPENSTACK_TYPE

pytestmark = pytest.mark.django_db

#: What somebody types in, by the last part of a field's name.
TYPED = {"name": "typed", "hostname": "10.0.0.5", "url": "file:///acme.json", "userid": "me", "password": "secret"}


def data(client: Client, query: str = "") -> Any:
    return client.options(f"/api/providers{query}").json()["data"]


def test_it_tells_the_types_that_can_be_connected(admin_client: Client) -> None:
    told = data(admin_client)
    assert [one["type"] for one in told["supported_providers"]] == [AMAZON_TYPE, OPENSTACK_TYPE, FILE_TYPE]
    assert all(one["title"] and one["kind"] == "cloud" for one in told["supported_providers"])
    assert "provider_form_schema" not in told
    assert admin_client.options("/api/vms").json()["data"] == {}


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        (AMAZON_TYPE, AMAZON),
        (OPENSTACK_TYPE, OPENSTACK),
        (FILE_TYPE, FILE),
        *((name, name) for name in settings.DRIVERS),
    ],
)
def test_what_a_form_can_not_do_without_is_enough_to_connect(admin_client: Client, name: str, vendor: str) -> None:
    fields = data(admin_client, f"?type={name}")["provider_form_schema"]["fields"]
    body: dict[str, Any] = {"type": name, "ddf": True}
    for field in fields:
        *places, attribute = field["name"].split(".")
        assert field["component"] in {"text-field", "password-field", "select", "switch"}
        assert field["label"]
        if field["isRequired"]:
            held = body
            for place in places:
                held = held.setdefault(place, {})
            held[attribute] = TYPED[attribute]
    answer = admin_client.post("/api/providers", body, content_type="application/json")
    assert answer.status_code == HTTPStatus.OK, answer.content
    assert Provider.objects.get().vendor == vendor


def test_a_password_is_typed_unseen_and_a_choice_has_its_options(admin_client: Client) -> None:
    fields = data(admin_client, "?type=openstack")["provider_form_schema"]["fields"]
    named = {field["name"]: field for field in fields}
    assert named["authentications.default.password"]["component"] == "password-field"
    protocol = named["endpoints.default.security_protocol"]
    assert {"non-ssl", "ssl"} <= {option["value"] for option in protocol["options"]}


def test_a_type_that_there_is_not_is_refused(admin_client: Client) -> None:
    answer = admin_client.options("/api/providers?type=vmware")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"].startswith("Invalid provider - vmware")
