"""`attributes` and `expand`: what is shown of a resource."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.api import VmViewSet
from tests.cast import AMAZON_TYPE, Cast
from tests.contracts import grant

PLAIN = ["href", "id", *VmViewSet.resource_type.columns]


@pytest.fixture
def read(admin_client: Client, cast: Cast) -> Any:
    def read(query: str) -> dict[str, Any]:
        answer = admin_client.get(f"/api/vms/{cast.production.single.pk}?{query}")
        assert answer.status_code == HTTPStatus.OK, answer.content
        shown: dict[str, Any] = answer.json()
        shown.pop("actions", None)
        return shown

    return read


def test_plain_attributes_limit_the_answer_to_them(read: Any) -> None:
    assert list(read("attributes=name,vendor")) == ["href", "id", "name", "vendor"]
    assert list(read("attributes=id")) == ["href", "id"]


@pytest.mark.parametrize(
    "name", ["total_security_groups", "ipaddresses", "href_slug", "cloud_tenant", "network_ports"]
)
def test_computed_ones_and_relations_come_beside_all_plain_ones(read: Any, name: str) -> None:
    assert list(read(f"attributes={name}")) == [*PLAIN, name]


def test_a_relation_to_one_is_the_whole_resource(read: Any, cast: Cast, admin_client: Client) -> None:
    shown = read("attributes=name,cloud_tenant")
    assert list(shown) == ["href", "id", "name", "cloud_tenant"]
    alone = admin_client.get(f"/api/cloud_tenants/{cast.tenant.pk}").json()
    assert alone.pop("actions")
    assert shown["cloud_tenant"] == alone


def test_a_relation_to_many_is_a_list_of_whole_resources(read: Any, cast: Cast, admin_client: Client) -> None:
    [group] = read("attributes=security_groups")["security_groups"]
    alone = admin_client.get(f"/api/security_groups/{cast.production.default.pk}").json()
    alone.pop("actions", None)
    assert group == alone


def test_one_attribute_of_a_relation_is_nested(read: Any) -> None:
    shown = read("attributes=name,ext_management_system.name,ext_management_system.type,cloud_tenant.name")
    assert shown["ext_management_system"] == {
        "name": "acme",
        "type": AMAZON_TYPE,
    }
    assert shown["cloud_tenant"] == {"name": "account"}


def test_a_relation_to_one_can_be_asked_for_its_id_and_computed_attributes(read: Any, cast: Cast) -> None:
    names = ("id", "href", "total_vms", "href_slug")
    shown = read("attributes=name," + ",".join(f"ext_management_system.{name}" for name in names))
    assert list(shown) == ["href", "id", "name", "ext_management_system"]
    assert shown["ext_management_system"] == {
        "id": str(cast.acme.pk),
        "href": f"http://testserver/api/providers/{cast.acme.pk}",
        "total_vms": 4,
        "href_slug": f"providers/{cast.acme.pk}",
    }


def test_of_what_is_on_a_port_a_list_can_be_asked(admin_client: Client, cast: Cast) -> None:
    vm = cast.production.single
    port = vm.network_ports.get()
    vm.network_ports.update(ipaddresses=["10.0.0.5"])
    shown = admin_client.get(f"/api/network_ports/{port.pk}?attributes=device.ipaddresses").json()
    assert shown["device"] == {"ipaddresses": ["10.0.0.5"]}


def test_a_subcollection_is_embedded_with_the_addresses_below_the_resource(read: Any, cast: Cast) -> None:
    shown = read("expand=security_groups")
    assert list(shown) == [*PLAIN, "security_groups"]
    assert [group["href"] for group in shown["security_groups"]] == [
        f"{shown['href']}/security_groups/{cast.production.default.pk}"
    ]


def test_href_slug_is_the_short_address(read: Any, cast: Cast) -> None:
    assert read("attributes=name,href_slug")["href_slug"] == f"vms/{cast.production.single.pk}"


def test_what_is_empty_is_null_and_not_left_out(read: Any) -> None:
    shown = read("")
    assert shown["description"] is None
    assert shown["location"] is None


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ("foo", "foo"),
        ("name,foo,bar", "foo, bar"),
        ("security_groups.name", "security_groups.name"),
        ("cloud_tenant.foo", "cloud_tenant.foo"),
        ("cloud_tenant.provider.name", "cloud_tenant.provider.name"),
        ("provider_id", "provider_id"),
    ],
)
def test_an_unknown_attribute_is_named(admin_client: Client, cast: Cast, attributes: str, named: str) -> None:
    for url in ("/api/vms?expand=resources&", f"/api/vms/{cast.production.single.pk}?"):
        answer = admin_client.get(f"{url}attributes={attributes}")
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert answer.json()["error"]["message"] == f"Invalid attributes specified: {named}"


def test_what_may_not_be_seen_is_not_shown_by_a_relation(
    client: Client, cast: Cast, django_user_model: type[User]
) -> None:
    client.force_login(grant(django_user_model.objects.create_user("reader"), "inventory.view_vm"))
    query = "attributes=ext_management_system.name,cloud_tenant,security_groups&expand=security_groups"
    shown = client.get(f"/api/vms/{cast.production.single.pk}?{query}").json()
    assert shown["ext_management_system"] is None
    assert shown["cloud_tenant"] is None
    assert shown["security_groups"] == []


def test_a_query_shows_what_is_asked_for(admin_client: Client, cast: Cast) -> None:
    pk = cast.production.single.pk
    body = {"action": "query", "resources": [{"id": pk}, {"id": str(pk)}, {"href": f"/api/vms/{pk}"}, {"id": 0}]}
    url = "/api/vms?attributes=name,cloud_tenant.name&expand=security_groups"
    answer = admin_client.post(url, body, content_type="application/json")
    assert answer.status_code == HTTPStatus.OK
    *found, missing = answer.json()["results"]
    assert [list(one) for one in found] == [["href", "id", "name", "cloud_tenant", "security_groups"]] * 3
    assert missing == {"success": False, "message": "Couldn't find Vm with 'id'=0"}
