"""What `spec/requests/actions_spec.rb` asks: made, read, edited and deleted in every way. Of providers."""

from __future__ import annotations

import pytest
from django.test import Client

from inventory.models import Provider
from tests.cast import Cast, provider
from tests.dialect.asking import ask, caller, get, post

pytestmark = pytest.mark.django_db
NEW = {"name": "foo", "type": "amazon", "credentials": {"userid": "a", "password": "b"}}


@pytest.fixture
def two(db: None) -> list[Provider]:
    return [provider("one"), provider("two")]


def left() -> set[str]:
    return set(Provider.objects.connected().values_list("name", flat=True))


def test_reading_asks_a_permission(client: Client, two: list[Provider]) -> None:
    caller(client)
    get(client, "/providers", status=403)


def test_one_is_created(admin_client: Client) -> None:
    [made] = post(admin_client, "/providers", NEW)["results"]
    assert Provider.objects.filter(pk=made["id"]).exists()


def test_several_are_created(admin_client: Client) -> None:
    body = {"action": "create", "resources": [NEW, {**NEW, "name": "bar"}]}
    assert [made["name"] for made in post(admin_client, "/providers", body)["results"]] == ["foo", "bar"]


def test_all_are_read(admin_client: Client, two: list[Provider]) -> None:
    assert get(admin_client, "/providers")["count"] == 2


def test_one_is_deleted(admin_client: Client, two: list[Provider]) -> None:
    href = f"http://testserver/api/providers/{two[0].pk}"
    post(admin_client, "/providers", {"action": "delete", "resource": {"href": href}})
    assert left() == {"two"}


@pytest.mark.on_purpose(
    "a delete takes what names the resource; what else a client sends along is refused and named"
)
def test_a_deletion_takes_no_attributes(admin_client: Client, two: list[Provider]) -> None:
    resource = {"name": "one", "href": f"http://testserver/api/providers/{two[0].pk}"}
    error = post(admin_client, "/providers", {"action": "delete", "resource": resource}, status=400)["error"]
    assert error["message"] == "Invalid attributes specified: name"


def test_several_are_deleted(admin_client: Client, two: list[Provider]) -> None:
    resources = [{"href": f"http://testserver/api/providers/{one.pk}"} for one in two]
    results = post(admin_client, "/providers", {"action": "delete", "resources": resources})["results"]
    assert (len(results), left()) == (2, set())


def test_delete_as_a_method(admin_client: Client, two: list[Provider]) -> None:
    ask(admin_client, "delete", f"/providers/{two[0].pk}", status=204)
    assert left() == {"two"}


def test_one_is_edited(admin_client: Client, two: list[Provider]) -> None:
    post(admin_client, f"/providers/{two[0].pk}", {"action": "edit", "resource": {"name": "change"}})
    assert left() == {"change", "two"}


def test_several_are_edited(admin_client: Client, two: list[Provider]) -> None:
    changes = zip(two, ("change", "change2"), strict=True)
    resources = [{"id": one.pk, "name": name} for one, name in changes]
    results = post(admin_client, "/providers", {"action": "edit", "resources": resources})["results"]
    assert ([one["name"] for one in results], left()) == (["change", "change2"], {"change", "change2"})


def test_options_tell_what_can_be_made(admin_client: Client, cast: Cast) -> None:
    found = ask(admin_client, "options", "/providers")
    assert "supported_providers" in found["data"]
