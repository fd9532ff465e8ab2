"""Sessions are confirmed by the provider again and again, and end with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.contrib.auth.models import Group, Permission, User
from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from inventory.models import AuthToken, OidcSession
from inventory.oidc import sessions
from inventory.services import issue_token
from tests.cast import Cast
from tests.live.oidc.provider import Provider, configured, log_in

pytestmark = [pytest.mark.walk, pytest.mark.live]
RENEWAL = timedelta(minutes=15)


@pytest.fixture
def session(oidc: Provider, client: Client) -> Client:
    """The session of ann, who is an operator, with what an operator may view."""
    group = Group.objects.create(name="operators")
    group.permissions.add(Permission.objects.get(codename="view_vm"))
    Group.objects.create(name="readers")
    oidc.user("ann", "operators")
    assert log_in(oidc, client, "ann").status_code == 302
    return client


def age(**ago: float) -> None:
    """Let all sessions have been confirmed so long ago."""
    confirmed_on = timezone.now() - timedelta(**ago)
    OidcSession.objects.update(confirmed_on=confirmed_on, due_on=confirmed_on + RENEWAL / 2)


def status(client: Client, path: str = "/api") -> int:
    code: int = client.get(path).status_code
    return code


def groups() -> set[str]:
    return set(User.objects.get(username="ann").groups.values_list("name", flat=True))


def test_a_session_is_not_confirmed_at_each_request(oidc: Provider, session: Client) -> None:
    oidc.revoke("ann")
    age(minutes=7)
    assert status(session) == 200


def test_a_revoked_login_ends_its_session_and_tokens(oidc: Provider, session: Client) -> None:
    token = session.get("/api/auth").json()["auth_token"]
    oidc.revoke("ann")
    age(minutes=8)
    assert status(session) == 401
    assert not OidcSession.objects.exists()
    assert status(session) == 401
    assert Client().get("/api", headers={"X-Auth-Token": token}).status_code == 401


def test_a_revoked_login_ends_at_the_admin_too(oidc: Provider, session: Client) -> None:
    User.objects.update(is_staff=True)
    assert status(session, "/admin/") == 200
    oidc.revoke("ann")
    age(minutes=8)
    assert session.get("/admin/")["Location"] == "/admin/login/?next=/admin/"


def test_a_confirmed_session_continues_again_and_again(oidc: Provider, session: Client) -> None:
    """The provider gives a new refresh token each time, and takes none twice."""
    for _ in range(3):
        before = OidcSession.objects.get().tokens
        age(days=1)
        assert status(session) == 200
        after = OidcSession.objects.get()
        assert after.tokens["refresh_token"] != before["refresh_token"]
        assert timezone.now() - after.confirmed_on < RENEWAL / 2


def test_groups_follow_in_the_same_request(oidc: Provider, session: Client, cast: Cast) -> None:
    assert status(session, "/api/vms") == 200
    oidc.user("ann", "readers")
    age(minutes=8)
    assert status(session, "/api/vms") == 403
    assert groups() == {"readers"}
    oidc.user("ann", "operators")
    age(minutes=8)
    assert status(session, "/api/vms") == 200


def test_a_token_follows_them_too(oidc: Provider, session: Client, cast: Cast) -> None:
    headers = {"X-Auth-Token": session.get("/api/auth").json()["auth_token"]}
    oidc.user("ann", "readers")
    age(minutes=8)
    status(session)
    assert Client().get("/api/vms", headers=headers).status_code == 403


def test_a_provider_that_is_away_for_a_moment_ends_nothing(oidc: Provider, session: Client) -> None:
    oidc.answer("/token/", status=500)
    age(minutes=8)
    assert status(session) == 200
    oidc.revoke("ann")
    oidc.relent()
    assert status(session) == 200  # it is not asked at once again
    OidcSession.objects.update(due_on=timezone.now())
    assert status(session) == 401


def test_new_tokens_are_kept_even_if_nothing_is_confirmed(oidc: Provider, session: Client) -> None:
    """The old refresh token is used up."""
    oidc.answer("/userinfo/", status=500)
    age(minutes=8)
    assert status(session) == 200
    oidc.relent()
    age(minutes=8)
    assert status(session) == 200
    assert timezone.now() - OidcSession.objects.get().confirmed_on < RENEWAL / 2


@pytest.mark.parametrize("answer", [{"status": 500}, {"body": "<html>"}, {"body": '{"error": "server_error"}'}])
def test_a_session_is_over_without_a_confirmation_in_time(
    oidc: Provider, session: Client, answer: dict[str, Any]
) -> None:
    issue_token(user=User.objects.get(username="ann"), ttl=RENEWAL, group=None, by=None)
    oidc.answer("/token/", **answer)
    age(minutes=15)
    assert status(session) == 401
    oidc.relent()
    assert status(session) == 401
    assert AuthToken.objects.exists()  # the provider didn't end the login


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another"}, {"iss": "https://evil.example"}, {"sub": "999"}, {"exp": 1_000_000_000}],
    ids=str,
)
def test_a_confirmation_that_proves_nothing_ends_the_session(
    oidc: Provider, session: Client, claims: dict[str, Any]
) -> None:
    oidc.forge(**claims)
    age(minutes=8)
    assert status(session) == 401


def test_a_confirmation_of_somebody_else_ends_the_session(oidc: Provider, session: Client) -> None:
    oidc.answer(
        "/userinfo/", '{"sub": "999", "groups": ["operators"]}', headers={"Content-Type": "application/json"}
    )
    age(minutes=8)
    assert status(session) == 401


def test_groups_that_are_no_longer_told_end_the_session(oidc: Provider, session: Client) -> None:
    """They may be the same, or none: nobody knows."""
    sub = OidcSession.objects.get().identity.subject
    oidc.answer("/userinfo/", f'{{"sub": "{sub}"}}', headers={"Content-Type": "application/json"})
    oidc.forge(groups=None)
    age(minutes=8)
    assert status(session) == 401


def test_one_request_renews_while_others_continue(
    oidc: Provider, session: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh token must be used once."""
    age(minutes=8)
    other = Client()
    other.cookies = session.cookies
    seen = []
    renew = sessions._renew

    def renewing(*args: Any) -> None:
        monkeypatch.setattr(sessions, "_renew", pytest.fail)
        seen.append(status(other))
        age(minutes=16)
        OidcSession.objects.update(due_on=timezone.now() + sessions.RENEWING)
        seen.append(status(other))
        renew(*args)

    monkeypatch.setattr(sessions, "_renew", renewing)
    assert (status(session), seen) == (200, [200, 401])
    assert status(other) == 200


