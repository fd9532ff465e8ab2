"""Connecting, editing, refreshing and disconnecting providers, over HTTP."""

from __future__ import annotations

import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from inventory.api import providers
from inventory.arguments import ProviderRefresh, provider_task
from inventory.models import Provider, Task
from inventory.services import delete_provider
from tests import cast as actors
from tests.cast import AMAZON, AMAZON_TYPE, FILE, FILE_TYPE, Cast
from tests.contracts import grant

JSON = "application/json"
BASIC = {"Authorization": f"Basic {b64encode(b'root:secret').decode()}"}
GIVEN = {
    "name": "aws",
    "type": "amazon",
    "url": "http://127.0.0.1:5000",
    "provider_region": "eu-west-1",
    "credentials": {"userid": "me", "password": "secret"},
}


def post(client: Client, url: str, body: Any) -> Any:
    return client.post(url, body, content_type="application/json")


@pytest.mark.django_db
@pytest.mark.parametrize("action", [{}, {"action": "create"}])
def test_a_provider_is_created_and_read_at_once(admin_client: Client, action: dict[str, str]) -> None:
    answer = post(admin_client, "/api/providers", GIVEN | action)
    assert answer.status_code == HTTPStatus.OK
    [created] = answer.json()["results"]
    provider = Provider.objects.get(pk=created["id"])
    assert (created["name"], created["type"], created["enabled"]) == ("aws", AMAZON_TYPE, True)
    assert provider.credentials == GIVEN["credentials"]
    assert "secret" not in answer.content.decode() + admin_client.get(created["href"]).content.decode()
    assert Task.objects.get().name == "Refresh of aws"


@pytest.mark.django_db
def test_the_other_form_of_manageiq_is_understood(admin_client: Client) -> None:
    configuration = {
        "endpoint": {"role": "default", "url": "http://127.0.0.1:5000"},
        "authentication": {"authtype": "default", "userid": "me", "password": "secret"},
    }
    body = {"name": "aws", "type": AMAZON_TYPE, "connection_configurations": [configuration]}
    assert post(admin_client, "/api/providers", body).status_code == HTTPStatus.OK
    assert Provider.objects.get().credentials == {"userid": "me", "password": "secret"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "vmware"}, "type: vmware is not one of"),
        ({"url": "ftp://host"}, "url: Enter an http or https URL."),
        (
            {"url": "file:///../acme.json"},
            "url: Enter file:///NAME, with the plain name of",
        ),
        ({"url": "file://host/acme.json"}, "url: Enter file:///NAME"),
        ({"port": 70000}, "port: Ensure this value is less than or equal to 65535."),
        ({"credentials": {"userid": "me"}}, "credentials: password: This field is required."),
        ({"credentials": None}, "credentials: This field may not be null."),
        ({"name": None}, "name: This field may not be null."),
        ({"colour": "red"}, "Invalid attributes specified: colour"),
    ],
)
def test_what_is_wrong_with_a_provider_is_named(
    admin_client: Client, change: dict[str, Any], message: str
) -> None:
    answer = post(admin_client, "/api/providers", GIVEN | change)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"].startswith(message)
    assert not Provider.objects.exists()


WITHOUT = {"name": "picture", "url": "file:///acme.json"}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [FILE, FILE_TYPE])
def test_a_provider_of_a_type_without_credentials_needs_none(admin_client: Client, kind: str) -> None:
    answer = post(admin_client, "/api/providers", WITHOUT | {"type": kind})
    assert answer.status_code == HTTPStatus.OK, answer.content
    provider = Provider.objects.get()
    assert (provider.vendor, provider.url, provider.credentials) == (FILE, "file:///acme.json", {})
    assert Task.objects.get().name == "Refresh of picture"


