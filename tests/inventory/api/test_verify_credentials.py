"""Testing a provider before it is saved, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client

from inventory.capacity import Share
from inventory.drivers.exceptions import CredentialsRefused
from inventory.drivers.values import Check
from inventory.models import IdempotencyKey, Provider, Task
from inventory.services import waiting
from tests import cast as actors
from tests.cast import AMAZON
from tests.clouds import MemoryCloud

GIVEN = {"type": "amazon", "credentials": {"userid": "AKIA", "password": "secret"}}
CHECK = Check("list instances", True, "May list instances.", needed=True)


@pytest.fixture
def asked(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The connections of the clouds that were asked; one with the password `wrong` refuses."""
    settings.DRIVERS = {AMAZON: "tests.clouds.MemoryCloud"}
    connections: list[Any] = []

    def verify(cloud: MemoryCloud) -> tuple[Check, ...]:
        connections.append(cloud.connection)
        if cloud.connection.password == "wrong":
            raise CredentialsRefused("There is no such access key.", request_id="req-1")
        return (CHECK,)

    monkeypatch.setattr(MemoryCloud, "verify", verify)
    return connections


def post(client: Client, body: Any, path: str = "/api/providers", **headers: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("action", ["verify_credentials", "verify"])
def test_it_says_what_may_be_done_and_saves_nothing(admin_client: Client, asked: list[Any], action: str) -> None:
    answer = post(admin_client, {"action": action, "resource": GIVEN})
    assert answer.status_code == HTTPStatus.OK
    assert answer.json() == {
        "results": [
            {
                "success": True,
                "message": "The cloud responds and accepts the credentials. All required permissions are granted.",
                "checks": [
                    {
                        "name": "list instances",
                        "allowed": True,
                        "needed": True,
                        "message": "May list instances.",
                    }
                ],
            }
        ]
    }
    assert len(asked) == 1
    assert not Provider.objects.exists()
    assert not Task.objects.exists()


def test_it_has_an_address_of_its_own(admin_client: Client, asked: list[Any]) -> None:
    assert post(admin_client, GIVEN, "/api/providers/verify_credentials").status_code == HTTPStatus.OK
    assert len(asked) == 1


def test_a_cloud_that_refuses_is_a_refusal(admin_client: Client, asked: list[Any]) -> None:
    wrong = GIVEN | {"credentials": {"userid": "AKIA", "password": "wrong"}}
    answer = post(admin_client, {"action": "verify_credentials", "resource": wrong})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    [told] = answer.json()["results"]
    assert (told["success"], told["message"]) == (False, "There is no such access key. (request req-1)")
    many = post(admin_client, {"action": "verify_credentials", "resources": [wrong, GIVEN]})
    assert many.status_code == HTTPStatus.OK
    assert [result["success"] for result in many.json()["results"]] == [False, True]


def test_a_name_that_is_taken_does_not_hinder(admin_client: Client, asked: list[Any]) -> None:
    actors.provider("acme")
    assert post(admin_client, {"action": "verify", "resource": GIVEN | {"name": "acme"}}).status_code == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "nowhere"}, "type: nowhere is not one of"),
        ({"credentials": {"userid": "AKIA"}}, "credentials: "),
        ({"url": "ftp://cloud"}, "url: "),
        ({"colour": "red"}, "Invalid attributes specified: colour"),
    ],
)
def test_what_is_wrong_is_named_before_anybody_is_asked(
    admin_client: Client, asked: list[Any], change: dict[str, Any], message: str
) -> None:
    answer = post(admin_client, {"action": "verify_credentials", "resource": GIVEN | change})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"].startswith(message)
    assert not asked


def test_no_answer_has_the_credentials(admin_client: Client, asked: list[Any]) -> None:
    for password in ("top-secret", "wrong"):
        given = GIVEN | {"credentials": {"userid": "AKIAHIDDEN", "password": password}}
        told = post(admin_client, {"action": "verify_credentials", "resource": given}).content.decode()
        assert "AKIAHIDDEN" not in told
        assert "top-secret" not in told


def test_it_asks_the_permission_to_connect(client: Client, asked: list[Any], db: None) -> None:
    user = User.objects.create_user("reader")
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_provider", "change_provider"]))
    client.force_login(user)
    assert post(client, {"action": "verify", "resource": GIVEN}).status_code == HTTPStatus.FORBIDDEN
    assert not asked
    user.user_permissions.add(Permission.objects.get(codename="add_provider"))
    assert post(client, {"action": "verify", "resource": GIVEN}).status_code == HTTPStatus.OK


