"""What is told of providers and what is below them, as ManageIQ's requests/providers_spec asks for it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider
from tests.cast import AMAZON, AMAZON_TYPE, FILE_TYPE, OPENSTACK_TYPE, Cast
from tests.dialect.callers import ask, may, refusal

pytestmark = pytest.mark.django_db

URL = "/api/providers"


@pytest.mark.parametrize(
    ("name", "permission", "count"),
    [
        ("cloud_tenants", "inventory.view_cloudtenant", 1),
        ("cloud_networks", "inventory.view_cloudnetwork", 2),
        ("security_groups", "secgroups.view_securitygroup", 6),
        ("vms", "inventory.view_vm", 4),
    ],
)
def test_what_belongs_to_a_provider_is_below_it(
    client: Client, cast: Cast, name: str, permission: str, count: int
) -> None:
    url = f"{URL}/{cast.acme.pk}/{name}"
    may(client, "inventory.view_provider", permission)
    listed = ask(client, "get", url)
    assert (listed["name"], listed["subcount"]) == (name, count)
    hrefs = [one["href"] for one in listed["resources"]]
    assert all(href.startswith(f"http://testserver{url}/") for href in hrefs)
    assert ask(client, "get", hrefs[0])["id"] == hrefs[0].rpartition("/")[2]
    [one] = ask(client, "get", f"{URL}?expand=resources,{name}")["resources"]
    assert sorted(below["href"] for below in one[name]) == sorted(hrefs)


@pytest.mark.parametrize("name", ["cloud_tenants", "cloud_networks", "security_groups", "vms"])
def test_without_its_permission_it_is_not_shown(client: Client, cast: Cast, name: str) -> None:
    may(client, "inventory.view_provider")
    ask(client, "get", f"{URL}/{cast.acme.pk}/{name}", status=HTTPStatus.FORBIDDEN)
    ask(client, "get", f"{URL}/{cast.acme.pk}/{name}/1", status=HTTPStatus.FORBIDDEN)


@pytest.mark.parametrize("name", ["cloud_tenants", "cloud_networks", "security_groups", "vms"])
def test_a_provider_of_a_kind_without_them_has_none(admin_client: Client, name: str) -> None:
    provider = Provider.objects.create(name="bare", vendor="redhat")
    assert ask(admin_client, "get", f"{URL}/{provider.pk}/{name}")["resources"] == []
    assert ask(admin_client, "get", f"{URL}/{provider.pk}?expand={name}")[name] == []


def test_relations_show_what_the_user_may_see(client: Client, admin_client: Client, cast: Cast) -> None:
    url = f"{URL}/{cast.acme.pk}?attributes=cloud_tenants,vms"
    everything = ask(admin_client, "get", url)
    assert (len(everything["cloud_tenants"]), len(everything["vms"])) == (1, 4)
    may(client, "inventory.view_provider", "inventory.view_vm")
    limited = ask(client, "get", url)
    assert (len(limited["cloud_tenants"]), len(limited["vms"])) == (0, 4)


def test_the_number_of_queries_does_not_grow_with_the_providers(
    admin_client: Client, cast: Cast, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    url = f"{URL}?expand=resources&attributes=name,total_vms,total_security_groups"
    with django_assert_max_num_queries(6) as one:
        ask(admin_client, "get", url)
    for number in range(5):
        Provider.objects.create(name=f"more {number}", vendor=AMAZON)
    with django_assert_num_queries(len(one)):
        assert ask(admin_client, "get", url)["subcount"] == 6


# --- What is told of connections ---


@pytest.mark.on_purpose("The endpoint is among the provider's own attributes, and credentials are never shown")
def test_endpoints_and_authentications_are_not_shown(admin_client: Client, cast: Cast) -> None:
    shown = ask(admin_client, "get", f"{URL}/{cast.acme.pk}")
    assert not {"endpoints", "authentications", "credentials"} & shown.keys()
    assert shown.keys() >= {"hostname", "port", "url", "security_protocol", "verify_ssl"}
    said = refusal(admin_client, "get", f"{URL}/{cast.acme.pk}?attributes=endpoints,authentications")
    assert said == "Invalid attributes specified: endpoints, authentications"


def test_options_tell_what_can_be_connected(admin_client: Client) -> None:
    told = ask(admin_client, "options", URL)["data"]
    assert [one["type"] for one in told["supported_providers"]] == [AMAZON_TYPE, OPENSTACK_TYPE, FILE_TYPE]
    assert ask(admin_client, "options", f"{URL}?type={AMAZON_TYPE}")["data"]["provider_form_schema"]["fields"]


@pytest.mark.parametrize("named", ["foo", "Vm", "ManageIQ::Providers::Redhat::InfraManager"])
def test_options_of_what_can_not_be_connected_are_refused(admin_client: Client, named: str) -> None:
    assert refusal(admin_client, "options", f"{URL}?type={named}").startswith(f"Invalid provider - {named}")


@pytest.mark.on_purpose("A login is asked for whatever the method; proxies of providers are no settings here")
def test_options_ask_for_a_login_and_have_no_proxy_settings(client: Client, admin_client: Client) -> None:
    ask(client, "options", URL, status=HTTPStatus.UNAUTHORIZED)
    assert "provider_settings" not in ask(admin_client, "options", URL)["data"]
