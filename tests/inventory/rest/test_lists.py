"""The envelope of a list: counts, pages and what each resource shows."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.models import Instance, Vm
from secgroups.models import Membership, SecurityGroup
from tests.cast import Cast, group, provider, vm
from tests.contracts import grant


def get(client: Client, url: str) -> dict[str, Any]:
    answer = client.get(url)
    assert answer.status_code == HTTPStatus.OK, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_list_counts_what_there_is_and_what_it_shows(admin_client: Client, cast: Cast) -> None:
    answer = get(admin_client, "/api/security_groups?limit=4")
    assert (answer["name"], answer["count"], answer["subcount"], answer["pages"]) == ("security_groups", 6, 4, 2)
    assert len(answer["resources"]) == 4


def test_below_a_parent_only_its_own_are_counted(admin_client: Client, cast: Cast) -> None:
    answer = get(admin_client, f"/api/vms/{cast.production.double.pk}/security_groups")
    assert (answer["count"], answer["subcount"]) == (1, 1)  # once, although both ports have it


@pytest.mark.parametrize("url", ["vms", "instances", "security_groups", "providers/{acme}/instances"])
def test_what_there_is_is_not_counted_for_each_page(admin_client: Client, cast: Cast, url: str) -> None:
    other = vm(cast.production.network, "other")
    Vm.objects.filter(pk=other.pk).update(cloud=False)
    with CaptureQueriesContext(connection) as queries:
        answer = get(admin_client, f"/api/{url.format(acme=cast.acme.pk)}")
    assert answer["count"] == answer["subcount"] >= 4
    assert not [query for query in queries if "COUNT(" in query["sql"]]


def test_a_page_beyond_the_end_is_empty(admin_client: Client, cast: Cast) -> None:
    answer = get(admin_client, "/api/security_groups?offset=600&limit=4")
    assert (answer["resources"], answer["count"], answer["subcount"], answer["pages"]) == ([], 6, 0, 2)
    assert answer["links"]["last"].endswith("&offset=4")
    assert "next" not in answer["links"]


def test_an_id_to_begin_behind_wins_over_the_offset(admin_client: Client, cast: Cast) -> None:
    ids = [resource["id"] for resource in get(admin_client, "/api/security_groups?expand=resources")["resources"]]
    answer = get(admin_client, f"/api/security_groups?limit=2&offset=600&after={ids[1]}&expand=resources")
    assert [resource["id"] for resource in answer["resources"]] == ids[2:4]
    assert (answer["count"], answer["subcount"], answer["pages"]) == (6, 2, 3)
    assert f"after={ids[3]}" in answer["links"]["next"]
    for behind, on_it in ((ids[3], ids[4:]), (ids[5], []), ("9" * 40, [])):
        answer = get(admin_client, f"/api/security_groups?limit=2&after={behind}&expand=resources")
        assert [resource["id"] for resource in answer["resources"]] == on_it
        assert "next" not in answer["links"]


def test_a_walk_ends_with_what_was_made_meanwhile(admin_client: Client, cast: Cast) -> None:
    url = f"/api/cloud_tenants/{cast.tenant.pk}/security_groups?limit=2&filter[]=name!=web&expand=resources"
    seen = []
    while url:
        page = get(admin_client, url)
        names = [resource["name"] for resource in page["resources"]]
        seen += names
        if "new" not in seen:
            group(cast.staging.network, "new", ems_ref=f"sg-{len(seen)}")
            SecurityGroup.objects.filter(pk=cast.production.default.pk).delete()
        url = page["links"].get("next", "")
    assert seen == ["default", "db", "default", "db", "new", "new"]


@pytest.mark.parametrize("below", ["", "/cloud_tenants/{tenant}", "/instances/{vm}"])
@pytest.mark.parametrize("asked", ["", "&filter[]=name=*", "&sort_by=description,name&sort_order=asc,desc"])
def test_a_page_is_a_part_of_the_whole_list(admin_client: Client, cast: Cast, below: str, asked: str) -> None:
    vm = cast.production.double
    memberships = [
        Membership(security_group=group, network_port=port, vm=vm)
        for group in (cast.production.web, cast.production.db)
        for port in vm.network_ports.all()
    ]
    Membership.objects.bulk_create(memberships)
    url = f"/api{below.format(tenant=cast.tenant.pk, vm=vm.pk)}/security_groups?expand=resources{asked}"
    whole = get(admin_client, url)["resources"]
    for offset in range(len(whole) + 1):
        assert get(admin_client, f"{url}&limit=2&offset={offset}")["resources"] == whole[offset : offset + 2]


def test_what_is_skipped_is_no_more_than_ids(admin_client: Client, cast: Cast) -> None:
    with CaptureQueriesContext(connection) as queries:
        get(admin_client, "/api/vms?expand=resources&offset=2&attributes=name,total_security_groups")
    skipping = r'IN \(SELECT \w+\."id" ((?!JOIN).)* OFFSET 2\)'
    assert [query for query in queries if re.search(skipping, query["sql"])]


@pytest.mark.parametrize(
    ("model", "index", "condition"), [(Vm, "vm_pages", set()), (Instance, "vm_instances", {"cloud"})]
)
def test_an_index_has_all_that_skipping_ids_reads(model: type[Vm], index: str, condition: set[str]) -> None:
    skipping = str(model.objects.connected().order_by("pk")[2:4].values("pk").query)
    fields = next(one.fields for one in Vm._meta.indexes if one.name == index)
    indexed = {Vm._meta.get_field(name).column for name in fields}  # type: ignore[union-attr]
    assert set(re.findall(r'"inventory_vm"\."(\w+)"', skipping)) == indexed | condition


def test_a_list_without_anything_has_no_page(admin_client: Client) -> None:
    answer = get(admin_client, "/api/security_groups")
    assert (answer["count"], answer["subcount"], answer["pages"], answer["resources"]) == (0, 0, 0, [])


def test_the_list_itself_can_be_left_out(admin_client: Client, cast: Cast) -> None:
    answer = get(admin_client, "/api/security_groups?hide=resources")
    assert "resources" not in answer
    assert answer["count"] == 6


def test_a_list_has_the_actions_of_the_collection_and_its_resources_none(admin_client: Client, cast: Cast) -> None:
    answer = get(admin_client, "/api/providers?expand=resources&attributes=actions")
    offered = {action["name"]: action for action in answer["actions"]}
    assert offered.keys() == {"query", "create", "edit", "delete", "refresh", "verify_credentials"}
    assert offered["create"] == {"name": "create", "method": "post", "href": "http://testserver/api/providers"}
    assert "actions" not in answer["resources"][0]


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        (None, True),
        ("total_vms", True),
        ("vms", True),
        ("name", False),
        ("name,actions", True),
        ("actions", True),
    ],
)
def test_a_resource_read_alone_says_what_can_be_done(
    admin_client: Client, cast: Cast, attributes: str | None, shown: bool
) -> None:
    query = f"?attributes={attributes}" if attributes else ""
    answer = get(admin_client, f"/api/providers/{cast.acme.pk}{query}")
    assert ("actions" in answer) == shown
    if shown:
        assert {action["name"] for action in answer["actions"]} >= {"edit", "delete", "refresh"}


def test_an_action_is_offered_with_each_method_that_stands_for_it(admin_client: Client, cast: Cast) -> None:
    def methods(url: str, name: str) -> list[str]:
        return [action["method"] for action in get(admin_client, url)["actions"] if action["name"] == name]

    url = f"/api/providers/{cast.acme.pk}"
    assert methods(url, "edit") == ["post", "put", "patch"]
    assert methods(url, "delete") == ["post", "delete"]
    assert methods(url, "refresh") == ["post"]
    assert methods("/api/providers", "edit") == methods("/api/providers", "delete") == ["post"]


def test_actions_are_left_out_where_the_caller_may_do_none(
    client: Client, cast: Cast, django_user_model: type[User]
) -> None:
    client.force_login(grant(django_user_model.objects.create_user("reader"), "inventory.view_provider"))
    assert "actions" not in get(client, f"/api/providers/{cast.acme.pk}")
    assert [action["name"] for action in get(client, "/api/providers")["actions"]] == ["query"]


def test_a_version_in_the_address_is_in_every_address_of_the_answer(admin_client: Client, cast: Cast) -> None:
    root = "http://testserver/api/v1.0.0"
    answer = get(admin_client, "/api/v1.0.0/vms?expand=resources,security_groups&attributes=cloud_tenant")
    first = answer["resources"][0]
    addresses = [
        first["href"],
        first["cloud_tenant"]["href"],
        first["security_groups"][0]["href"],
        answer["actions"][0]["href"],
        *answer["links"].values(),
    ]
    assert all(address.startswith(f"{root}/") for address in addresses)


def test_a_vm_of_no_cloud_is_no_instance(admin_client: Client, cast: Cast) -> None:
    other = vm(cast.production.network, "other")
    Vm.objects.filter(pk=other.pk).update(cloud=False)
    assert get(admin_client, f"/api/vms/{other.pk}")["name"] == other.name
    assert admin_client.get(f"/api/instances/{other.pk}").status_code == HTTPStatus.NOT_FOUND
    assert get(admin_client, "/api/instances")["count"] == get(admin_client, "/api/vms")["count"] - 1


@pytest.mark.parametrize("below", ["security_groups", "security_groups/{group}"])
def test_a_parent_that_may_not_be_seen_shows_nothing_below_it(
    client: Client, cast: Cast, django_user_model: type[User], below: str
) -> None:
    user = grant(django_user_model.objects.create_user("reader"), "secgroups.view_securitygroup")
    client.force_login(user)
    url = f"/api/vms/{cast.production.single.pk}/{below.format(group=cast.production.default.pk)}"
    assert client.get(url).status_code == HTTPStatus.FORBIDDEN
    grant(user, "inventory.view_vm")
    assert client.get(url).status_code == HTTPStatus.OK


def test_what_belongs_to_another_parent_is_not_found(admin_client: Client, cast: Cast) -> None:
    other = provider("other")
    assert get(admin_client, f"/api/providers/{other.pk}/vms")["count"] == 0
    url = f"/api/providers/{other.pk}/vms/{cast.production.single.pk}"
    assert admin_client.get(url).status_code == HTTPStatus.NOT_FOUND
