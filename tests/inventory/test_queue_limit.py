"""What becomes of more work than may wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from inventory.models import IdempotencyKey, Provider, Task
from inventory.services import QueueFull, TaskSpec, finish, keep_refused, queue_work
from tests import cast as actors
from tests.cast import Cast

FULL = "tasks are already waiting. Retry when some have finished"


@pytest.fixture(autouse=True)
def limit(settings: Any) -> None:
    settings.QUEUE_LIMIT = 3


def works(number: int) -> list[TaskSpec]:
    return [TaskSpec("Work", "Working")] * number


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


def add(client: Client, cast: Cast, number: int, **headers: str) -> Any:
    resources = [{"name": f"group-{index}"} for index in range(number)]
    path = f"/api/instances/{cast.staging.single.pk}/security_groups"
    return post(client, path, {"action": "add", "resources": resources}, **headers)


def test_a_queue_takes_as_many_as_may_wait_and_not_one_more(db: None) -> None:
    queue_work("vms/1", works(2), user=None, provider=None)
    with pytest.raises(QueueFull, match=f"2 {FULL}"):
        queue_work("vms/1", works(2), user=None, provider=None)
    queue_work("vms/1", works(1), user=None, provider=None)
    assert Task.objects.count() == 3


@pytest.mark.usefixtures("shared_database")
def test_those_who_come_at_once_are_taken_one_after_another() -> None:
    many = 8
    together = threading.Barrier(many, timeout=30)

    def come(_: int) -> int:
        together.wait()
        with closing(connection), suppress(QueueFull), transaction.atomic():
            return len(queue_work("vms/1", works(2), user=None, provider=None))
        return 0

    with ThreadPoolExecutor(many) as pool:
        assert sum(pool.map(come, range(many))) == 2


def test_others_have_queues_of_their_own(db: None) -> None:
    queue_work("vms/1", works(3), user=None, provider=None)
    queue_work("vms/2", works(3), user=None, provider=None)
    assert Task.objects.count() == 6


def test_who_was_deleted_since_they_logged_in_owns_nothing(db: None) -> None:
    sam, kim = (User.objects.create(username=name) for name in ("sam", "kim"))
    User.objects.filter(pk=sam.pk).delete()
    for user in (sam, kim):
        queue_work(f"vms/{user.username}", works(2), user=user, provider=None)
    keep_refused("vms/1", works(1)[0], user=sam, provider=None)
    connection.check_constraints()
    owners = Task.objects.order_by("pk").values_list("userid", "owner")
    assert list(owners) == [("sam", None)] * 2 + [("kim", kim.pk)] * 2 + [("sam", None)]


def test_what_is_finished_does_not_wait(db: None) -> None:
    for task in queue_work("vms/1", works(3), user=None, provider=None):
        finish(task, Task.Status.OK, "Done.")
    queue_work("vms/1", works(3), user=None, provider=None)
    assert Task.objects.unfinished().count() == 3


def test_a_request_for_too_much_is_told_when_to_ask_again_and_queues_nothing(
    admin_client: Client, cast: Cast
) -> None:
    answer = add(admin_client, cast, 4)
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert answer.json()["error"] == {
        "kind": "too_many_requests",
        "message": f"Queue full: 0 {FULL}",
        "klass": "Api::TooManyRequestsError",
    }
    assert answer.headers["Retry-After"] == "10"
    assert not Task.objects.exists()


def test_of_refreshes_in_one_request_all_are_queued_or_none(admin_client: Client, cast: Cast) -> None:
    resources = [{"id": site.pk} for site in (cast.staging.single, cast.staging.double)] * 2
    answer = post(admin_client, "/api/instances", {"action": "refresh", "resources": resources})
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert not Task.objects.exists()


def test_a_provider_whose_queue_is_full_is_not_edited(admin_client: Client, cast: Cast) -> None:
    queue_work(f"providers/{cast.acme.pk}", works(3), user=None, provider=cast.acme)
    answer = admin_client.patch(
        f"/api/providers/{cast.acme.pk}", {"project": "x"}, content_type="application/json"
    )
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert Provider.objects.get(pk=cast.acme.pk).project is None


def test_to_ask_again_is_no_answer_that_is_kept_for_repeats(
    admin_client: Client, cast: Cast, settings: Any
) -> None:
    key = {"Idempotency-Key": "once"}
    assert add(admin_client, cast, 4, **key).status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert not IdempotencyKey.objects.exists()
    settings.QUEUE_LIMIT = 4
    assert add(admin_client, cast, 4, **key).status_code == HTTPStatus.OK
    assert Task.objects.count() == 4


def test_the_admin_says_that_nothing_was_queued(admin_client: Client, cast: Cast, admin_user: User) -> None:
    actors.provider("other")
    queue_work(f"providers/{cast.acme.pk}", works(3), user=None, provider=None)
    chosen = list(Provider.objects.order_by("-name").values_list("pk", flat=True))
    data = {"action": "refresh", "_selected_action": chosen}
    answer = admin_client.post(reverse("admin:inventory_provider_changelist"), data, follow=True)
    assert [str(message) for message in answer.context["messages"]] == [f"Nothing was done: Queue full: 3 {FULL}."]
    assert Task.objects.count() == 3


def test_the_admin_says_which_instance_can_take_no_more(admin_client: Client, cast: Cast) -> None:
    vm, site = cast.staging.double, cast.staging
    queue_work(f"vms/{vm.pk}", works(3), user=None, provider=None)
    url = reverse("admin:inventory_vm_add_groups", query={"ids": f"{vm.pk},{site.single.pk}"})
    answer = admin_client.post(url, {"groups": [site.web.pk], "confirm": "Add"}, follow=True)
    told = [str(message) for message in answer.context["messages"]]
    assert told == ["1 change accepted.", "1 change refused. The tasks say why."]
    refused = Task.objects.get(status=Task.Status.ERROR)
    assert (refused.state, refused.vm) == ("Finished", vm)
    assert refused.message.endswith(f"to staging-double: Queue full: 3 {FULL}.")
