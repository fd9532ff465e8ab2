"""What `spec/requests/creating_spec.rb` asks, of providers."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider
from tests.cast import Cast
from tests.dialect.asking import post

pytestmark = pytest.mark.django_db
NEW = {"name": "new", "type": "amazon", "credentials": {"userid": "a", "password": "b"}}


@pytest.mark.parametrize("body", [NEW, {"resource": NEW}, {"resources": [NEW]}, {"resources": [NEW, {}]}])
def test_a_resource_is_created_however_it_stands_in_the_body(admin_client: Client, body: Any) -> None:
    assert post(admin_client, "/providers", body)["results"][0]["name"] == "new"


@pytest.mark.parametrize("body", [None, {}, {"resource": None}, {"resource": {}}, {"resources": []}])
def test_no_resource_is_refused(admin_client: Client, body: Any) -> None:
    assert post(admin_client, "/providers", body, status=400)["error"]["kind"] == "bad_request"


def test_nothing_is_created_at_the_address_of_one(admin_client: Client, cast: Cast) -> None:
    error = post(admin_client, f"/providers/{cast.acme.pk}", {"name": "new"}, status=400)["error"]
    assert error["message"] == "Unsupported Action create for the providers resource specified"


@pytest.mark.parametrize("named", [{"id": 123}, {"href": "http://testserver/api/vms/123"}])
def test_what_is_created_has_no_id_yet(admin_client: Client, named: dict[str, Any]) -> None:
    error = post(admin_client, "/providers", {**NEW, **named}, status=400)["error"]
    assert error["message"] == "Resource id or href should not be specified for creating a new providers"
    assert not Provider.objects.exists()
