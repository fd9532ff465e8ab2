"""Events of logins and refusals, which strangers can cause as often as they like."""

from __future__ import annotations

import base64
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from inventory import login_events
from inventory.models import AuthToken, EventStream
from inventory.services import create_token
from tests.contracts.collections import grant

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"


@pytest.fixture
def alice(django_user_model: type[User], settings: Any) -> User:
    settings.LOGIN_FAILURES = settings.LOGIN_ADDRESS_FAILURES = 10_000
    caches["passwords"].clear()
    return django_user_model.objects.create_user("alice", password=PASSWORD)


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def events() -> list[tuple[str, str | None, str | None, int]]:
    names = ("event_type", "username", "address", "count")
    return list(EventStream.objects.order_by("pk").values_list(*names))


def test_logins_by_basic_are_counted(alice: User, client: Client) -> None:
    for _ in range(3):
        caches["passwords"].clear()  # the minute is over
        assert client.get("/api", headers=basic("alice", PASSWORD)).status_code == HTTPStatus.OK
        client.get("/api", headers=basic("alice", PASSWORD))
    assert events() == [("login_succeeded", "alice", "127.0.0.1", 3)]


def test_wrong_passwords_are_counted_and_unknown_names_are_not_kept(alice: User, client: Client) -> None:
    for _ in range(2):
        assert client.get("/api", headers=basic("alice", "wrong")).status_code == HTTPStatus.UNAUTHORIZED
    for number in range(5):
        client.get("/api", headers=basic(f"secret-{number}", "wrong"))
    assert events() == [("login_refused", "alice", "127.0.0.1", 2), ("login_refused", None, "127.0.0.1", 5)]
    assert not EventStream.objects.filter(message__contains="secret").exists()


