"""What `spec/requests/search_filters_spec.rb` asks of any collection that can be read and deleted. Of tasks."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Task
from tests.dialect.asking import ask, caller, get, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(admin_user: User) -> list[Task]:
    """Finished ones."""
    return [
        Task.objects.create(
            name=f"Refresh {number}",
            message="",
            userid="admin",
            owner=admin_user,
            queue="x",
            state=Task.State.FINISHED,
        )
        for number in range(3)
    ]


def test_reading_one_of_another_asks_a_permission(client: Client, three: list[Task]) -> None:
    caller(client)
    get(client, f"/tasks/{three[0].pk}", status=404)


def test_one_is_read(admin_client: Client, three: list[Task]) -> None:
    assert get(admin_client, f"/tasks/{three[0].pk}")["id"] == str(three[0].pk)


@pytest.mark.parametrize("path", ["/tasks", "/tasks/{pk}"])
def test_deleting_asks_a_permission(client: Client, three: list[Task], path: str) -> None:
    caller(client, "inventory.view_task")
    body = {"action": "delete"} if "pk" in path else {"action": "delete", "resources": [{"id": three[0].pk}]}
    post(client, path.format(pk=three[0].pk), body, status=403)


def test_several_are_deleted_however_they_are_named(admin_client: Client, three: list[Task]) -> None:
    one, two, _ = three
    named = [{"id": one.pk}, {"href": f"http://testserver/api/tasks/{two.pk}"}]
    results = post(admin_client, "/tasks", {"action": "delete", "resources": named})["results"]
    assert [found["success"] for found in results] == [True, True]
    assert list(Task.objects.values_list("pk", flat=True)) == [three[2].pk]


def test_one_is_deleted(admin_client: Client, three: list[Task]) -> None:
    assert post(admin_client, f"/tasks/{three[0].pk}", {"action": "delete"})["success"] is True


def test_delete_as_a_method(admin_client: Client, three: list[Task]) -> None:
    ask(admin_client, "delete", f"/tasks/{three[0].pk}", status=204)
