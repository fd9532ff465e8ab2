"""What `spec/requests/entrypoint_spec.rb` asks."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

import pytest
from django.test import Client

from tests.dialect.asking import get

pytestmark = pytest.mark.django_db


def test_it_has_settings_with_the_locale(admin_client: Client) -> None:
    assert get(admin_client, "")["settings"]["locale"] in {"en", "en_US"}


@pytest.mark.on_purpose("users have no settings of their own")
def test_it_has_the_same_settings_for_everybody(admin_client: Client) -> None:
    assert get(admin_client, "")["settings"].keys() == {"locale", "max_results_per_page"}


def test_the_collections_are_sorted(admin_client: Client) -> None:
    names = [one["name"] for one in get(admin_client, "")["collections"]]
    assert names == sorted(names)


@pytest.mark.on_purpose("there is no appliance, region or enterprise to lead to")
def test_it_tells_version_and_time_of_the_server(admin_client: Client) -> None:
    server = get(admin_client, "")["server_info"]
    assert server.keys() == {"version", "time"}
    assert datetime.fromisoformat(server["time"]).tzinfo


def test_it_tells_what_this_is(admin_client: Client) -> None:
    product = get(admin_client, "")["product_info"]
    assert {"name", "name_full", "authentication"} <= product.keys()


def test_how_to_log_in_is_told_to_everybody(client: Client) -> None:
    assert get(client, "/product_info")["authentication"] == {
        "mode": "database",
        "oidc_enabled": False,
        "saml_enabled": False,
        "sso_enabled": False,
    }


def test_doubled_slashes_mean_nothing(admin_client: Client) -> None:
    assert admin_client.get("http://testserver//api").status_code == HTTPStatus.OK
