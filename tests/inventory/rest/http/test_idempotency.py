"""`Idempotency-Key`: a POST that is repeated is done once."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.test import Client
from django.test.client import encode_multipart
from django.utils import timezone
from django.utils.crypto import get_random_string

from inventory.models import IdempotencyKey, Task
from inventory.rest.http import idempotency
from inventory.tasks import forget_what_is_over
from secgroups.services import changes as services
from tests.cast import Cast
from tests.contracts import everything_to_see, grant

ADD = {"action": "add", "resource": {"name": "web"}}
QUERY = {"action": "query", "resources": [{"id": 1}]}


def post(client: Client, url: str, body: Any = ADD, key: str = "k1") -> Any:
    return client.post(url, body, content_type="application/json", headers={"Idempotency-Key": key})


@pytest.fixture
def url(cast: Cast) -> str:
    return f"/api/vms/{cast.production.single.pk}/security_groups"


def age(**changes: Any) -> None:
    IdempotencyKey.objects.update(**changes)


def test_a_repeat_is_answered_the_same_and_does_nothing(admin_client: Client, url: str) -> None:
    first, again = post(admin_client, url), post(admin_client, url)
    assert first.status_code == again.status_code == HTTPStatus.OK
    assert first.content == again.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Task.objects.count() == 1


def test_without_a_key_or_with_another_it_is_done_again(admin_client: Client, url: str) -> None:
    post(admin_client, url)
    post(admin_client, url, key="k2")
    admin_client.post(url, ADD, content_type="application/json")
    assert Task.objects.count() == 3


def test_it_holds_for_an_action_by_its_own_address(admin_client: Client, url: str) -> None:
    for _ in range(2):
        post(admin_client, f"{url}/add", {"name": "web"})
    assert Task.objects.count() == 1


def test_the_key_of_another_user_is_another(admin_client: Client, client: Client, url: str) -> None:
    client.force_login(User.objects.create_superuser("other"))
    assert post(admin_client, url).json() != post(client, url).json()
    assert Task.objects.count() == 2


@pytest.mark.parametrize("body", [{"action": "remove", "resource": {"name": "web"}}, ADD | {"x": 1}])
def test_a_key_with_another_body_is_refused(admin_client: Client, url: str, body: dict[str, Any]) -> None:
    post(admin_client, url)
    answer = post(admin_client, url, body)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == "Idempotency-Key k1 was already used for a different request"
    assert Task.objects.count() == 1


def test_a_key_with_another_address_is_refused(admin_client: Client, url: str, cast: Cast) -> None:
    post(admin_client, url)
    answer = post(admin_client, f"/api/vms/{cast.staging.single.pk}/security_groups")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert Task.objects.count() == 1


def test_a_refusal_is_repeated_too(admin_client: Client, url: str) -> None:
    first, again = (post(admin_client, url, {"action": "foo"}) for _ in range(2))
    assert first.status_code == again.status_code == HTTPStatus.BAD_REQUEST
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"


def test_while_the_first_is_being_answered_a_repeat_is_a_conflict(
    admin_client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    queue_work = services.queue_work

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        answers.append(post(admin_client, url))
        return queue_work(*args, **kwargs)

    monkeypatch.setattr(services, "queue_work", meanwhile)
    first = post(admin_client, url)
    assert first.status_code == HTTPStatus.OK
    assert [answer.status_code for answer in answers] == [HTTPStatus.CONFLICT]
    assert answers[0].json()["error"]["klass"] == "Api::ConflictError"
    assert Task.objects.count() == 1


def test_a_failure_of_the_service_leaves_neither_task_nor_key(
    admin_client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin_client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "dumped", lambda data: 1 / 0)
        assert post(admin_client, url).status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert not Task.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert post(admin_client, url).status_code == HTTPStatus.OK


def test_a_database_that_gives_up_says_to_ask_again_with_the_same_key(
    admin_client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        fail = Mock(side_effect=OperationalError("SELECT secret"))
        broken.setattr(services, "queue_work", fail)
        failed = post(admin_client, url)
    assert failed.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert failed.json()["error"] == {
        "kind": "service_unavailable",
        "message": "The database is unavailable or overloaded. Retry in a moment",
        "klass": "Api::ServiceUnavailableError",
    }
    assert failed.headers["Retry-After"] == "2"
    assert post(admin_client, url).status_code == HTTPStatus.OK
    assert Task.objects.count() == 1


def test_a_claim_whose_server_died_ends(admin_client: Client, url: str) -> None:
    post(admin_client, url)
    age(status=None)
    assert post(admin_client, url).status_code == HTTPStatus.CONFLICT
    age(claimed_on=timezone.now() - idempotency.CLAIM - timedelta(seconds=1))
    assert post(admin_client, url).status_code == HTTPStatus.OK


def test_who_lost_the_claim_meanwhile_does_nothing(
    admin_client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_work = services.queue_work

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        age(attempt="00000000-0000-0000-0000-000000000001")
        return queue_work(*args, **kwargs)

    monkeypatch.setattr(services, "queue_work", meanwhile)
    assert post(admin_client, url).status_code == HTTPStatus.CONFLICT
    assert not Task.objects.exists()


def test_after_a_day_the_key_is_free_again(admin_client: Client, url: str) -> None:
    post(admin_client, url)
    age(claimed_on=timezone.now() - timedelta(hours=23, minutes=59))
    assert "Idempotency-Replayed" in post(admin_client, url).headers
    age(claimed_on=timezone.now() - timedelta(hours=24, seconds=1))
    assert "Idempotency-Replayed" not in post(admin_client, url).headers
    age(claimed_on=timezone.now() - timedelta(hours=24, seconds=1))
    forget_what_is_over()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("key", ["", "k" * 256, "a\x7fb"])
def test_a_key_that_is_none_is_refused(admin_client: Client, url: str, key: str) -> None:
    answer = post(admin_client, url, key=key)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "from 1 to 255" in answer.json()["error"]["message"]
    assert post(admin_client, url, key="k" * 255).status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
def test_the_key_and_the_tasks_are_written_in_one_transaction(
    admin_client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[bool] = []
    queue_work = services.queue_work

    def looked_at(*args: Any, **kwargs: Any) -> Any:
        tasks = queue_work(*args, **kwargs)
        transaction.on_commit(lambda: answered.append(IdempotencyKey.objects.get().status == HTTPStatus.OK))
        return tasks

    monkeypatch.setattr(services, "queue_work", looked_at)
    post(admin_client, url)
    assert answered == [True]


@pytest.mark.parametrize("body", [b'{"action": ', b"[1]", b'{"action": "add", "resource": 3}'])
def test_what_is_broken_is_refused_again_and_never_taken_for_empty(
    admin_client: Client, url: str, body: bytes
) -> None:
    first, again = post(admin_client, url, body), post(admin_client, url, body)
    assert first.status_code == again.status_code == HTTPStatus.BAD_REQUEST
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"
    other = post(admin_client, url)
    assert other.status_code == HTTPStatus.BAD_REQUEST
    assert "was already used for a different request" in other.json()["error"]["message"]
    assert not Task.objects.exists()


def test_a_browsers_form_is_done_once_whatever_boundaries_it_has(admin_user: User, cast: Cast) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)
    browser.cookies["csrftoken"] = token = get_random_string(32)
    form = {"action": "refresh", "csrfmiddlewaretoken": token}
    path = f"/api/providers/{cast.acme.pk}"
    for number, boundary in enumerate(["one", "two"]):
        kind, body = f"multipart/form-data; boundary={boundary}", encode_multipart(boundary, form)
        answer = browser.post(path, body, content_type=kind, headers={"Idempotency-Key": "k1"})
        assert answer.status_code == HTTPStatus.OK, answer.content
        assert ("Idempotency-Replayed" in answer.headers) == bool(number)
    assert Task.objects.count() == 1
    other = browser.post(path, form | {"force": "true"}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == HTTPStatus.BAD_REQUEST


def test_a_claim_that_is_deleted_meanwhile_is_a_conflict(
    admin_client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_work = services.queue_work

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        IdempotencyKey.objects.all().delete()
        return queue_work(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(services, "queue_work", meanwhile)
        assert post(admin_client, url).status_code == HTTPStatus.CONFLICT
    with monkeypatch.context() as patched:
        patched.setattr(IdempotencyKey.objects, "bulk_create", lambda *args, **kwargs: None)
        assert post(admin_client, url).status_code == HTTPStatus.CONFLICT
    assert not Task.objects.exists()


def test_who_lost_the_permission_gets_no_answer_again(client: Client, cast: Cast, url: str) -> None:
    user = everything_to_see(User.objects.create_user("sam"))
    client.force_login(grant(user, "inventory.change_vm_security_groups"))
    for path, body in ((url, ADD), (f"{url}/add", {"name": "web"}), ("/api/vms", QUERY)):
        assert post(client, path, body, key=path).status_code == HTTPStatus.OK
    user.user_permissions.clear()
    for path, body in ((url, ADD), (f"{url}/add", {"name": "web"}), ("/api/vms", QUERY)):
        assert post(client, path, body, key=path).status_code == HTTPStatus.FORBIDDEN


def test_below_what_is_gone_there_is_no_answer_either(admin_client: Client, cast: Cast, url: str) -> None:
    post(admin_client, url)
    cast.production.single.delete()
    assert post(admin_client, url).status_code == HTTPStatus.NOT_FOUND


def test_what_deleted_its_own_resource_is_answered_again(admin_client: Client, cast: Cast) -> None:
    task = Task.objects.create(name="old", state=Task.State.FINISHED)
    first, again = (post(admin_client, f"/api/tasks/{task.pk}", {"action": "delete"}) for _ in range(2))
    assert first.status_code == again.status_code == HTTPStatus.OK
    assert first.content == again.content


def test_so_many_are_kept_of_each_user(admin_client: Client, client: Client, url: str, settings: Any) -> None:
    settings.IDEMPOTENCY_KEYS = 2
    for key in ("k1", "k2"):
        assert post(admin_client, url, key=key).status_code == HTTPStatus.OK
    refused = post(admin_client, url, key="k3")
    assert refused.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert (
        refused.json()["error"]["message"]
        == "Too many requests with an Idempotency-Key: 2 are stored already. Retry later"
    )
    assert 0 < int(refused.headers["Retry-After"]) <= idempotency.KEPT.total_seconds()
    assert post(admin_client, url, key="k2").headers["Idempotency-Replayed"] == "true"
    client.force_login(User.objects.create_superuser("other"))
    assert post(client, url, key="k3").status_code == HTTPStatus.OK
    IdempotencyKey.objects.filter(key="k1").update(claimed_on=timezone.now() - idempotency.KEPT)
    assert post(admin_client, url, key="k3").status_code == HTTPStatus.OK


def test_an_answer_that_is_too_long_to_be_kept_undoes_what_was_done(
    admin_client: Client, url: str, settings: Any
) -> None:
    settings.IDEMPOTENCY_ANSWER = 100
    refused = post(admin_client, url)
    assert refused.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert not Task.objects.exists()
    assert not IdempotencyKey.objects.exists()


def test_a_long_answer_to_what_changes_nothing_is_made_again(
    admin_client: Client, cast: Cast, settings: Any
) -> None:
    settings.IDEMPOTENCY_ANSWER = 100
    query = {"action": "query", "resources": [{"id": cast.production.single.pk}]}
    answers = [post(admin_client, "/api/vms", query) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [HTTPStatus.OK] * 2
    assert not any("Idempotency-Replayed" in answer.headers for answer in answers)
