"""The one zone, for clients that ask for it before they connect a provider."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


def test_there_is_one_zone_and_everybody_sees_it(client: Client, django_user_model: type[User]) -> None:
    client.force_login(django_user_model.objects.create_user("nobody"))
    answer = client.get("/api/zones?expand=resources&filter[]=name='default'").json()
    assert answer["count"] == 1
    assert [zone["name"] for zone in answer["resources"]] == ["default"]
    assert [action["name"] for action in answer["actions"]] == ["query"]


def test_none_is_made_or_changed(admin_client: Client) -> None:
    [zone] = admin_client.get("/api/zones").json()["resources"]
    for answer in (
        admin_client.post("/api/zones", {"name": "other"}, content_type="application/json"),
        admin_client.patch(zone["href"], {"name": "other"}, content_type="application/json"),
        admin_client.delete(zone["href"]),
    ):
        assert answer.status_code == HTTPStatus.BAD_REQUEST
