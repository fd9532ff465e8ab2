"""What `spec/requests/querying_spec.rb` asks of the attributes and actions that are shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.cast import Cast
from tests.dialect.asking import ask, caller, get, refusal, vms

pytestmark = pytest.mark.django_db


# --- Attributes ---


def test_an_attribute_that_there_is_not(admin_client: Client) -> None:
    [vm] = vms("aa")
    message = refusal(admin_client, f"/vms/{vm.pk}", attributes="not_an_attribute")
    assert message == "Invalid attributes specified: not_an_attribute"


def test_the_id_alone(admin_client: Client) -> None:
    [vm] = vms("aa")
    only = {"href": f"http://testserver/api/vms/{vm.pk}", "id": str(vm.pk)}
    assert get(admin_client, "/vms", expand="resources", attributes="id")["resources"] == [only]
    assert get(admin_client, f"/vms/{vm.pk}", attributes="id") == only


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        (None, {"description": None, "flavor_name": None}),
        ("cloud_tenant", {"cloud_tenant": None}),
        ("cloud_tenant.description", {"cloud_tenant": None}),
        ("security_groups", {"security_groups": []}),
        ("ipaddresses", {"ipaddresses": []}),
        ("ext_management_system.last_refresh_error", {"ext_management_system": {"last_refresh_error": None}}),
        ("ext_management_system.total_vms", {"ext_management_system": {"total_vms": 1}}),
    ],
)
def test_what_is_empty_is_shown(admin_client: Client, attributes: str | None, shown: dict[str, Any]) -> None:
    [vm] = vms("aa")
    found = get(admin_client, f"/vms/{vm.pk}", **({"attributes": attributes} if attributes else {}))
    assert shown.items() <= found.items()


def test_some_attributes(admin_client: Client) -> None:
    [vm] = vms("aa")
    [shown] = get(admin_client, "/vms", expand="resources", attributes="href_slug,name,vendor")["resources"]
    assert shown == {
        "id": str(vm.pk),
        "href": f"http://testserver/api/vms/{vm.pk}",
        "href_slug": f"vms/{vm.pk}",
        "name": "aa",
        "vendor": "amazon",
    }


def test_addresses_alone_without_expanding(admin_client: Client) -> None:
    vms("aa", "bb")
    assert [one.keys() for one in get(admin_client, "/vms")["resources"]] == [{"href"}] * 2


def test_expanding_resources_and_a_subcollection(admin_client: Client, cast: Cast) -> None:
    found = get(admin_client, "/vms", expand="resources")["resources"]
    assert all({"id", "href", "guid", "name", "vendor"} <= one.keys() for one in found)
    found = get(admin_client, "/vms", expand="resources,security_groups")["resources"]
    assert all({"id", "guid", "security_groups"} <= one.keys() for one in found)


def test_hiding_the_resources(admin_client: Client) -> None:
    vms("aa")
    assert "resources" not in get(admin_client, "/vms", hide="resources")


# --- Actions ---


def offered(answer: dict[str, Any]) -> list[str]:
    return [action["name"] for action in answer.get("actions", [])]


def test_no_actions_for_who_may_do_none(client: Client) -> None:
    [vm] = vms("aa")
    caller(client, "inventory.view_vm")
    assert "actions" not in get(client, f"/vms/{vm.pk}")


def test_the_actions_that_the_caller_may_do(client: Client) -> None:
    [vm] = vms("aa")
    caller(client, "inventory.view_vm", "inventory.refresh_provider")
    assert offered(get(client, f"/vms/{vm.pk}")) == ["refresh"]
    assert offered(get(client, "/vms")) == ["query", "refresh"]


def test_several_actions(client: Client, cast: Cast) -> None:
    may = ("view", "change", "delete", "refresh")
    caller(client, *(f"inventory.{what}_provider" for what in may))
    found = get(client, f"/providers/{cast.acme.pk}")
    assert {*offered(found)} == {"edit", "delete", "refresh"}
    assert {action["method"] for action in found["actions"] if action["name"] == "edit"} == {
        "post",
        "put",
        "patch",
    }


def test_the_actions_of_a_subcollection(client: Client, cast: Cast) -> None:
    views = ("inventory.view_provider", "secgroups.view_securitygroup")
    caller(client, *views, *(f"secgroups.{what}_securitygroup" for what in ("add", "delete")))
    path = f"/providers/{cast.acme.pk}/security_groups"
    assert {*offered(get(client, path))} - {"query"} == {"create", "delete"}
    assert {*offered(get(client, f"{path}/{cast.production.web.pk}"))} == {"delete"}


@pytest.mark.parametrize(
    ("attributes", "has_actions"),
    [
        ("name,vendor,actions", True),
        ("name", False),
        ("total_security_groups", True),
        ("name,total_security_groups", False),
    ],
)
def test_attributes_and_actions(admin_client: Client, attributes: str, has_actions: bool) -> None:
    [vm] = vms("aa")
    found = get(admin_client, f"/vms/{vm.pk}", attributes=attributes)
    assert ("actions" in found) is has_actions
    if "name" in attributes:
        assert found.keys() == {"id", "href", *attributes.split(",")}


def test_options(admin_client: Client) -> None:
    found = ask(admin_client, "options", "/vms")
    assert found.keys() == {"attributes", "virtual_attributes", "relationships", "subcollections", "data"}
    assert found["data"] == {}
    assert all(found[name] == sorted(found[name]) for name in found.keys() - {"data"})