@pytest.mark.django_db
def test_of_many_each_type_says_whether_it_needs_credentials(admin_client: Client) -> None:
    resources = [
        WITHOUT | {"type": "file"},
        WITHOUT | {"type": "amazon", "name": "aws"},
        WITHOUT | {"type": ["file"], "name": "list"},
        {"name": "stored", "type": "file", "connection_configurations": [{"endpoint": {"url": "file:///a.json"}}]},
    ]
    results = post(admin_client, "/api/providers", {"resources": resources}).json()["results"]
    assert [result.get("success", True) for result in results] == [True, False, False, True]
    assert results[1]["message"] == "credentials: This field is required."


@pytest.mark.django_db
def test_the_form_of_a_browser_may_leave_them_empty(admin_client: Client) -> None:
    typed = {"action": "create", "type": "file", "credentials.userid": "", "credentials.password": ""}
    assert admin_client.post("/api/providers", WITHOUT | typed).status_code == HTTPStatus.OK
    assert Provider.objects.get().credentials == {}


def test_a_refresh_answers_with_its_task(admin_client: Client, cast: Cast) -> None:
    answer = post(
        admin_client, f"/api/providers/{cast.acme.pk}", {"action": "refresh", "resource": {"force": True}}
    )
    task = Task.objects.get()
    href = f"http://testserver/api/tasks/{task.pk}"
    assert answer.json() == {
        "success": True,
        "message": "Refreshing provider acme",
        "task_id": str(task.pk),
        "task_href": href,
        "tasks": [{"id": str(task.pk), "href": href}],
        "href": f"http://testserver/api/providers/{cast.acme.pk}",
    }
    assert provider_task(task.arguments) == ProviderRefresh(force=True)


def test_many_are_refreshed_each_by_itself(admin_client: Client, cast: Cast) -> None:
    resources = [{"id": str(cast.acme.pk)}, {"id": 999}, {"href": f"/api/providers/{cast.acme.pk}"}, {}]
    answer = post(admin_client, "/api/providers", {"action": "refresh", "resources": resources})
    assert answer.status_code == HTTPStatus.OK
    assert [result["success"] for result in answer.json()["results"]] == [True, False, True, False]


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("post", {"action": "edit", "resource": {"name": "renamed"}}),
        ("put", {"name": "renamed"}),
        ("patch", {"name": "renamed"}),
        ("patch", [{"action": "edit", "path": "name", "value": "renamed"}]),
    ],
)
def test_a_provider_is_edited_in_every_way(admin_client: Client, cast: Cast, method: str, body: Any) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    answer = getattr(admin_client, method)(url, json.dumps(body), content_type="application/json")
    assert answer.status_code == HTTPStatus.OK
    assert answer.json()["name"] == "renamed"


@pytest.mark.parametrize(("given", "missing"), [({"password": "new"}, "userid"), ({"userid": "new"}, "password")])
def test_credentials_are_changed_as_a_whole(
    admin_client: Client, cast: Cast, given: dict[str, str], missing: str
) -> None:
    actors.give_credentials(cast.acme, userid="me", password="secret")
    url = f"/api/providers/{cast.acme.pk}"
    changes = [{"action": "edit", "path": "credentials", "value": given}]
    for body in ({"credentials": given}, changes):
        answer = admin_client.patch(url, body, content_type="application/json")
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert answer.json()["error"]["message"] == f"credentials: {missing}: This field is required."
    assert Provider.objects.get(pk=cast.acme.pk).credentials == {"userid": "me", "password": "secret"}
    whole = {"credentials": {"userid": "a", "password": "b"}}
    assert admin_client.patch(url, whole, content_type="application/json").status_code == HTTPStatus.OK
    assert Provider.objects.get(pk=cast.acme.pk).credentials == whole["credentials"]


