"""Following tasks, waiting for them, cancelling and forgetting them, over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Task
from inventory.rest.http import waiting
from inventory.runner import _claim_tasks
from inventory.services import TaskSpec, finish, queue_work
from tests.contracts import grant


@pytest.fixture
def task(admin_user: User) -> Task:
    [queued] = queue_work("vms/1", [TaskSpec("Adding", "Adding")], user=admin_user, provider=None)
    return queued


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens during each pause of a request that waits; time passes with the pauses alone."""
    events: list[Callable[[], object]] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if events:
            events.pop(0)()

    monkeypatch.setattr(waiting.time, "sleep", sleep)
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    return events


def post(client: Client, task: Task, action: str) -> Any:
    return client.post(f"/api/tasks/{task.pk}", {"action": action}, content_type="application/json")


def test_a_queued_task_is_cancelled_and_says_by_whom(admin_client: Client, task: Task) -> None:
    answer = post(admin_client, task, "cancel")
    assert answer.status_code == HTTPStatus.OK
    assert answer.json() == {
        "success": True,
        "message": f"Cancelled task {task.pk}",
        "href": f"http://testserver/api/tasks/{task.pk}",
    }
    task.refresh_from_db()
    assert (task.state, task.status, task.message) == ("Finished", "Error", "Cancelled by admin.")
    assert _claim_tasks("vms/1") == []


def test_a_task_that_was_cancelled_just_before_is_not_taken(admin_client: Client, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(state="Active")
    answer = post(admin_client, task, "cancel")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["success"] is False
    assert "only a task that is queued or waiting for its next attempt can be" in answer.json()["message"]
    assert Task.objects.get(pk=task.pk).state == "Active"


@pytest.mark.parametrize("state", ["Queued", "Active"])
def test_a_task_that_is_still_to_be_done_is_not_deleted(admin_client: Client, task: Task, state: str) -> None:
    Task.objects.filter(pk=task.pk).update(state=state)
    assert post(admin_client, task, "delete").status_code == HTTPStatus.BAD_REQUEST
    answer = admin_client.delete(f"/api/tasks/{task.pk}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "only a finished task can be" in answer.json()["message"]
    assert Task.objects.filter(pk=task.pk).exists()


def test_a_finished_task_is_deleted(admin_client: Client, task: Task) -> None:
    finish(task, Task.Status.OK, "Done.")
    answer = admin_client.delete(f"/api/tasks/{task.pk}")
    assert (answer.status_code, answer.content) == (HTTPStatus.NO_CONTENT, b"")
    assert not Task.objects.exists()


def test_many_are_cancelled_each_by_itself(admin_client: Client, task: Task) -> None:
    body = {"action": "cancel", "resources": [{"id": task.pk}, {"id": task.pk}, {"id": 999}]}
    answer = admin_client.post("/api/tasks", body, content_type="application/json")
    assert answer.status_code == HTTPStatus.OK
    assert [one["success"] for one in answer.json()["results"]] == [True, False, False]


@pytest.mark.parametrize("action", ["cancel", "retry", "delete"])
def test_ones_own_task_can_be_seen_but_not_ended_without_the_permission(
    client: Client, django_user_model: type[User], action: str
) -> None:
    user = django_user_model.objects.create_user("ada")
    [own] = queue_work("vms/1", [TaskSpec("Adding", "Adding")], user=user, provider=None)
    client.force_login(user)
    assert "actions" not in client.get(f"/api/tasks/{own.pk}").json()
    assert post(client, own, action).status_code == HTTPStatus.FORBIDDEN
    grant(user, f"inventory.{action}_task")
    assert {a["name"] for a in client.get(f"/api/tasks/{own.pk}").json()["actions"]} == {action}
    assert post(client, own, action).status_code != HTTPStatus.FORBIDDEN


def test_a_task_of_somebody_else_is_not_there(client: Client, django_user_model: type[User], task: Task) -> None:
    client.force_login(grant(django_user_model.objects.create_user("eve"), "inventory.cancel_task"))
    assert post(client, task, "cancel").status_code == HTTPStatus.NOT_FOUND


def test_waiting_ends_when_the_task_does(admin_client: Client, task: Task, tick: list[Any]) -> None:
    tick += [lambda: None, lambda: finish(task, Task.Status.OK, "Done."), pytest.fail]
    answer = admin_client.get(f"/api/tasks/{task.pk}?wait=30")
    assert answer.json()["state"] == "Finished"
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(("wait", "longest"), [("2", 2), ("60", 60), ("999", 60)])
def test_waiting_ends_when_the_time_is_over(
    admin_client: Client, task: Task, tick: list[Any], wait: str, longest: int
) -> None:
    answer = admin_client.get(f"/api/tasks/{task.pk}?wait={wait}")
    assert answer.json()["state"] == "Queued"
    assert int(answer.headers["Retry-After"]) > 0
    assert waiting.time.monotonic() == pytest.approx(longest)


def test_nobody_waits_where_too_many_do(
    admin_client: Client, task: Task, tick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(1))
    tick.append(lambda: admin_client.get(f"/api/tasks/{task.pk}?wait=30"))
    admin_client.get(f"/api/tasks/{task.pk}?wait=1")
    assert waiting.time.monotonic() == pytest.approx(1)


@pytest.mark.parametrize("wait", ["x", "-1", "", "1.5"])
def test_a_wait_that_is_no_number_is_refused(admin_client: Client, task: Task, wait: str) -> None:
    answer = admin_client.get(f"/api/tasks/{task.pk}?wait={wait}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == "Non numeric parameter: wait"


def test_without_waiting_an_unfinished_task_says_when_to_ask_again(admin_client: Client, task: Task) -> None:
    assert admin_client.get(f"/api/tasks/{task.pk}").headers["Retry-After"] == "1"
    finish(task, Task.Status.OK, "Done.")
    assert "Retry-After" not in admin_client.get(f"/api/tasks/{task.pk}").headers
