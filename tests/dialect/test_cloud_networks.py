"""Networks, as ManageIQ's requests/cloud_networks_spec asks for them."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client

from inventory.models import Provider
from tests.cast import AMAZON_TYPE, Cast
from tests.dialect.callers import ask, may, refusal

pytestmark = pytest.mark.django_db

SEE = ("inventory.view_provider", "inventory.view_cloudnetwork")


def test_networks_ask_their_permission(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_provider")
    for url in ("/api/cloud_networks", below := f"/api/providers/{cast.acme.pk}/cloud_networks"):
        ask(client, "get", url, status=HTTPStatus.FORBIDDEN)
    ask(client, "get", f"{below}/{cast.production.network.pk}", status=HTTPStatus.FORBIDDEN)


def test_networks_are_listed_alone_and_below_their_provider(client: Client, cast: Cast) -> None:
    may(client, *SEE)
    networks = [cast.production.network, cast.staging.network]
    for url in ("/api/cloud_networks", f"/api/providers/{cast.acme.pk}/cloud_networks"):
        listed = ask(client, "get", f"{url}?expand=resources")
        assert (listed["name"], listed["count"], listed["subcount"]) == ("cloud_networks", 2, 2)
        assert [one["id"] for one in listed["resources"]] == [str(network.pk) for network in networks]


def test_one_network_is_shown_below_its_provider(client: Client, cast: Cast) -> None:
    may(client, *SEE)
    network = cast.production.network
    shown = ask(client, "get", f"/api/providers/{cast.acme.pk}/cloud_networks/{network.pk}")
    assert (shown["id"], shown["name"], shown["ems_ref"]) == (str(network.pk), network.name, network.ems_ref)


def test_providers_embed_their_networks_and_one_without_has_none(client: Client, cast: Cast) -> None:
    may(client, *SEE)
    bare = Provider.objects.create(name="bare", vendor="openshift")
    first, second = ask(client, "get", "/api/providers?expand=resources,cloud_networks")["resources"]
    assert (first["type"], len(first["cloud_networks"])) == (AMAZON_TYPE, 2)
    assert (second["type"], second["cloud_networks"]) == ("ManageIQ::Providers::Openshift::CloudManager", [])
    listed = ask(client, "get", f"/api/providers/{bare.pk}/cloud_networks?expand=resources")
    assert (listed["count"], listed["subcount"], listed["resources"]) == (0, 0, [])


@pytest.mark.on_purpose("Networks are not made, so they have no forms either")
def test_networks_are_not_made(admin_client: Client, cast: Cast) -> None:
    url = f"/api/providers/{cast.acme.pk}/cloud_networks"
    said = refusal(admin_client, "post", url, {"name": "new cloud network"})
    assert said == "Unsupported Action create for the cloud_networks subcollection specified"
    assert refusal(admin_client, "options", "/api/cloud_networks?ems_id=1") == "Unknown parameter: ems_id"
    for url in ("/api/cloud_networks", f"/api/cloud_networks/{cast.production.network.pk}"):
        assert ask(admin_client, "options", url)["data"] == {}
