"""What `spec/requests/queries_spec.rb` asks: ids and addresses wherever resources are, and no secrets."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tests import cast as actors
from tests.cast import Cast
from tests.dialect.asking import Answer, get, vms

pytestmark = pytest.mark.django_db
VM = re.compile(r"http://.*/api/vms/[0-9]+")


def test_a_list_has_addresses_alone(admin_client: Client) -> None:
    vms("aa", "bb", "cc")
    found = get(admin_client, "/vms")["resources"]
    assert len(found) == 3
    assert all(one.keys() == {"href"} and VM.fullmatch(one["href"]) for one in found)


def test_an_expanded_list_has_ids_beside_them(admin_client: Client) -> None:
    vms("aa", "bb", "cc")
    for one in get(admin_client, "/vms", expand="resources")["resources"]:
        assert VM.fullmatch(one["href"])
        assert isinstance(one["id"], str)
        assert "guid" in one


def test_some_attributes_come_with_both(admin_client: Client) -> None:
    [vm] = vms("aa")
    [one] = get(admin_client, "/vms", expand="resources", attributes="guid")["resources"]
    assert one == {"id": str(vm.pk), "href": f"http://testserver/api/vms/{vm.pk}", "guid": str(vm.guid)}


def test_a_resource_has_both(admin_client: Client) -> None:
    [vm] = vms("aa")
    found = get(admin_client, f"/vms/{vm.pk}")
    assert (found["id"], found["guid"]) == (str(vm.pk), str(vm.guid))
    assert found["href"] == f"http://testserver/api/vms/{vm.pk}"


@pytest.mark.on_purpose("an id that is no number is 404; ManageIQ answers 400, though its examples are called 404")
def test_an_id_with_garbage_behind_it(admin_client: Client, cast: Cast) -> None:
    vm, group = cast.production.single, cast.production.default
    assert get(admin_client, f"/vms/{vm.pk}garbage", status=404)["error"]["kind"] == "not_found"
    assert get(admin_client, f"/vms/{vm.pk}/security_groups/{group.pk}garbage", status=404)


@pytest.fixture
def below(cast: Cast) -> str:
    return f"/providers/{cast.acme.pk}/cloud_networks"


def hrefs(found: Answer) -> list[str]:
    return sorted(one["href"] for one in found["resources"])


def test_a_subcollection_has_addresses_below_its_parent(admin_client: Client, cast: Cast, below: str) -> None:
    found = get(admin_client, below)
    networks = (cast.production.network, cast.staging.network)
    assert found["subcount"] == 2
    assert hrefs(found) == sorted(f"http://testserver/api{below}/{network.pk}" for network in networks)
    assert all(one.keys() == {"href"} for one in found["resources"])


def test_so_has_one_of_it(admin_client: Client, cast: Cast, below: str) -> None:
    network = cast.production.network
    found = get(admin_client, f"{below}/{network.pk}")
    assert (found["id"], found["name"]) == (str(network.pk), "production")
    assert found["href"] == f"http://testserver/api{below}/{network.pk}"


def test_so_has_an_expanded_one(admin_client: Client, below: str) -> None:
    found = get(admin_client, below, expand="resources")
    assert [one["href"] for one in found["resources"]] == [
        f"http://testserver/api{below}/{one['id']}" for one in found["resources"]
    ]


def test_no_password_is_shown(admin_client: Client, cast: Cast) -> None:
    actors.give_credentials(cast.acme, auth_type="password", userid="admin", password="super_password")
    for query in ({}, {"expand": "resources"}):
        for path in ("/providers", f"/providers/{cast.acme.pk}"):
            assert "super_password" not in str(get(admin_client, path, **query))


@pytest.mark.on_purpose("credentials never come back, not even the user")
@pytest.mark.parametrize("name", ["authentications", "credentials"])
def test_who_logs_in_is_no_attribute(admin_client: Client, cast: Cast, name: str) -> None:
    assert get(admin_client, f"/providers/{cast.acme.pk}", attributes=name, status=400)
