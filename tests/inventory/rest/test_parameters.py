"""Query parameters: what is not understood is refused, and named."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.rest.parameters import IGNORED
from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("company")


def refusal(answer: Any) -> str:
    assert answer.status_code == HTTPStatus.BAD_REQUEST, answer.content
    message: str = answer.json()["error"]["message"]
    return message


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("nmae=web", "nmae"),
        ("limt=1", "limt"),
        ("filter=name=web", "filter"),
        ("filter[0]=name=web", "filter[0]"),
        ("name[]=web", "name[]"),
        ("by_tag=/a/b", "by_tag"),
        ("wait=1", "wait"),
        ("b=1&name=web&a=", "a, b"),
    ],
)
def test_one_of_a_list_that_is_not_understood_is_named(admin_client: Client, query: str, named: str) -> None:
    for url in ("/api/vms", "/api/v1.0.0/security_groups"):
        assert refusal(admin_client.get(f"{url}?{query}")) == f"Unknown parameter: {named}"


@pytest.mark.parametrize("method", ["get", "head", "options", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("url", ["/api/providers", "/api/providers/{pk}", "/api/vms/{vm}/security_groups/add"])
def test_no_method_of_any_address_overlooks_one(
    admin_client: Client, company: Cast, method: str, url: str
) -> None:
    path = url.format(pk=company.acme.pk, vm=company.production.single.pk)
    answer = (
        getattr(admin_client, method)(f"{path}?typo=1", {"action": "refresh"}, content_type="application/json")
        if method not in {"get", "head"}
        else getattr(admin_client, method)(f"{path}?typo=1")
    )
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    if method != "head":
        assert answer.json()["error"]["message"].startswith(("Unknown parameter: typo", "Unsupported HTTP Method"))


@pytest.mark.parametrize("url", ["/api", "/api/auth", "/api/schema", "/api/docs", "/api/tasks"])
def test_neither_do_addresses_of_no_collection(admin_client: Client, url: str) -> None:
    assert refusal(admin_client.get(f"{url}?typo=1")) == "Unknown parameter: typo"


def test_each_action_understands_its_own(admin_client: Client, company: Cast) -> None:
    def post(query: str, **body: Any) -> Any:
        return admin_client.post(f"/api/providers?{query}", body, content_type="application/json")

    named = {"resources": [{"id": company.acme.pk}]}
    assert post("attributes=name&expand=vms", action="query", **named).status_code == HTTPStatus.OK
    assert refusal(post("attributes=name", action="refresh", **named)) == "Unknown parameter: attributes"
    assert refusal(post("limit=1", action="query", **named)) == "Unknown parameter: limit"


@pytest.mark.parametrize("name", sorted(IGNORED - {"format"}))
def test_what_clients_send_along_is_left_out_without_a_word(admin_client: Client, name: str) -> None:
    answer = admin_client.get(f"/api/vms?{name}=x&{name}=y")
    assert answer.json()["count"] == answer.json()["subcount"]


@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "name=a&name=b", "sort_by=name&sort_by=id", "expand=a&expand=b"]
)
def test_what_can_be_said_once_is_not_said_twice(admin_client: Client, query: str) -> None:
    name = query.partition("=")[0]
    assert refusal(admin_client.get(f"/api/vms?{query}")) == f"Parameter given several times: {name}"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("hide=actions", "Invalid hide specified: actions"),
        ("sort_by=name&sort_order=desc,asc", "sort_order has more directions than sort_by has attributes"),
        ("sort_order=desc", "sort_order has more directions than sort_by has attributes"),
        ("sort_by=name&sort_options=random", "Unsupported sort_options random: it must be one of ignore_case"),
    ],
)
def test_a_value_that_means_nothing_is_refused(admin_client: Client, query: str, message: str) -> None:
    assert refusal(admin_client.get(f"/api/vms?{query}")) == message


@pytest.mark.parametrize("empty", ["filter[]=", "filter[]", "filter[]=%20", "filter[]=&filter[]="])
def test_an_empty_filter_is_left_out(admin_client: Client, empty: str) -> None:
    alone, beside = (admin_client.get(f"/api/vms?{query}").json() for query in (empty, f"{empty}&filter[]=id=0"))
    assert alone["subcount"] == alone["count"] > 0
    assert "subquery_count" not in alone
    assert (beside["subcount"], beside["subquery_count"]) == (0, 0)


def test_all_attributes_are_what_none_would_be(admin_client: Client, company: Cast) -> None:
    for url in ("/api/vms?expand=resources&", f"/api/vms/{company.production.single.pk}?"):
        plain = admin_client.get(url).json()
        assert admin_client.get(f"{url}attributes=all").json().keys() == plain.keys()
        assert admin_client.get(f"{url}attributes=all,name").json().keys() == plain.keys()
    computed = admin_client.get(f"{url}attributes=all,total_security_groups").json()
    assert computed.keys() == {*plain, "total_security_groups"}


def test_expanding_the_resources_of_a_single_one_changes_nothing(admin_client: Client, company: Cast) -> None:
    url = f"/api/vms/{company.production.single.pk}"
    assert admin_client.get(f"{url}?expand=resources").content == admin_client.get(url).content


def test_a_wrong_address_is_what_is_wrong(admin_client: Client) -> None:
    assert refusal(admin_client.get("/api/foo?typo=1")) == "Unsupported Collection foo specified"


def test_without_a_login_it_is_401_whatever_is_asked(client: Client) -> None:
    assert client.get("/api/vms?typo=1").status_code == HTTPStatus.UNAUTHORIZED
