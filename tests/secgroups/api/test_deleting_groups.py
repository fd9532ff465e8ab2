"""Deleting security groups over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import CloudNetwork, Task
from inventory.runner import run_queue
from secgroups.models import FirewallRule, SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import MemoryCloud


def post(client: Client, url: str, body: Any, status: int = HTTPStatus.OK) -> Any:
    answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture(params=["/api/security_groups", "/api/providers/{}/security_groups"])
def place(request: pytest.FixtureRequest, cast: Cast) -> str:
    return str(request.param).format(cast.acme.pk)


def test_one_is_deleted_by_a_task(admin_client: Client, cast: Cast, cloud: MemoryCloud, place: str) -> None:
    address = f"{place}/{cast.production.web.pk}"
    answer = post(admin_client, address, {"action": "delete"})
    task = Task.objects.get()
    assert answer == {
        "success": True,
        "message": "Deleting security group web",
        "task_id": str(task.pk),
        "task_href": f"http://testserver/api/tasks/{task.pk}",
        "href": f"http://testserver{address}",
    }
    run_queue(task.queue)
    assert not SecurityGroup.objects.filter(pk=cast.production.web.pk).exists()
    assert admin_client.get(address).status_code == HTTPStatus.NOT_FOUND


def test_by_its_method_there_is_no_answer(
    admin_client: Client, cast: Cast, cloud: MemoryCloud, place: str
) -> None:
    answer = admin_client.delete(f"{place}/{cast.production.web.pk}")
    assert (answer.status_code, answer.content) == (HTTPStatus.NO_CONTENT, b"")
    run_queue(Task.objects.get().queue)
    assert not SecurityGroup.objects.filter(pk=cast.production.web.pk).exists()


def test_many_are_deleted_and_one_that_is_in_use_hurts_nobody(
    admin_client: Client, cast: Cast, cloud: MemoryCloud, place: str
) -> None:
    site = cast.production
    resources = [{"id": str(site.web.pk)}, {"id": site.default.pk}, {"id": 0}, {"id": site.db.pk}]
    results = post(admin_client, place, {"action": "delete", "resources": resources})["results"]
    assert [result["success"] for result in results] == [True, True, False, True]
    run_queue(f"security_groups/{cast.acme.pk}")
    assert [(task.status, task.message) for task in Task.objects.all()] == [
        ("Ok", "Deleted security group web."),
        ("Error", "Cannot delete security group default: The security group is in use."),
        ("Ok", "Deleted security group db."),
    ]


def test_groups_of_several_providers_go_each_to_its_own(
    admin_client: Client, cast: Cast, cloud: MemoryCloud
) -> None:
    far = actors.network(actors.tenant(actors.provider("other")), "far")
    groups = [actors.group(far, "a"), cast.production.web, actors.group(far, "b")]
    body = {"action": "delete", "resources": [{"id": group.pk} for group in groups]}
    results = post(admin_client, "/api/security_groups", body)["results"]
    tasks = [Task.objects.get(pk=result["task_id"]) for result in results]
    assert [task.name for task in tasks] == [f"Deleting security group {name}" for name in ("a", "web", "b")]
    assert [task.provider for task in tasks] == [group.provider for group in groups]


def test_one_that_is_not_there_is_404(admin_client: Client, place: str) -> None:
    assert admin_client.delete(f"{place}/0").status_code == HTTPStatus.NOT_FOUND
    post(admin_client, f"{place}/0", {"action": "delete"}, HTTPStatus.NOT_FOUND)


def test_below_an_instance_or_a_tenant_it_is_not_deleted(admin_client: Client, cast: Cast) -> None:
    vm, group = cast.production.single, cast.production.default
    for place in (f"/api/instances/{vm.pk}", f"/api/cloud_tenants/{cast.tenant.pk}"):
        address = f"{place}/security_groups/{group.pk}"
        assert admin_client.get(address).status_code == HTTPStatus.OK
        assert admin_client.delete(address).status_code == HTTPStatus.BAD_REQUEST
        post(admin_client, address, {"action": "delete"}, HTTPStatus.BAD_REQUEST)


def test_what_the_cloud_gave_a_group_goes_with_it(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    url = f"/api/providers/{cast.acme.pk}/security_groups"
    post(admin_client, url, {"name": "new"})
    run_queue(f"security_groups/{cast.acme.pk}")
    assert FirewallRule.objects.filter(security_group__name="new").exists()
    post(admin_client, f"{url}/{SecurityGroup.objects.get(name='new').pk}", {"action": "delete"})
    run_queue(f"security_groups/{cast.acme.pk}")
    assert not FirewallRule.objects.filter(security_group__name="new").exists()


def test_deleting_many_asks_one_query_for_each_and_a_few_for_all(
    admin_client: Client, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    network = CloudNetwork.objects.get(name="staging")
    ids = [actors.group(network, f"g{number}").pk for number in range(20)]
    body = {"action": "delete", "resources": [{"id": pk} for pk in ids]}
    with django_assert_max_num_queries(20 + 10):
        post(admin_client, "/api/security_groups", body)