@pytest.mark.django_db(transaction=True)
class TestWithAnIdempotencyKey:
    def test_the_cloud_is_asked_outside_of_any_transaction(
        self, admin_client: Client, asked: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inside = []
        for path, body in (
            ("/api/providers", {"action": "verify", "resource": GIVEN}),
            ("/api/providers/verify_credentials", GIVEN),
        ):
            monkeypatch.setattr("inventory.api.providers.verify_credentials", self.noting(inside))
            assert post(admin_client, body, path, **{"Idempotency-Key": path}).status_code == HTTPStatus.OK
        assert inside == [False, False]

    def noting(self, inside: list[bool]) -> Any:
        from inventory.services import verify_credentials

        def verify(**given: Any) -> Any:
            inside.append(connection.in_atomic_block)
            return verify_credentials(**given)

        return verify

    def test_a_repeat_gets_the_first_answer(self, admin_client: Client, asked: list[Any]) -> None:
        body = {"action": "verify", "resource": GIVEN}
        first, again = (post(admin_client, body, **{"Idempotency-Key": "k"}) for _ in range(2))
        assert first.json() == again.json()
        assert again.headers["Idempotency-Replayed"] == "true"
        assert len(asked) == 1

    def test_a_body_that_makes_no_sense_is_told_and_kept(self, admin_client: Client, asked: list[Any]) -> None:
        answer = admin_client.post(
            "/api/providers", "{", content_type="application/json", headers={"Idempotency-Key": "k"}
        )
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert IdempotencyKey.objects.get().status == HTTPStatus.BAD_REQUEST


@pytest.mark.django_db
def test_a_file_is_tested_without_credentials(admin_client: Client, tmp_path: Path, settings: Any) -> None:
    settings.INVENTORY_FILES = tmp_path
    (tmp_path / "acme.json").write_text('{"portcullis": 1}')
    for name, success, message in (
        ("acme", True, "The inventory can be read."),
        ("nosuch", False, "There is no file nosuch.json in the folder of inventories."),
    ):
        resources = [{"type": "file", "url": f"file:///{name}.json"}]
        [result] = post(admin_client, {"action": "verify", "resources": resources}).json()["results"]
        assert (result["success"], result["message"]) == (success, message)


@pytest.mark.django_db
class TestWhileOthersAreTested:
    """Each process lets a quarter of its threads wait for clouds."""

    @pytest.fixture(autouse=True)
    def busy(self, monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> Iterator[Share]:
        monkeypatch.setattr(waiting, "_quarter", quarter := Share(4))
        with ExitStack() as stack:
            for _ in range(quarter.size):
                stack.enter_context(quarter.thread())
            yield quarter
        assert not asked

    @pytest.mark.parametrize("body", [{"resource": GIVEN}, {"resources": [GIVEN, GIVEN]}])
    def test_a_request_is_told_to_come_again(self, admin_client: Client, body: dict[str, Any]) -> None:
        answer = post(admin_client, {"action": "verify_credentials", **body})
        assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert answer.headers["Retry-After"] == "15"
        assert answer.json() == {
            "error": {
                "kind": "too_many_requests",
                "message": "Too many requests are waiting for clouds. Try again in a few seconds",
                "klass": "Api::TooManyRequestsError",
            }
        }

    def test_with_an_idempotency_key_it_may_come_again(self, admin_client: Client) -> None:
        headers = {"Idempotency-Key": "k"}
        assert post(admin_client, {"action": "verify", "resource": GIVEN}, **headers).status_code == 429
        assert not IdempotencyKey.objects.exists()

    def test_a_list_of_what_can_not_be_tested_needs_no_thread(self, admin_client: Client) -> None:
        wrong = GIVEN | {"url": "ftp://cloud"}
        answer = post(admin_client, {"action": "verify", "resources": [wrong]})
        assert answer.status_code == HTTPStatus.OK
        assert "url: " in answer.json()["results"][0]["message"]

    def test_the_admin_is_told_too(self, admin_client: Client) -> None:
        form = {"vendor": AMAZON, "userid": "AKIA", "password": "secret", "enabled": "on", "interface": "public"}
        page = admin_client.post("/admin/inventory/provider/verify/", form)
        assert page.status_code == HTTPStatus.OK
        assert "Too many requests are waiting for clouds." in page.content.decode()


def test_results_are_in_the_order_of_the_resources(admin_client: Client, asked: list[Any]) -> None:
    resources = [
        GIVEN,
        GIVEN | {"url": "ftp://cloud"},
        GIVEN | {"credentials": {"userid": "A", "password": "wrong"}},
    ]
    answer = post(admin_client, {"action": "verify", "resources": resources})
    told = [result["message"][:9] for result in answer.json()["results"]]
    assert told == ["The cloud", "url: Ente", "There is "]


def test_who_may_not_see_providers_is_told_no_reason(client: Client, asked: list[Any], db: None) -> None:
    user = User.objects.create_user("scanner")
    user.user_permissions.set(Permission.objects.filter(codename="add_provider"))
    client.force_login(user)
    wrong = GIVEN | {"credentials": {"userid": "AKIA", "password": "wrong"}}
    answer = post(client, {"action": "verify", "resources": [GIVEN, wrong]})
    assert answer.json()["results"] == [
        {"success": True, "message": "The connection can be used.", "checks": []},
        {
            "success": False,
            "message": "The connection can't be used. Ask somebody who may see providers for the reason.",
            "checks": [],
        },
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", [{"url": "https://AKIA:top-secret@cloud"}, {"hostname": "AKIA:top-secret@cloud"}]
)
def test_credentials_in_an_address_are_refused_without_being_repeated(
    admin_client: Client, asked: list[Any], address: dict[str, str]
) -> None:
    provider = actors.provider("acme")
    for path, body in (
        ("/api/providers", {"action": "create", "resource": GIVEN | address | {"name": "new"}}),
        ("/api/providers", {"action": "verify_credentials", "resource": GIVEN | address}),
        ("/api/providers", {"action": "create", "resources": [GIVEN | address | {"name": "new"}]}),
        ("/api/providers", GIVEN | {"name": "new", "endpoints": {"default": address}}),
        (f"/api/providers/{provider.pk}", {"action": "edit", "resource": address}),
    ):
        answer = post(admin_client, body, path)
        text = answer.content.decode()
        assert "must not have a user or a password" in text or "without credentials" in text
        assert "top-secret" not in text
    assert not asked
    assert Provider.objects.count() == 1