ELSEWHERE: list[dict[str, Any]] = [
    {"url": "http://elsewhere.example"},
    {"hostname": "elsewhere.example"},
    {"port": 8443},
    {"security_protocol": "non-ssl"},
    {"verify_ssl": False},
    {"certificate_authority": "theirs"},
    {"interface": "internal"},
]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_stored_credentials_are_not_sent_to_another_address(
    admin_client: Client, cast: Cast, elsewhere: dict[str, Any]
) -> None:
    actors.give_credentials(cast.acme, userid="me", password="secret")
    before, url = Provider.objects.values().get(pk=cast.acme.pk), f"/api/providers/{cast.acme.pk}"
    for answer in (
        admin_client.patch(url, elsewhere, content_type="application/json"),
        post(admin_client, url, {"action": "edit", "resource": elsewhere}),
    ):
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert answer.json()["error"]["message"] == (
            "credentials: Stored credentials are not sent to a new address. Enter them again."
        )
    assert Provider.objects.values().get(pk=cast.acme.pk) == before
    whole = elsewhere | {"credentials": {"userid": "a", "password": "b"}}
    assert admin_client.patch(url, whole, content_type="application/json").status_code == HTTPStatus.OK


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_where_there_are_none_or_the_address_stays_none_are_asked_for(
    admin_client: Client, cast: Cast, elsewhere: dict[str, Any]
) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    assert admin_client.patch(url, elsewhere, content_type="application/json").status_code == HTTPStatus.OK
    actors.give_credentials(cast.acme, userid="me", password="secret")
    assert admin_client.patch(url, elsewhere, content_type="application/json").status_code == HTTPStatus.OK


def test_a_provider_is_disconnected(admin_client: Client, cast: Cast) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    assert admin_client.delete(url).status_code == HTTPStatus.NO_CONTENT
    assert admin_client.get(url).status_code == HTTPStatus.NOT_FOUND
    assert admin_client.delete(url).status_code == HTTPStatus.NOT_FOUND


def test_a_deletion_is_a_task_of_whoever_asked_for_it(admin_client: Client, admin_user: User, cast: Cast) -> None:
    other = actors.provider("other")
    resources = [{"id": pk} for pk in (cast.acme.pk, other.pk, 0)]
    answer = post(admin_client, "/api/providers", {"action": "delete", "resources": resources})
    *accepted, refused = answer.json()["results"]
    for result, provider in zip(accepted, (cast.acme, other), strict=True):
        task = Task.objects.get(pk=result["task_id"])
        assert result == {
            "success": True,
            "message": f"Deleting provider {provider.name}",
            "task_id": str(task.pk),
            "task_href": f"http://testserver/api/tasks/{task.pk}",
            "href": f"http://testserver/api/providers/{provider.pk}",
        }
        assert (task.owner, task.state, task.provider) == (admin_user, "Active", None)
        cancelled = post(admin_client, f"/api/tasks/{task.pk}", {"action": "cancel"})
        assert cancelled.status_code == HTTPStatus.BAD_REQUEST
    assert refused["success"] is False


def test_a_name_is_taken_until_its_provider_is_deleted(admin_client: Client, cast: Cast) -> None:
    other = actors.provider("other")
    described = {"name": "acme", "type": "amazon", "credentials": {"userid": "me", "password": "secret"}}
    for refused in (
        post(admin_client, "/api/providers", described),
        admin_client.patch(f"/api/providers/{other.pk}", {"name": "acme"}, content_type="application/json"),
    ):
        assert refused.status_code == HTTPStatus.BAD_REQUEST
        assert refused.json()["error"]["message"] == "name: A provider with this name already exists."
    admin_client.delete(f"/api/providers/{cast.acme.pk}")
    assert post(admin_client, "/api/providers", described).status_code == HTTPStatus.OK


def test_resources_are_queried_by_id_href_and_guid(admin_client: Client, cast: Cast) -> None:
    pk, guid = cast.acme.pk, str(Provider.objects.get(pk=cast.acme.pk).guid)
    resources = [{"id": pk}, {"href": f"/api/providers/{pk}"}, {"guid": guid}, {"guid": "x"}]
    answer = post(admin_client, "/api/providers?attributes=name", {"action": "query", "resources": resources})
    results = answer.json()["results"]
    assert [result.get("name") for result in results] == ["acme", "acme", "acme", None]
    assert results[3]["success"] is False


