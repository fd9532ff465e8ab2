"""Tasks, as ManageIQ's requests/tasks_spec asks for them."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Task
from tests.dialect.callers import ask, user

pytestmark = pytest.mark.django_db

MINE, ALL = ("inventory.delete_task",), ("inventory.delete_task", "inventory.view_task")


def finished(owner: User) -> Task:
    return Task.objects.create(
        name=f"Refresh by {owner}", message="", userid=owner.username, owner=owner, state=Task.State.FINISHED
    )


@pytest.fixture
def theirs() -> Task:
    return finished(User.objects.create_user("somebody"))


def asking(client: Client, *permissions: str) -> User:
    me = user(*permissions)
    client.force_login(me)
    return me


@pytest.mark.parametrize(("method", "body"), [("delete", None), ("post", {"action": "delete"})])
def test_a_task_of_somebody_else_is_deleted_by_who_may_see_all(
    client: Client, theirs: Task, method: str, body: dict[str, str] | None
) -> None:
    asking(client, *ALL)
    status = HTTPStatus.NO_CONTENT if method == "delete" else HTTPStatus.OK
    result = ask(client, method, f"/api/tasks/{theirs.pk}", body, status)
    assert result is None or result["success"] is True
    assert not Task.objects.exists()


@pytest.mark.parametrize(("method", "body"), [("delete", None), ("post", {"action": "delete"})])
def test_a_task_of_somebody_else_stays_for_who_may_see_their_own(
    client: Client, theirs: Task, method: str, body: dict[str, str] | None
) -> None:
    asking(client, *MINE)
    ask(client, method, f"/api/tasks/{theirs.pk}", body, HTTPStatus.NOT_FOUND)
    assert Task.objects.exists()


def test_many_are_deleted_at_once(client: Client, theirs: Task) -> None:
    mine = finished(asking(client, *ALL))
    resources = [{"href": f"http://testserver/api/tasks/{task.pk}"} for task in (theirs, mine)]
    results = ask(client, "post", "/api/tasks", {"action": "delete", "resources": resources})["results"]
    assert [one["success"] for one in results] == [True, True]
    assert not Task.objects.exists()


@pytest.mark.parametrize(("permissions", "count"), [((), 1), (("inventory.view_task",), 2)])
def test_one_sees_ones_own_tasks_or_all(
    client: Client, theirs: Task, permissions: tuple[str, ...], count: int
) -> None:
    mine = finished(asking(client, *permissions))
    assert ask(client, "get", "/api/tasks")["count"] == count
    shown = ask(client, "get", f"/api/tasks/{mine.pk}")
    assert (shown["href"], shown["name"]) == (f"http://testserver/api/tasks/{mine.pk}", mine.name)
    status = HTTPStatus.OK if permissions else HTTPStatus.NOT_FOUND
    answer = ask(client, "get", f"/api/tasks/{theirs.pk}", status=status)
    assert permissions or answer["error"]["message"].startswith("Couldn't find Task with 'id'=")


@pytest.mark.on_purpose("One's own tasks need no permission: who may ask for work may follow it")
def test_without_a_permission_ones_own_tasks_are_shown(client: Client, theirs: Task) -> None:
    asking(client)
    assert ask(client, "get", "/api/tasks")["resources"] == []