def test_logins_that_are_answered_429_are_not_counted(alice: User, client: Client, settings: Any) -> None:
    settings.LOGIN_FAILURES = 2
    statuses = [client.get("/api", headers=basic("alice", "wrong")).status_code for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert events() == [("login_refused", "alice", "127.0.0.1", 2)]


def test_unknown_tokens_are_counted(alice: User, client: Client) -> None:
    for number in range(4):
        client.get("/api", headers={"X-Auth-Token": f"guess-{number}"})
    assert events() == [("token_refused", None, "127.0.0.1", 4)]


def test_refused_requests_are_counted_by_user(alice: User, client: Client) -> None:
    client.get("/api")
    client.get("/api/providers")
    client.force_login(alice)
    EventStream.objects.filter(event_type="login_succeeded").get()
    for _ in range(2):
        assert client.get("/api/providers").status_code == HTTPStatus.FORBIDDEN
    assert [event for event in events() if event[0] == "request_refused"] == [
        ("request_refused", None, "127.0.0.1", 2),
        ("request_refused", "alice", "127.0.0.1", 2),
    ]


def test_a_foreign_group_is_no_wrong_password(alice: User, client: Client) -> None:
    headers = basic("alice", PASSWORD) | {"X-MIQ-Group": "of others"}
    assert client.get("/api", headers=headers).status_code == HTTPStatus.UNAUTHORIZED
    assert [event for event in events() if event[0] != "login_succeeded"] == [
        ("request_refused", "alice", "127.0.0.1", 1)
    ]


def test_addresses_beyond_a_bound_are_counted_together(
    alice: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_events, "ADDRESSES", 3)
    for number in range(10):
        client.get("/api", headers=basic("nobody", "wrong"), REMOTE_ADDR=f"192.0.2.{number}")
    assert [(address, count) for *_, address, count in events()] == [
        ("192.0.2.0", 1),
        ("192.0.2.1", 1),
        ("192.0.2.2", 1),
        (None, 7),
    ]


def test_addresses_of_an_ipv6_network_are_one(alice: User, client: Client) -> None:
    for number in range(3):
        client.get("/api", REMOTE_ADDR=f"2001:db8::{number}")
    assert events() == [("request_refused", None, "2001:db8::/64", 3)]


def test_a_new_hour_is_a_new_event(alice: User, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/api")
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(login_events.timezone, "now", lambda: later)
    client.get("/api")
    assert [count for *_, count in events()] == [1, 1]


def test_logins_on_pages_are_events(alice: User, client: Client) -> None:
    client.post("/admin/login/", {"username": "alice", "password": "wrong"})
    client.post("/admin/login/", {"username": "alice", "password": PASSWORD})
    User.objects.update(is_staff=True)
    client.post("/admin/login/", {"username": "alice", "password": PASSWORD})
    assert events() == [
        ("login_refused", "alice", "127.0.0.1", 1),
        ("login_succeeded", "alice", "127.0.0.1", 1),
    ]


def test_tokens_are_events_when_they_are_issued_and_revoked(alice: User, client: Client) -> None:
    token = client.get("/api/auth", headers=basic("alice", PASSWORD)).json()["auth_token"]
    client.delete("/api/auth", headers={"X-Auth-Token": token})
    assert [event[:2] for event in events()] == [
        ("login_succeeded", "alice"),
        ("token_issued", "alice"),
        ("token_revoked", "alice"),
    ]
    assert token[:8] not in str(list(EventStream.objects.values()))


@pytest.fixture
def tokens(alice: User) -> list[AuthToken]:
    """A token, the one that it issued and the one that that issued, and one of somebody else."""
    other = User.objects.create_user("bob")
    first, _ = create_token(user=alice, name="first")
    second, _ = create_token(user=alice, name="second")
    third, _ = create_token(user=alice, name="third")
    AuthToken.objects.filter(pk=second.pk).update(issued_by=first)
    AuthToken.objects.filter(pk=third.pk).update(issued_by=second)
    return [first, second, third, create_token(user=other, name="bob's")[0]]


def revoked() -> list[tuple[str | None, str]]:
    """Who revoked which tokens, by their names."""
    rows = EventStream.objects.filter(event_type="token_revoked").order_by("pk")
    return sorted((event.username, event.full_data["before"]["name"]) for event in rows)


def test_each_token_that_goes_with_another_is_an_event(
    alice: User, tokens: list[AuthToken], admin_client: Client
) -> None:
    url = f"/api/tokens/{tokens[0].pk}"
    assert admin_client.post(url, {"action": "delete"}, "application/json").json()["success"]
    assert revoked() == [("admin", "first"), ("admin", "second"), ("admin", "third")]


def test_each_token_that_ends_with_a_password_is_an_event(
    alice: User, tokens: list[AuthToken], admin_client: Client
) -> None:
    new = {"password1": "battery staple", "password2": "battery staple", "usable_password": "true"}
    admin_client.post(f"/admin/auth/user/{alice.pk}/password/", new)
    assert revoked() == [("admin", "first"), ("admin", "second"), ("admin", "third")]


def test_each_token_that_ends_with_the_users_own_change_of_password_is_an_event(
    alice: User, tokens: list[AuthToken], client: Client
) -> None:
    client.force_login(alice)
    new = {"old_password": PASSWORD, "new_password1": "battery staple", "new_password2": "battery staple"}
    client.post(reverse("password_change"), new)
    assert revoked() == [("alice", "first"), ("alice", "second"), ("alice", "third")]


@pytest.mark.parametrize("end", ["deactivate", "delete"])
def test_each_token_that_ends_with_its_user_is_an_event(
    end: str, alice: User, tokens: list[AuthToken], admin_client: Client
) -> None:
    if end == "delete":
        admin_client.post(f"/admin/auth/user/{alice.pk}/delete/", {"post": "yes"})
    else:
        joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
        admin_client.post(f"/admin/auth/user/{alice.pk}/change/", {"username": "alice", **joined})
    assert revoked() == [("admin", "first"), ("admin", "second"), ("admin", "third")]


def test_a_token_that_ends_by_sql_is_of_nobody(alice: User, tokens: list[AuthToken]) -> None:
    User.objects.filter(pk=alice.pk).update(password="!")
    event = EventStream.objects.filter(event_type="token_revoked").earliest("pk")
    assert (event.source, event.username, event.message) == ("REFRESH", None, "A token of alice was revoked")
    assert event.full_data["before"] == {
        "id": str(tokens[0].pk),
        "name": "first",
        "read_only": False,
        "user": "alice",
    }


def test_a_token_that_has_expired_is_not_revoked(alice: User, tokens: list[AuthToken]) -> None:
    AuthToken.objects.filter(pk=tokens[0].pk).update(expiry=timezone.now() - timedelta(seconds=2))
    alice.delete()
    assert [name for _, name in revoked()] == ["second", "third"]


def test_the_last_login_is_kept_once_a_minute(alice: User, client: Client) -> None:
    token = client.get("/api/auth", headers=basic("alice", PASSWORD)).json()["auth_token"]
    alice.refresh_from_db()
    first = alice.last_login
    assert first is not None
    caches["passwords"].clear()
    client.get("/api", headers=basic("alice", PASSWORD))
    client.get("/api", headers={"X-Auth-Token": token})
    alice.refresh_from_db()
    assert alice.last_login == first
    earlier = first - timedelta(minutes=2)
    User.objects.update(last_login=earlier)
    alice.auth_token_set.update(last_used_on=earlier)
    client.get("/api", headers={"X-Auth-Token": token})
    alice.refresh_from_db()
    assert alice.last_login is not None
    assert alice.last_login >= first


def test_what_has_no_provider_is_for_those_who_see_everything(alice: User, client: Client) -> None:
    grant(alice, "inventory.view_eventstream")
    client.get("/api")
    client.force_login(alice)
    found = client.get("/api/event_streams?expand=resources&event_type=request_refused").json()["resources"]
    assert [event["address"] for event in found] == ["127.0.0.1"]