NEW = {"name": "taken", "type": "amazon", "credentials": {"userid": "a", "password": "b"}}


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["", "key"])
@pytest.mark.parametrize("how", ["create", "many", "edit", "put"])
def test_a_name_that_another_request_takes_meanwhile_is_as_one_that_is_taken(
    admin_client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch, how: str, key: dict[str, str]
) -> None:
    for service in ("connect_provider", "edit_provider"):

        def meanwhile(run: Any, **given: Any) -> Provider:
            Provider.objects.get_or_create(name="taken", vendor=AMAZON)
            saved: Provider = run(**given)
            return saved

        monkeypatch.setattr(providers, service, partial(meanwhile, getattr(providers, service)))
    url = f"/api/providers/{cast.acme.pk}"
    ask = {
        "create": lambda: admin_client.post("/api/providers", NEW, JSON, headers=key),
        "many": lambda: admin_client.post("/api/providers", {"resources": [NEW]}, JSON, headers=key),
        "edit": lambda: admin_client.post(url, {"action": "edit", "name": "taken"}, JSON, headers=key),
        "put": lambda: admin_client.put(url, {"name": "taken"}, JSON),
    }[how]
    answer = ask()
    assert b"A provider with this name already exists" in answer.content
    assert answer.status_code == (HTTPStatus.OK if how == "many" else HTTPStatus.BAD_REQUEST)
    assert Provider.objects.filter(name="taken").count() <= 1
    assert not Task.objects.exists()


@pytest.mark.parametrize("how", ["edit", "put"])
def test_one_that_is_deleted_while_it_is_edited_is_not_found(
    admin_client: Client, admin_user: User, cast: Cast, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    edit = providers.edit_provider

    def meanwhile(*, provider: Provider, **given: Any) -> None:
        edit(provider=provider, **given)
        delete_provider(provider=provider, user=admin_user)

    monkeypatch.setattr(providers, "edit_provider", meanwhile)
    url = f"/api/providers/{cast.acme.pk}"
    ask = {
        "edit": lambda: post(admin_client, url, {"action": "edit", "name": "new"}),
        "put": lambda: admin_client.put(url, {"name": "new"}, JSON),
    }[how]
    assert ask().status_code == HTTPStatus.NOT_FOUND


def test_who_may_connect_and_not_see_is_told_so(client: Client, django_user_model: type[User], db: None) -> None:
    client.force_login(grant(django_user_model.objects.create_user("sam"), "inventory.add_provider"))
    answer = client.post("/api/providers", NEW, JSON)
    assert answer.status_code in {HTTPStatus.OK, HTTPStatus.FORBIDDEN}, answer.content


def test_a_name_that_is_taken_is_refused(admin_client: Client, cast: Cast) -> None:
    taken = {"name": cast.acme.name}
    for answer in (
        admin_client.post("/api/providers", NEW | taken, JSON),
        admin_client.put(f"/api/providers/{Provider.objects.create(name='other', vendor=AMAZON).pk}", taken, JSON),
    ):
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert answer.json()["error"]["message"] == "name: A provider with this name already exists."


@pytest.mark.usefixtures("shared_database")
def test_of_those_who_take_a_name_at_once_one_has_it() -> None:
    def connect(_: int) -> Any:
        with closing(connection):
            return Client(headers=BASIC).post("/api/providers", NEW, JSON).status_code

    def make_user() -> None:
        with closing(connection):
            User.objects.create_superuser("root", password="secret")

    with ThreadPoolExecutor(4) as pool:
        pool.submit(make_user).result()
        assert sorted(pool.map(connect, range(4))) == [200, 400, 400, 400]


def test_which_endpoints_of_a_catalog_are_used_can_be_said(admin_client: Client, cast: Cast) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    assert admin_client.get(url).json()["interface"] == "public"
    for given, status in (("internal", HTTPStatus.OK), ("private", HTTPStatus.BAD_REQUEST)):
        keys = {"userid": "a", "password": "b"}
        answer = admin_client.patch(
            url, {"interface": given, "credentials": keys}, content_type="application/json"
        )
        assert answer.status_code == status
    assert admin_client.get(url).json()["interface"] == "internal"
    assert Provider.objects.get(pk=cast.acme.pk).connection.interface == "internal"
