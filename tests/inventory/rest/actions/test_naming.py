"""Which resource a body means, by what beside its id and address."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from inventory.models import Provider, Task, Vm
from tests.cast import Cast


def post(client: Client, url: str, body: dict[str, Any]) -> Any:
    return client.post(url, body, content_type="application/json")


def queried(client: Client, collection: str, *named: dict[str, Any]) -> list[dict[str, Any]]:
    answer = post(client, f"/api/{collection}", {"action": "query", "resources": list(named)})
    assert answer.status_code == HTTPStatus.OK, answer.content
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.fixture
def jane(company: Cast) -> User:
    return User.objects.create_user("jane", first_name="Jane", last_name="Doe")


def test_a_user_is_queried_by_userid_and_name(admin_client: Client, jane: User) -> None:
    named = [{"userid": "jane"}, {"name": "Jane Doe"}, {"userid": "jane", "name": "Jane Doe", "id": jane.pk}]
    assert {user["id"] for user in queried(admin_client, "users", *named)} == {str(jane.pk)}


def test_a_group_is_queried_by_its_description(admin_client: Client, company: Cast) -> None:
    [group] = queried(admin_client, "groups", {"description": "readers"})
    assert group["id"] == str(Group.objects.get(name="readers").pk)


@pytest.mark.parametrize(
    "named",
    [
        {"userid": "joan"},
        {"userid": 1},
        {"userid": None},
        {"userid": "jane", "name": "Joan"},
        {"userid": "jane", "id": 0},
    ],
)
def test_what_nobody_is_called_finds_nobody(admin_client: Client, jane: User, named: dict[str, Any]) -> None:
    [result] = queried(admin_client, "users", named)
    assert (result["success"], "Couldn't find User" in result["message"]) == (False, True)


def test_a_name_of_several_is_refused_with_their_ids(admin_client: Client, jane: User) -> None:
    other = User.objects.create_user("jane2", first_name="Jane", last_name="Doe")
    [both, one] = queried(admin_client, "users", {"name": "Jane Doe"}, {"name": "Jane Doe", "id": other.pk})
    message = f"Several users have this name. Choose one by its id: {jane.pk}, {other.pk}"
    assert both == {"success": False, "message": message}
    assert one["id"] == str(other.pk)


def test_what_the_caller_may_not_see_is_not_found(client: Client, jane: User) -> None:
    client.force_login(jane)
    mine, another = queried(client, "users", {"userid": "jane"}, {"userid": "one of readers"})
    assert (mine["id"], another["success"]) == (str(jane.pk), False)


def test_an_action_on_many_takes_the_guid(admin_client: Client, company: Cast) -> None:
    vm, acme = company.production.single, Provider.objects.get(pk=company.acme.pk)
    wrong = "00000000-0000-4000-8000-000000000000"
    named = [{"guid": str(vm.guid)}, {"guid": wrong}, {"guid": "x"}]
    results = post(admin_client, "/api/vms", {"action": "refresh", "resources": named}).json()["results"]
    assert [result["success"] for result in results] == [True, False, False]
    assert results[1]["message"] == f"Couldn't find Vm with 'guid'={wrong}"
    assert Task.objects.filter(name__contains=vm.name).exists()

    edit = {"action": "edit", "resource": {"guid": str(acme.guid), "project": "new"}}
    [edited] = post(admin_client, "/api/providers", edit).json()["results"]
    assert (edited["id"], edited["project"]) == (str(acme.pk), "new")


def test_at_the_address_of_one_there_is_no_guid_to_say(admin_client: Client, company: Cast) -> None:
    other = Vm.objects.get(pk=company.staging.single.pk)
    url = f"/api/vms/{company.production.single.pk}"
    answer = post(admin_client, url, {"action": "refresh", "guid": str(other.guid)})
    assert answer.status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("name", ["id", "href"])
def test_what_is_made_is_not_named(admin_client: Client, company: Cast, name: str) -> None:
    new = {"name": "new", "type": "amazon", "credentials": {"userid": "a", "password": "b"}, name: "3"}
    answer = post(admin_client, "/api/providers", new)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    message = "Resource id or href should not be specified for creating a new providers"
    assert answer.json()["error"]["message"] == message
    many = post(admin_client, "/api/providers", {"action": "create", "resources": [new]}).json()["results"]
    assert many == [{"success": False, "message": message}]
    assert not Provider.objects.filter(name="new").exists()
