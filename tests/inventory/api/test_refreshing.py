"""Reading one thing from its cloud again, over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from inventory.models import Task
from tests.cast import Cast

THINGS = [
    ("instances", "instance", "i-production-single", "production-single"),
    ("vms", "instance", "i-production-single", "production-single"),
    ("security_groups", "security_group", "sg-production-default", "default"),
    ("cloud_tenants", "cloud_tenant", "t-account", "account"),
]


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


@pytest.mark.parametrize(("collection", "kind", "ref", "name"), THINGS)
class TestRefresh:
    def test_it_answers_with_its_task(
        self, admin_client: Client, cast: Cast, collection: str, kind: str, ref: str, name: str
    ) -> None:
        [found] = admin_client.get(f"/api/{collection}?ems_ref={ref}").json()["resources"]
        answer = post(admin_client, found["href"], {"action": "refresh"})
        task = Task.objects.get()
        href = f"http://testserver/api/tasks/{task.pk}"
        subject = f"{kind.replace('_', ' ')} {name}"
        assert answer.status_code == HTTPStatus.OK
        assert answer.json() == {
            "success": True,
            "message": f"Refreshing {subject}",
            "task_id": str(task.pk),
            "task_href": href,
            "tasks": [{"id": str(task.pk), "href": href}],
            "href": found["href"],
        }
        assert (task.queue, task.provider) == (f"providers/{cast.acme.pk}", cast.acme)
        assert task.context_data == {
            "action": "refresh",
            "provider": "acme",
            kind: {"name": name, "ems_ref": ref},
            "force": False,
        }

    def test_many_are_refreshed_each_by_itself(
        self, admin_client: Client, cast: Cast, collection: str, kind: str, ref: str, name: str
    ) -> None:
        [found] = admin_client.get(f"/api/{collection}?ems_ref={ref}").json()["resources"]
        resources = [{"href": found["href"], "force": True}, {"id": 999}, {"href": found["href"], "part": 1}]
        answer = post(admin_client, f"/api/{collection}", {"action": "refresh", "resources": resources})
        assert [result["success"] for result in answer.json()["results"]] == [True, False, False]
        assert Task.objects.get().arguments["force"] is True

    def test_it_asks_the_permission_to_refresh(
        self, client: Client, cast: Cast, django_user_model: Any, collection: str, kind: str, ref: str, name: str
    ) -> None:
        reader = django_user_model.objects.create_user("reader")
        reader.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
        client.force_login(reader)
        [found] = client.get(f"/api/{collection}?ems_ref={ref}&expand=resources").json()["resources"]
        alone = client.get(found["href"]).json()
        assert "refresh" not in {action["name"] for action in alone.get("actions", ())}
        assert post(client, found["href"], {"action": "refresh"}).status_code == HTTPStatus.FORBIDDEN
        assert not Task.objects.exists()


def test_below_a_parent_the_address_is_the_nested_one(admin_client: Client, cast: Cast) -> None:
    path = f"/api/providers/{cast.acme.pk}/instances/{cast.production.single.pk}"
    assert post(admin_client, path, {"action": "refresh"}).json()["href"] == f"http://testserver{path}"