def test_a_logout_meanwhile_stays_one(oidc: Provider, session: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    update = sessions.accounts.update

    def logged_out(*args: Any) -> None:
        OidcSession.objects.all().delete()
        update(*args)

    monkeypatch.setattr(sessions.accounts, "update", logged_out)
    age(minutes=8)
    status(session)
    assert not OidcSession.objects.exists()
    assert status(session) == 401


def test_a_database_that_is_away_ends_nothing(
    oidc: Provider, session: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(request: HttpRequest) -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(sessions, "_session_of", away)
        answer = session.get("/api")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert status(session) == 200


def test_an_unreadable_session_is_over(oidc: Provider, session: Client, settings: LazySettings) -> None:
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    age(minutes=8)
    assert status(session) == 401


def test_a_session_without_a_refresh_token_asks_for_the_user(oidc: Provider, session: Client) -> None:
    kept = OidcSession.objects.get()
    kept.tokens = {"access_token": kept.tokens["access_token"]}
    kept.save()
    oidc.user("ann", "readers")
    age(minutes=8)
    assert status(session) == 200
    assert groups() == {"readers"}
    oidc.revoke("ann")
    age(minutes=8)
    assert status(session) == 401


def test_a_deactivated_account_gets_no_confirmation(oidc: Provider, session: Client) -> None:
    age(minutes=8)
    User.objects.update(is_active=False)
    assert status(session) == 401
    assert not OidcSession.objects.exists()


@pytest.mark.parametrize("page", ["/logout/", "/admin/logout/"])
def test_a_logout_leads_to_that_of_the_provider(oidc: Provider, session: Client, page: str) -> None:
    User.objects.update(is_staff=True)  # only they can log out in the admin
    id_token = OidcSession.objects.get().tokens["id_token"]
    answer = session.post(page)
    address = answer.context["address"]
    assert address.startswith(f"{oidc.url}/logout/?")
    assert f"id_token_hint={id_token}" in address
    assert answer["Cache-Control"] == "no-store"
    assert f'content="0; url={oidc.url}/logout/' in answer.content.decode()
    over = requests.get(address, allow_redirects=False, timeout=60)
    assert (over.status_code, over.headers["Location"]) == (302, f"{oidc.url}/")
    assert (status(session), OidcSession.objects.count()) == (401, 0)


def test_a_logout_works_without_the_provider(oidc: Provider, session: Client, settings: LazySettings) -> None:
    settings.OIDC = configured("http://127.0.0.1:1")
    assert session.post("/logout/").status_code == 200
    assert (status(session), OidcSession.objects.count()) == (401, 0)


def test_a_session_of_a_password_is_left_alone(
    oidc: Provider, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(User.objects.create_user("local"))
    request = HttpRequest()
    request.session = client.session
    assert "_auth_user_id" in request.session  # which reads it
    with django_assert_num_queries(0):
        sessions.renew(request)
    answer = client.post("/logout/")
    assert answer.status_code == 200
    assert "provider" not in answer.content.decode()


def test_what_is_over_is_forgotten(oidc: Provider, session: Client, settings: LazySettings) -> None:
    OidcSession.objects.update(created_on=timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE + 1))
    log_in(oidc, Client(), "ann")
    assert OidcSession.objects.count() == 1
