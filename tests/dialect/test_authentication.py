"""Logins, tokens and groups, as ManageIQ's requests/authentication_spec asks for them."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from inventory.models import AuthToken
from tests.cast import Cast
from tests.dialect.callers import ENTRY_POINT, ask, basic, may, user

pytestmark = pytest.mark.django_db

NO = HTTPStatus.UNAUTHORIZED


@pytest.fixture
def ada() -> User:
    return user(groups=("first", "second", "\N{LATIN SMALL LETTER E WITH ACUTE}quipe"))


def token(client: Client, query: str = "") -> Any:
    return ask(client, "get", f"/api/auth{query}", **basic())


# --- HTTP Basic ---


@pytest.mark.parametrize("headers", [{}, basic("baduser", "badpassword")], ids=["none", "wrong"])
def test_who_is_not_known_is_told_so_without_a_challenge(client: Client, ada: User, headers: Any) -> None:
    answer = client.get("/api", headers=headers)
    assert answer.status_code == NO
    assert "WWW-Authenticate" not in answer.headers
    assert answer.json()["error"]["kind"] == "unauthorized"


def test_who_is_known_is_let_in(client: Client, ada: User) -> None:
    assert ask(client, "get", "/api", **basic()).keys() >= ENTRY_POINT


@pytest.mark.on_purpose("A user's permissions can be their own: there are no roles, and a group is not needed")
def test_a_user_without_a_group_is_let_in(client: Client) -> None:
    user("inventory.view_vm")
    assert ask(client, "get", "/api", **basic())["identity"]["group"] is None
    ask(client, "get", "/api/vms", **basic())


def test_the_versions_and_collections_are_whole_addresses(client: Client, ada: User) -> None:
    version = settings.REST_FRAMEWORK["DEFAULT_VERSION"]
    entry = ask(client, "get", f"/api/v{version}", **basic())
    assert entry["versions"] == [{"name": version, "href": f"http://testserver/api/v{version}"}]
    entry = ask(client, "get", "/api", **basic())
    assert {one["href"] for one in entry["collections"]} == {
        f"http://testserver/api/{name}" for name in settings.COLLECTIONS
    }


# --- As a member of a group ---


def test_a_group_that_is_not_the_user_s_is_refused(client: Client, ada: User) -> None:
    Group.objects.create(name="bogus_group")
    error = ask(client, "get", "/api", status=NO, **basic(), X_MIQ_Group="bogus_group")["error"]
    assert error["message"] == "Invalid Authorization Group bogus_group specified"


@pytest.mark.parametrize(("sent", "group"), [("first", "first"), ("second", "second"), ("%C3%A9quipe", None)])
def test_each_of_the_user_s_groups_is_taken(client: Client, ada: User, sent: str, group: str | None) -> None:
    identity = ask(client, "get", "/api", **basic(), X_MIQ_Group=sent)["identity"]
    acting = Group.objects.get(name=group or "\N{LATIN SMALL LETTER E WITH ACUTE}quipe")
    assert identity["group"] == acting.name
    assert identity["group_href"] == f"http://testserver/api/groups/{acting.pk}"


def test_the_identity_says_who_is_asking(client: Client, ada: User) -> None:
    identity = ask(client, "get", "/api", **basic(), X_MIQ_Group="second")["identity"]
    assert identity["userid"] == "api_user"
    assert identity["name"] == "Api User"
    assert identity["user_href"] == f"http://testserver/api/users/{ada.pk}"
    groups = [group.name for group in ada.groups.all()]
    assert sorted(identity["groups"]) == sorted(groups)
    assert sorted(group["description"] for group in identity["miq_groups"]) == sorted(groups)
    assert all(group["href"].startswith("http://testserver/api/groups/") for group in identity["miq_groups"])


@pytest.mark.on_purpose(
    "There are no roles, no tenants of Portcullis' own and no product features of a service UI"
)
def test_the_identity_has_no_role_href_tenant_or_features(client: Client, ada: User) -> None:
    identity = ask(client, "get", "/api?attributes=authorization", **basic())["identity"]
    assert not {"role_href", "tenant"} & identity.keys()
    assert identity["role"] == identity["group"]
    assert all(group.keys() == {"href", "id", "description"} for group in identity["miq_groups"])


def test_what_the_user_may_do_is_told_where_it_is_asked(client: Client) -> None:
    user("inventory.view_vm")
    entry = ask(client, "get", "/api?attributes=authorization", **basic())
    assert entry.keys() >= {*ENTRY_POINT, "authorization"}
    assert list(entry["authorization"]["product_features"]) == ["inventory.view_vm"]


# --- A browser's session ---


def test_a_session_lets_in(client: Client, ada: User) -> None:
    client.force_login(ada)
    ask(client, "get", "/api", X_CSRF_TOKEN="foo")


@pytest.mark.parametrize("headers", [{}, {"X_CSRF_TOKEN": "foo"}])
def test_without_a_session_no_csrf_token_helps(client: Client, ada: User, headers: dict[str, str]) -> None:
    ask(client, "get", "/api", status=NO, **headers)


def test_a_session_writes_with_a_csrf_token_alone(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    for headers in ({}, {"X_CSRF_TOKEN": "foo"}):
        ask(client, "post", "/api/vms", {"action": "query"}, HTTPStatus.FORBIDDEN, **headers)


# --- Tokens ---


def test_a_token_is_issued_and_lets_in(client: Client, ada: User) -> None:
    issued = token(client)
    assert issued.keys() == {"auth_token", "token_ttl", "expires_on"}
    assert ask(client, "get", "/api", X_Auth_Token=issued["auth_token"]).keys() >= ENTRY_POINT


@pytest.mark.parametrize(("sent", "said"), [("", "Empty Authentication Token"), ("badtoken", "Invalid Authent")])
def test_an_empty_or_bad_token_is_told_and_nothing_else_asked(
    client: Client, ada: User, sent: str, said: str
) -> None:
    answer = client.get("/api", headers={"X-Auth-Token": sent, **basic()})
    assert answer.status_code == NO
    assert answer.json()["error"]["message"].startswith(said)
    assert "WWW-Authenticate" not in answer.headers


def test_a_token_that_has_expired_lets_nobody_in(client: Client, ada: User) -> None:
    issued = token(client)["auth_token"]
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    ask(client, "get", "/api", status=NO, X_Auth_Token=issued)


def test_the_use_of_a_token_puts_off_its_end(client: Client, ada: User) -> None:
    issued = token(client)
    assert AuthToken.objects.get().expiry.isoformat()[:19] == issued["expires_on"][:19]
    soon = timezone.now() + timedelta(seconds=30)
    AuthToken.objects.update(expiry=soon)
    ask(client, "get", "/api", X_Auth_Token=issued["auth_token"])
    assert AuthToken.objects.get().expiry > soon


@pytest.mark.parametrize(("query", "seconds"), [("", 600), ("?requester_type=ui", 3600)])
def test_a_token_lives_as_long_as_its_type_says(client: Client, ada: User, query: str, seconds: int) -> None:
    assert token(client, query)["token_ttl"] == seconds


def test_how_long_is_a_setting(client: Client, ada: User, settings: Any) -> None:
    settings.TOKEN_TTL = {**settings.TOKEN_TTL, "ui": timedelta(seconds=1234)}
    assert token(client, "?requester_type=ui")["token_ttl"] == 1234


def test_a_type_that_there_is_not_is_refused(client: Client, ada: User) -> None:
    ask(client, "get", "/api/auth?requester_type=bogus_type", status=HTTPStatus.BAD_REQUEST, **basic())


@pytest.mark.on_purpose("There are no web sockets")
def test_there_are_no_tokens_for_web_sockets(client: Client, ada: User) -> None:
    ask(client, "get", "/api/auth?requester_type=ws", status=HTTPStatus.BAD_REQUEST, **basic())
    assert not AuthToken.objects.exists()


def test_a_token_is_forgotten_when_that_is_asked(client: Client, ada: User) -> None:
    issued = token(client)["auth_token"]
    ask(client, "delete", "/api/auth", status=HTTPStatus.NO_CONTENT, X_Auth_Token=issued)
    ask(client, "get", "/api", status=NO, X_Auth_Token=issued)


@pytest.mark.on_purpose("Servers of ManageIQ vouch for users to one another; nobody vouches here")
@pytest.mark.parametrize("headers", [{"X_MIQ_Token": "token"}, {"Authorization": "Bearer token"}])
def test_no_other_token_lets_in(client: Client, ada: User, headers: dict[str, str]) -> None:
    assert ask(client, "get", "/api", status=NO, **headers)["error"]["kind"] == "unauthorized"


# --- Permissions ---


def test_a_collection_asks_its_permission(client: Client, cast: Cast) -> None:
    ask(may(client), "get", "/api/vms", status=HTTPStatus.FORBIDDEN)


def test_who_has_it_is_answered(client: Client, cast: Cast) -> None:
    assert ask(may(client, "inventory.view_vm"), "get", "/api/vms")["count"] == 4
