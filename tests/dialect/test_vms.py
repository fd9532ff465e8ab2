"""Virtual machines, as ManageIQ's requests/vms_spec asks for them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import Vm
from tests.cast import Cast, site
from tests.cast import network as network_of
from tests.dialect.callers import ask, may, refusal

pytestmark = pytest.mark.django_db

URL = "/api/vms"
#: What ManageIQ does to VMs and Portcullis does not.
OTHERS = (
    "add_event",
    "delete",
    "edit",
    "pause",
    "reboot_guest",
    "rename",
    "request_console",
    "request_retire",
    "reset",
    "retire",
    "scan",
    "set_description",
    "set_miq_server",
    "set_owner",
    "shelve",
    "shelve_offload",
    "shutdown_guest",
    "start",
    "stop",
    "suspend",
    "terminate",
)


def test_the_slug_of_a_vm_is_its_collection_and_id(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_vm")
    pk = cast.production.single.pk
    assert ask(client, "get", f"{URL}/{pk}?attributes=href_slug")["href_slug"] == f"vms/{pk}"


def test_all_are_listed_with_the_attributes_that_are_asked_for(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_vm")
    listed = ask(client, "get", f"{URL}?expand=resources&attributes=vendor,name")
    assert listed["subcount"] == Vm.objects.count() == 4
    assert all(one.keys() == {"href", "id", "vendor", "name"} for one in listed["resources"])


@pytest.mark.parametrize("attributes", ["ext_management_system", "ext_management_system,cloud_tenant"])
def test_relations_are_read_for_all_at_once(
    admin_client: Client, cast: Cast, django_assert_max_num_queries: Any, attributes: str
) -> None:
    url = f"{URL}?expand=resources&attributes={attributes}"
    with django_assert_max_num_queries(10) as few:
        ask(admin_client, "get", url)
    site(network_of(cast.tenant, "third"))
    with django_assert_max_num_queries(len(few)):
        resources = ask(admin_client, "get", url)["resources"]
    assert len(resources) == 6
    assert all(one[name]["name"] for one in resources for name in attributes.split(","))


def test_of_a_relation_only_what_may_be_seen_is_shown(client: Client, admin_client: Client, cast: Cast) -> None:
    url = f"{URL}?expand=resources&attributes=name,ext_management_system.name"
    first = ask(admin_client, "get", url)["resources"][0]
    assert first["ext_management_system"] == {"name": "acme"}
    may(client, "inventory.view_vm")
    assert {one["name"]: one["ext_management_system"] for one in ask(client, "get", url)["resources"]} == {
        vm.name: None for vm in Vm.objects.all()
    }


@pytest.mark.on_purpose("Portcullis changes the security groups of VMs and nothing else of them")
@pytest.mark.parametrize("action", OTHERS)
def test_nothing_else_is_done_to_vms(admin_client: Client, cast: Cast, action: str) -> None:
    pk = cast.production.single.pk
    said = refusal(admin_client, "post", f"{URL}/{pk}", {"action": action})
    assert said == f"Unsupported Action {action} for the vms resource specified"
    body = {"action": action, "resources": [{"href": f"{URL}/{pk}"}]}
    said = refusal(admin_client, "post", URL, body)
    assert said == f"Unsupported Action {action} for the vms collection specified"


# --- refresh ---


def test_a_refresh_asks_its_permission_whatever_is_there(client: Client) -> None:
    may(client, "inventory.view_vm")
    ask(client, "post", f"{URL}/999999", {"action": "refresh"}, HTTPStatus.FORBIDDEN)


def test_what_is_not_there_is_not_refreshed(client: Client) -> None:
    may(client, "inventory.view_vm", "inventory.refresh_provider")
    ask(client, "post", f"{URL}/999999", {"action": "refresh"}, HTTPStatus.NOT_FOUND)


def test_one_and_several_are_refreshed(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_vm", "inventory.refresh_provider")
    hrefs = [f"http://testserver{URL}/{vm.pk}" for vm in (cast.production.single, cast.staging.double)]
    result = ask(client, "post", hrefs[0], {"action": "refresh"})
    assert (result["success"], result["href"]) == (True, hrefs[0])
    assert result["message"].startswith("Refreshing")
    body = {"action": "refresh", "resources": [{"href": href} for href in hrefs]}
    results = ask(client, "post", URL, body)["results"]
    assert [(one["success"], one["href"]) for one in results] == [(True, href) for href in hrefs]


# --- Security groups ---


@pytest.mark.parametrize("collection", ["vms", "instances"])
def test_the_groups_of_a_vm_are_below_it(client: Client, cast: Cast, collection: str) -> None:
    may(client, "inventory.view_vm", "secgroups.view_securitygroup")
    url = f"/api/{collection}/{cast.production.double.pk}/security_groups"
    default = cast.production.default
    assert ask(client, "get", url)["resources"] == [{"href": f"http://testserver{url}/{default.pk}"}]
    assert ask(client, "get", f"{url}/{default.pk}")["id"] == str(default.pk)
    ask(client, "get", f"{url}/{cast.production.web.pk}", status=HTTPStatus.NOT_FOUND)


@pytest.mark.parametrize("collection", ["vms", "instances"])
def test_the_groups_of_a_vm_ask_their_permission(client: Client, cast: Cast, collection: str) -> None:
    may(client, "inventory.view_vm")
    url = f"/api/{collection}/{cast.production.double.pk}/security_groups"
    for one in (url, f"{url}/{cast.production.default.pk}"):
        ask(client, "get", one, status=HTTPStatus.FORBIDDEN)
