"""Tenants, as ManageIQ's requests/cloud_tenants_spec asks for them."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client

from inventory.models import CloudTenant, Provider
from tests.cast import Cast
from tests.dialect.callers import ask, may, refusal

pytestmark = pytest.mark.django_db

URL = "/api/cloud_tenants"


def test_tenants_ask_their_permission(client: Client, cast: Cast) -> None:
    may(client)
    for url in (URL, f"{URL}/{cast.tenant.pk}"):
        ask(client, "get", url, status=HTTPStatus.FORBIDDEN)


def test_tenants_are_listed_and_shown(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_cloudtenant")
    href = f"http://testserver{URL}/{cast.tenant.pk}"
    listed = ask(client, "get", URL)
    assert (listed["name"], listed["count"], listed["subcount"]) == ("cloud_tenants", 1, 1)
    assert listed["resources"] == [{"href": href}]
    assert ask(client, "get", href)["href"] == href


@pytest.mark.on_purpose("Tenants are the cloud's: they are neither made nor changed nor deleted")
def test_tenants_are_not_changed(admin_client: Client, cast: Cast) -> None:
    said = refusal(admin_client, "post", URL, {"name": "foo", "ems_id": cast.acme.pk})
    assert said == "Unsupported Action create for the cloud_tenants collection specified"
    for method in ("put", "patch", "delete"):
        refusal(admin_client, method, f"{URL}/{cast.tenant.pk}", {"name": "foo"})
    assert CloudTenant.objects.get().name == "account"


def test_the_groups_of_a_tenant_are_below_it(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_cloudtenant", "secgroups.view_securitygroup")
    url, web = f"{URL}/{cast.tenant.pk}/security_groups", cast.production.web
    hrefs = [one["href"] for one in ask(client, "get", url)["resources"]]
    assert len(hrefs) == 6
    assert f"http://testserver{url}/{web.pk}" in hrefs
    assert ask(client, "get", f"{url}/{web.pk}")["id"] == str(web.pk)


def test_the_groups_of_a_tenant_ask_their_permission(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_cloudtenant")
    url = f"{URL}/{cast.tenant.pk}/security_groups"
    for one in (url, f"{url}/{cast.production.web.pk}"):
        ask(client, "get", one, status=HTTPStatus.FORBIDDEN)


def test_a_provider_without_tenants_has_an_empty_list(admin_client: Client) -> None:
    provider = Provider.objects.create(name="bare", vendor="vmware")
    assert ask(admin_client, "get", f"/api/providers/{provider.pk}/cloud_tenants")["resources"] == []
