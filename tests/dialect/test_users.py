"""Users, as ManageIQ's requests/users_spec asks for them: here they are managed in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.dialect.callers import ask, refusal, user

pytestmark = pytest.mark.django_db

READ_ONLY = pytest.mark.on_purpose("Users and groups are managed in the admin, and read-only over the API")


@pytest.fixture
def me(client: Client) -> User:
    made = user(groups=("first", "second"))
    client.force_login(made)
    return made


@READ_ONLY
@pytest.mark.parametrize("action", ["create", "edit", "delete", "revoke_sessions"])
def test_users_are_not_changed(admin_client: Client, me: User, action: str) -> None:
    resources = [{"id": me.pk, "name": "updated name", "miq_groups": []}]
    said = refusal(admin_client, "post", "/api/users", {"action": action, "resources": resources})
    assert said == f"Unsupported Action {action} for the users collection specified"
    assert User.objects.filter(username="api_user", first_name="Api").exists()


@READ_ONLY
@pytest.mark.parametrize(
    "change",
    [
        {"password": "new_password"},
        {"email": "tom@example.com"},
        {"settings": {"locale": "ja"}},
        {"name": "other"},
    ],
)
def test_not_even_oneself_is_edited(client: Client, me: User, change: dict[str, str]) -> None:
    before = User.objects.values().get(pk=me.pk)
    url = f"/api/users/{me.pk}"
    said = refusal(client, "post", url, {"action": "edit", "resource": change})
    assert said == "Unsupported Action edit for the users resource specified"
    for method in ("put", "patch", "delete"):
        refusal(client, method, url, change)
    assert User.objects.values().get(pk=me.pk) == before


@READ_ONLY
def test_another_user_is_not_edited_or_deleted(client: Client, me: User) -> None:
    url = f"/api/users/{User.objects.create_user('other', email='other@example.org').pk}"
    for method, body in (("post", {"action": "edit", "email": "x"}), ("put", {"email": "x"}), ("delete", None)):
        refusal(client, method, url, body)
    assert User.objects.get(username="other").email == "other@example.org"


@READ_ONLY
def test_the_current_group_is_chosen_by_each_request(client: Client, me: User) -> None:
    second = me.groups.get(name="second")
    body = {"action": "set_current_group", "current_group": {"href": f"/api/groups/{second.pk}"}}
    said = refusal(client, "post", f"/api/users/{me.pk}", body)
    assert said == "Unsupported Action set_current_group for the users resource specified"
    assert ask(client, "get", "/api", X_MIQ_Group="second")["identity"]["group"] == "second"
    first = me.groups.order_by("pk")[0]
    assert ask(client, "get", f"/api/users/{me.pk}")["current_group_id"] == str(first.pk)


def test_one_is_shown_oneself_without_a_permission(client: Client, me: User) -> None:
    User.objects.create_user("other")
    [shown] = ask(client, "get", "/api/users?expand=resources&attributes=groups")["resources"]
    assert (shown["userid"], shown["name"]) == ("api_user", "Api User")
    assert [group["description"] for group in shown["groups"]] == ["first", "second"]
