"""The examples of ManageIQ's API documentation, of its overview, of all collections which are here.

Their values are replaced by those of the cast; the requests are as they stand there.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Vm
from tests.cast import AMAZON_TYPE, Cast
from tests.dialect.callers import ask, basic, user

pytestmark = pytest.mark.django_db

LOGIN = {"userid": "admin_account", "password": "admin_password"}
HOST = {"hostname": "cloud101.example.com", "ipaddress": "100.64.0.101"}


def named(answer: Any) -> list[str]:
    return [one["name"].removeprefix("production-") for one in answer["resources"]]


# --- overview/auth, overview/authorization ---


def test_logins_by_password_and_token(client: Client) -> None:
    user("inventory.view_vm", groups=("auditors",))
    User.objects.get().groups.get().permissions.set(User.objects.get().user_permissions.all())
    for query, seconds in (("", 600), ("?requester_type=ui", 3600)):
        issued = ask(client, "get", f"/api/auth{query}", Accept="application/json", **basic())
        assert issued["token_ttl"] == seconds
        for proof in (basic(), {"X_Auth_Token": issued["auth_token"]}):
            ask(client, "get", "/api/vms", **proof)
            ask(client, "get", "/api/vms", X_MIQ_Group="auditors", **proof)
            said = ask(client, "get", "/api/vms", status=HTTPStatus.UNAUTHORIZED, X_MIQ_Group="none", **proof)
            assert said["error"]["kind"] == "unauthorized"
            assert said["error"]["message"] == "Invalid Authorization Group none specified"
        token = {"X_Auth_Token": issued["auth_token"]}
        ask(client, "delete", "/api/auth", status=HTTPStatus.NO_CONTENT, **token)
        ask(client, "get", "/api/vms", status=HTTPStatus.UNAUTHORIZED, **token)


@pytest.mark.on_purpose("Of a challenge of Basic a browser would ask for a password over the login page")
def test_a_bad_token_is_answered_without_a_challenge(client: Client) -> None:
    answer = client.get("/api/vms", headers={"X-Auth-Token": "93d98fd44cc5a401ff385ba87b21fd13"})
    assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (HTTPStatus.UNAUTHORIZED, False)


# --- overview/http, overview/json, overview/crud, appendices/collection_metadata ---


def test_the_entry_point(admin_client: Client) -> None:
    version = settings.REST_FRAMEWORK["DEFAULT_VERSION"]
    for url in ("/api", "/api/", f"/api/v{version}/"):
        entry = ask(admin_client, "get", url)
        assert (entry["name"], entry["description"], entry["version"]) == ("API", "REST API", version)
        assert {"settings", "identity", "server_info", "product_info"} <= entry.keys()
        assert all(one.keys() == {"name", "href", "description"} for one in entry["collections"])


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("put", {"name": "new", "provider_region": "r"}),
        ("post", {"action": "edit", "resource": {"name": "new", "provider_region": "r"}}),
        (
            "patch",
            [
                {"action": "edit", "path": "name", "value": "new"},
                {"action": "add", "path": "provider_region", "value": "r"},
                {"action": "remove", "path": "project"},
            ],
        ),
    ],
)
def test_a_resource_is_updated(admin_client: Client, cast: Cast, method: str, body: Any) -> None:
    answer = ask(admin_client, method, f"/api/providers/{cast.acme.pk}", body)
    assert (answer["name"], answer["provider_region"], answer["project"]) == ("new", "r", None)


def test_the_content_type_that_curl_sends_by_itself_means_nothing(admin_client: Client) -> None:
    body = json.dumps({"name": "aws", "type": AMAZON_TYPE, **HOST, "credentials": LOGIN})
    answer = admin_client.post("/api/providers", body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == HTTPStatus.OK, answer.content


def test_actions_are_told_with_their_method_and_address(admin_client: Client, cast: Cast) -> None:
    for url in ("/api/providers", f"/api/providers/{cast.acme.pk}"):
        actions = ask(admin_client, "get", url)["actions"]
        assert all(action.keys() == {"name", "method", "href"} for action in actions)
        assert {"edit", "delete", "refresh"} <= {action["name"] for action in actions}
    offered = {(action["name"], action["method"]) for action in actions}
    assert {
        ("edit", "post"),
        ("edit", "put"),
        ("edit", "patch"),
        ("delete", "post"),
        ("delete", "delete"),
    } < offered


@pytest.mark.parametrize("body", [{"action": "refresh", "resource": {}}, {"action": "refresh"}])
def test_an_action_that_takes_nothing(admin_client: Client, cast: Cast, body: Any) -> None:
    result = ask(admin_client, "post", f"/api/vms/{cast.production.single.pk}", body)
    assert {"success", "message", "href", "task_id", "task_href"} <= result.keys()


def test_the_metadata_of_a_collection(admin_client: Client) -> None:
    told = ask(admin_client, "options", "/api/vms")
    assert told.keys() == {"attributes", "virtual_attributes", "relationships", "subcollections", "data"}
    assert all(told[name] == sorted(told[name]) for name in told.keys() - {"data"})


# --- overview/query, overview/filtering, overview/pagination, examples/queries, examples/paging_queries ---


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("expand=resources&attributes=name,vendor", ["single", "double", "staging-single", "staging-double"]),
        ("expand=resources&attributes=name,vendor&filter[]=name='production%25'", ["single", "double"]),
        (
            "expand=resources&attributes=name,vendor&filter[]=created_on>2019-09-01&filter[]=name='production%25'",
            ["single", "double"],
        ),
        ("expand=resources&filter[]=created_on<2023-01-01", []),
        ("expand=resources&filter[]=power_state=[on,off]&filter[]=name='production*'", ["single", "double"]),
        ("expand=resources&filter[]=power_state=off&filter[]=or%20power_state=on&limit=1", ["single"]),
        ("expand=resources&filter[]=power_state!=unknown&limit=1", ["single"]),
        *(
            (f"expand=resources&filter[]=cloud_tenant_id!={null}&limit=1", ["single"])
            for null in ("nil", "NULL", "null")
        ),
        ("expand=resources&filter[]=cloud_tenant_id=nil&filter[]=template=true", []),
        (
            "attributes=name,cloud_tenant&expand=resources&filter[]=vendor='amazon'&filter[]=cloud_tenant.name=account&limit=1",
            ["single"],
        ),
        ("offset=0&limit=2&sort_order=asc&sort_by=name&expand=resources&attributes=name", ["double", "single"]),
        ("offset=3&limit=2&sort_order=asc&sort_by=name&expand=resources&attributes=name", ["staging-single"]),
        (
            "offset=0&limit=9&filter[]=name='production%25'&expand=resources&attributes=name,guid&sort_by=name&sort_order=asc",
            ["double", "single"],
        ),
    ],
)
def test_queries_of_vms(admin_client: Client, cast: Cast, query: str, names: list[str]) -> None:
    answer = ask(admin_client, "get", f"/api/vms?{query}")
    assert (named(answer), answer["subcount"], answer["count"]) == (names, len(names), 4)


def test_attributes_of_every_kind_together(admin_client: Client, cast: Cast) -> None:
    url = f"/api/vms/{cast.production.single.pk}"
    shown = ask(admin_client, "get", f"{url}?attributes=name,raw_power_state,ipaddresses,cloud_tenant.name")
    assert shown.keys() == {"href", "id", "name", "raw_power_state", "ipaddresses", "cloud_tenant"}
    assert shown["cloud_tenant"] == {"name": "account"}
    shown = ask(admin_client, "get", f"{url}?expand=security_groups&attributes=ipaddresses,cloud_tenant")
    assert shown["cloud_tenant"]["name"] == "account"
    assert [group["name"] for group in shown["security_groups"]] == ["default"]
    assert {"vendor", "guid", "uid_ems", "power_state", "ipaddresses"} <= shown.keys()


def test_pages_and_their_links(admin_client: Client, cast: Cast) -> None:
    base = "/api/vms?sort_by=name&expand=resources&limit=1"
    answer = ask(admin_client, "get", f"{base}&offset=2")
    assert (answer["pages"], answer["subcount"]) == (4, 1)
    links = {name: ask(admin_client, "get", href)["resources"][0]["id"] for name, href in answer["links"].items()}
    ordered = [str(pk) for pk in Vm.objects.order_by("name").values_list("pk", flat=True)]
    expected = {"self": 2, "first": 0, "last": 3, "next": 3, "previous": 1}
    assert links == {name: ordered[place] for name, place in expected.items()}
    assert "previous" not in ask(admin_client, "get", base)["links"]
    assert "next" not in ask(admin_client, "get", f"{base}&offset=3")["links"]


def test_many_are_queried_at_once(admin_client: Client, cast: Cast) -> None:
    vms = [cast.production.single, cast.staging.double]
    for resources in ([{"guid": str(vm.guid)} for vm in vms], [{"id": vm.pk} for vm in vms]):
        body = {"action": "query", "resources": resources}
        results = ask(admin_client, "post", "/api/vms?attributes=name,raw_power_state", body)["results"]
        assert [one["id"] for one in results] == [str(vm.pk) for vm in vms]
        assert all(one.keys() == {"href", "id", "name", "raw_power_state"} for one in results)
