"""Adding security groups to instances and VMs and removing them, over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Task
from inventory.runner import run_queue
from tests.cast import Cast, memberships
from tests.clouds import MemoryCloud
from tests.contracts import grant

EVERY = pytest.mark.parametrize("collection", ["instances", "vms"])


def post(client: Client, url: str, body: Any, status: int = HTTPStatus.OK) -> Any:
    answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


@EVERY
def test_one_group_is_added_by_a_task_that_the_answer_names(
    admin_client: Client, cast: Cast, cloud: MemoryCloud, collection: str
) -> None:
    vm = cast.production.double
    url = f"/api/{collection}/{vm.pk}/security_groups"

    answer = post(admin_client, url, {"action": "add", "resource": {"name": "web"}})

    task = Task.objects.get()
    assert answer == {
        "results": [
            {
                "success": True,
                "message": "Adding security group web to production-double",
                "task_id": str(task.pk),
                "task_href": f"http://testserver/api/tasks/{task.pk}",
                "href": f"http://testserver/api/{collection}/{vm.pk}",
            }
        ]
    }
    assert (task.state, task.userid) == ("Queued", "admin")
    run_queue(task.queue)
    shown = admin_client.get(f"/api/tasks/{task.pk}").json()
    assert (shown["state"], shown["status"]) == ("Finished", "Ok")
    assert shown["message"] == "Added security group web to production-double on 2 ports."
    assert (shown["context_data"]["before"], shown["context_data"]["after"]) == (["default"], ["default", "web"])
    assert set(memberships(vm).values().__iter__().__next__()) == {"sg-production-default", "sg-production-web"}
    listed = admin_client.get(f"{url}?expand=resources&attributes=name").json()["resources"]
    assert [group["name"] for group in listed] == ["default", "web"]


@EVERY
def test_an_action_has_an_address_of_its_own(admin_client: Client, cast: Cast, collection: str) -> None:
    url = f"/api/{collection}/{cast.production.single.pk}/security_groups"
    assert post(admin_client, f"{url}/add", {"resource": {"name": "web"}})["results"][0]["success"]
    assert post(admin_client, f"{url}/remove/", {"name": "web"})["results"][0]["success"]


def test_many_are_answered_each_in_its_place(admin_client: Client, cast: Cast) -> None:
    url = f"/api/instances/{cast.production.single.pk}/security_groups"
    resources = [{"name": "web"}, {"id": cast.staging.db.pk}, {"name": "nowhere"}, {}, {"name": 5, "id": True}]

    results = post(admin_client, url, {"action": "add", "resources": resources})["results"]

    assert [result["success"] for result in results] == [True, False, True, False, False]
    assert Task.objects.count() == 2


def test_of_four_at_once_one_bad_name_changes_nothing_for_the_others(
    admin_client: Client, cast: Cast, cloud: MemoryCloud
) -> None:
    vm = cast.production.single
    url = f"/api/instances/{vm.pk}/security_groups"
    resources = [{"name": "web"}, {"name": "nowhere"}, {"name": "db"}, {"name": "default"}]

    post(admin_client, url, {"action": "add", "resources": resources})
    run_queue(f"vms/{vm.pk}")

    assert list(Task.objects.values_list("status", flat=True)) == ["Ok", "Error", "Ok", "Ok"]
    assert memberships(vm) == {
        "eni-production-single-1": {"sg-production-default", "sg-production-web", "sg-production-db"}
    }


@pytest.mark.parametrize("name", ["href", "id", "ems_ref"])
def test_a_group_is_named_in_every_way(admin_client: Client, cast: Cast, name: str) -> None:
    group = cast.production.web
    given = {"href": f"http://testserver/api/security_groups/{group.pk}", "id": group.pk, "ems_ref": group.ems_ref}
    url = f"/api/instances/{cast.production.single.pk}/security_groups"
    [result] = post(admin_client, url, {"action": "add", "resource": {name: given[name]}})["results"]
    assert result["message"] == "Adding security group web to production-single"


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({}, "Cannot add nothing to production-single: no security group was named"),
        ({"name": ""}, "Cannot add nothing to production-single: name: This field may not be blank."),
        (
            {"name": "web", "ports": ["1", None, [2]]},
            (
                "Cannot add web to production-single: ports: 1: This field may not be null.; "
                "ports: 2: Not a valid string."
            ),
        ),
        ({"id": "abc"}, "Cannot add abc to production-single: abc is not a security group"),
        ({"href": "/api/vms/1"}, "Cannot add /api/vms/1 to production-single: /api/vms/1 is not a security group"),
        (
            {"ems_ref": "sg-staging-web"},
            (
                "Cannot add sg-staging-web to production-single: web belongs to network vpc-staging, "
                "in which production-single has no port"
            ),
        ),
    ],
)
def test_what_can_not_be_is_refused_at_once(
    admin_client: Client, cast: Cast, resource: dict[str, Any], message: str
) -> None:
    url = f"/api/instances/{cast.production.single.pk}/security_groups"
    answer = post(admin_client, url, {"action": "add", "resource": resource}, HTTPStatus.BAD_REQUEST)
    assert [(result["success"], result["message"]) for result in answer["results"]] == [(False, message)]
    assert not Task.objects.exists()


def test_a_vm_of_another_kind_of_provider_is_refused_and_is_no_instance(admin_client: Client, cast: Cast) -> None:
    vm = cast.production.single
    type(vm).objects.filter(pk=vm.pk).update(cloud=False)
    type(cast.acme).objects.filter(pk=cast.acme.pk).update(vendor="vmware")

    answer = post(
        admin_client,
        f"/api/vms/{vm.pk}/security_groups",
        {"action": "add", "resource": {"name": "web"}},
        HTTPStatus.BAD_REQUEST,
    )

    assert answer["results"][0]["message"] == (
        "Cannot add web to production-single: Portcullis has no driver for provider acme of type vmware"
    )
    assert admin_client.get(f"/api/instances/{vm.pk}").status_code == HTTPStatus.NOT_FOUND


def test_changing_asks_its_permission(client: Client, cast: Cast, django_user_model: type[User]) -> None:
    user = grant(
        django_user_model.objects.create_user("reader"), "inventory.view_vm", "secgroups.view_securitygroup"
    )
    client.force_login(user)
    url = f"/api/instances/{cast.production.single.pk}/security_groups"
    body = {"action": "add", "resource": {"name": "web"}}
    assert [action["name"] for action in client.get(url).json()["actions"]] == ["query"]
    assert client.post(url, body, content_type="application/json").status_code == HTTPStatus.FORBIDDEN
    assert client.post(f"{url}/add", body, content_type="application/json").status_code == HTTPStatus.FORBIDDEN
    grant(user, "inventory.change_vm_security_groups")
    assert [action["name"] for action in client.get(url).json()["actions"]] == ["add", "query", "remove"]
    post(client, url, body)


def test_a_group_is_not_found_under_an_instance_that_does_not_have_it(admin_client: Client, cast: Cast) -> None:
    url = f"/api/instances/{cast.production.single.pk}/security_groups"
    assert admin_client.get(f"{url}/{cast.production.default.pk}").status_code == HTTPStatus.OK
    assert admin_client.get(f"{url}/{cast.production.web.pk}").status_code == HTTPStatus.NOT_FOUND
    assert admin_client.get("/api/instances/999/security_groups").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "below", ["", "?expand=resources", "?filter[]=name=x", "?offset=5", "?sort_by=name", "/{group}"]
)
def test_groups_of_a_vm_are_not_found_where_the_vm_is_not(admin_client: Client, cast: Cast, below: str) -> None:
    vm, group = cast.production.single, cast.production.default
    type(vm).objects.filter(pk=vm.pk).update(cloud=False)
    below = below.format(group=group.pk)
    assert admin_client.get(f"/api/vms/{vm.pk}/security_groups{below}").status_code == HTTPStatus.OK
    answer = admin_client.get(f"/api/instances/{vm.pk}/security_groups{below}")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.json()["error"]["message"] == f"Couldn't find Instance with 'id'={vm.pk}"


def test_groups_of_a_vm_can_not_be_asked_for_where_the_vm_is_not(admin_client: Client, cast: Cast) -> None:
    vm, group = cast.production.single, cast.production.default
    type(vm).objects.filter(pk=vm.pk).update(cloud=False)
    query = {"action": "query", "resources": [{"id": str(group.pk)}]}
    assert post(admin_client, f"/api/vms/{vm.pk}/security_groups", query)["results"][0]["name"] == group.name
    post(admin_client, f"/api/instances/{vm.pk}/security_groups", query, HTTPStatus.NOT_FOUND)


def test_a_browser_can_fill_in_the_form(admin_client: Client, cast: Cast) -> None:
    url = f"/api/instances/{cast.production.single.pk}/security_groups"
    page = admin_client.get(url, headers={"accept": "text/html"}).content.decode()
    assert 'id="action-add"' in page
    assert 'id="action-remove"' in page
    answer = admin_client.post(url, {"action": "add", "name": "web", "id": "", "ems_ref": ""})
    assert answer.json()["results"][0]["success"]


def test_a_session_needs_its_csrf_token(admin_user: User, cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    url = f"/api/instances/{cast.production.single.pk}/security_groups"
    answer = client.post(url, {"action": "add", "name": "web"}, content_type="application/json")
    assert answer.status_code == HTTPStatus.FORBIDDEN
