"""Instances and their security groups, as ManageIQ's requests/instances_spec asks for them.

What is below an instance is read in `test_vms`, where both collections are asked.
"""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client

from inventory.models import Provider, Task, Vm
from tests.cast import Cast
from tests.clouds import MemoryCloud
from tests.dialect.callers import ask, may, refusal

pytestmark = pytest.mark.django_db

WORDS = {"add": "Adding", "remove": "Removing"}
BOTH = pytest.mark.parametrize("action", list(WORDS))


@pytest.fixture
def changer(client: Client) -> Client:
    return may(client, "inventory.view_vm", "inventory.change_vm_security_groups")


@pytest.fixture
def vmware() -> Vm:
    provider = Provider.objects.create(name="vmware", vendor="vmware")
    return Vm.objects.create(provider=provider, ems_ref="vm-9", uid_ems="vm-9", name="vm-9", vendor="vmware")


def groups_of(vm: Vm) -> str:
    return f"/api/instances/{vm.pk}/security_groups"


def test_only_the_vms_of_clouds_are_listed(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_vm")
    Vm.objects.filter(pk=cast.production.single.pk).update(cloud=False)
    listed = ask(client, "get", "/api/instances")
    assert listed["count"] == listed["subcount"] == 3
    rest = Vm.objects.filter(cloud=True).order_by("pk")
    assert [one["href"] for one in listed["resources"]] == [
        f"http://testserver/api/instances/{vm.pk}" for vm in rest
    ]


@BOTH
def test_one_group_is_added_or_removed(changer: Client, cast: Cast, cloud: MemoryCloud, action: str) -> None:
    body = {"action": action, "resource": {"name": "security_group_name"}}
    [result] = ask(changer, "post", groups_of(cast.production.double), body)["results"]
    assert result["success"] is True
    assert result["message"].startswith(f"{WORDS[action]} security group")
    assert result["task_href"] == f"http://testserver/api/tasks/{result['task_id']}"


@BOTH
def test_groups_are_added_or_removed_in_bulk(changer: Client, cast: Cast, cloud: MemoryCloud, action: str) -> None:
    resources = [{"name": "security_group_name1"}, {"name": "security_group_name2"}]
    body = {"action": action, "resources": resources}
    results = ask(changer, "post", groups_of(cast.production.double), body)["results"]
    assert [one["success"] for one in results] == [True, True]
    assert all(one["message"].startswith(f"{WORDS[action]} security group") for one in results)
    assert {int(one["task_id"]) for one in results} == set(Task.objects.values_list("pk", flat=True))


@BOTH
def test_a_cloud_without_groups_refuses(changer: Client, vmware: Vm, action: str) -> None:
    body = {"action": action, "resource": {"name": "security_group_name"}}
    [result] = ask(changer, "post", groups_of(vmware), body, HTTPStatus.BAD_REQUEST)["results"]
    assert result["success"] is False
    assert result["message"].startswith(f"Cannot {action} ")
    assert not Task.objects.exists()


@BOTH
def test_it_asks_its_permission(client: Client, cast: Cast, action: str) -> None:
    may(client, "inventory.view_vm", "secgroups.view_securitygroup")
    body = {"action": action, "resource": {"name": "web"}}
    ask(client, "post", groups_of(cast.production.double), body, HTTPStatus.FORBIDDEN)


@pytest.mark.on_purpose("Only the forms of providers are told")
def test_groups_have_no_forms(admin_client: Client, cast: Cast) -> None:
    url = "/api/security_groups"
    assert refusal(admin_client, "options", f"{url}?ems_id={cast.acme.pk}") == "Unknown parameter: ems_id"
    assert ask(admin_client, "options", f"{url}/{cast.production.web.pk}")["data"] == {}
