"""Logins through a real OpenID Connect provider: the account, its groups and its doors."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import IntegrityError
from django.test import Client

from inventory.models import OidcIdentity, OidcSession
from inventory.oidc import accounts
from tests.live.oidc.clients import CLIENT_SECRET, PASSWORD
from tests.live.oidc.provider import Provider, configured, log_in

pytestmark = [pytest.mark.walk, pytest.mark.live]


def userid(client: Client) -> Any:
    """Who the API says is asking; None if nobody."""
    return client.get("/api").json().get("identity", {}).get("userid")


def groups_of(name: str) -> set[str]:
    return set(User.objects.get(username=name).groups.values_list("name", flat=True))


@pytest.fixture(autouse=True)
def groups(db: None) -> None:
    for name in ("operators", "readers"):
        Group.objects.create(name=name)


def test_a_first_login_makes_an_account_without_a_password(oidc: Provider, client: Client) -> None:
    subject = oidc.user("ann", "operators", "elsewhere", first_name="Ann", email="ann@example.org")
    answer = log_in(oidc, client, "ann", "/oidc/login/?next=/api/vms%3Foffset=1")
    assert (answer.status_code, answer["Location"]) == (302, "/api/vms?offset=1")
    user = User.objects.get(username="ann")
    assert (user.first_name, user.email, user.has_usable_password()) == ("Ann", "ann@example.org", False)
    assert (user.is_staff, user.is_superuser) == (False, False)
    assert groups_of("ann") == {"operators"}
    assert OidcIdentity.objects.get(user=user).subject == subject
    assert userid(client) == "ann"


def test_the_browser_is_sent_with_pkce_and_fresh_values(oidc: Provider, client: Client) -> None:
    sent = [parse_qs(urlsplit(client.get("/oidc/login/")["Location"]).query) for _ in range(2)]
    assert sent[0]["code_challenge_method"] == ["S256"]
    assert sent[0]["redirect_uri"] == ["http://testserver/oidc/callback/"]
    for name in ("state", "nonce", "code_challenge"):
        assert sent[0][name] != sent[1][name]


def test_an_account_is_known_by_its_subject_whatever_its_name(oidc: Provider, client: Client) -> None:
    oidc.user("bob")
    log_in(oidc, client, "bob")
    User.objects.create_user("robert", password="local")
    oidc.user("bob", username="robert")
    assert log_in(oidc, Client(), "robert").status_code == 302
    assert OidcIdentity.objects.get().user.username == "bob"
    oidc.user("robert", username="bob")


@pytest.mark.parametrize("name", ["carol", "Carol"])
def test_a_local_account_of_the_same_name_stays_closed(oidc: Provider, client: Client, name: str) -> None:
    User.objects.create_superuser(name, password="local")
    oidc.user("carol")
    answer = log_in(oidc, client, "carol")
    assert answer.status_code == 403
    assert "The name carol belongs to another account here" in answer.content.decode()
    assert userid(client) is None
    assert not OidcIdentity.objects.exists()


def test_an_administrator_links_a_local_account(oidc: Provider, client: Client, admin_client: Client) -> None:
    local = User.objects.create_user("dora", password="local")
    page = admin_client.get("/admin/inventory/oidcidentity/add/").content.decode()
    assert f'value="{oidc.url}"' in page
    form = {"user": local.pk, "subject": oidc.user("dora", "readers"), "issuer": oidc.url}
    assert admin_client.post("/admin/inventory/oidcidentity/add/", form).status_code == 302
    assert log_in(oidc, client, "dora").status_code == 302
    assert userid(client) == "dora"
    assert groups_of("dora") == {"readers"}


def test_a_deactivated_account_stays_closed(oidc: Provider, client: Client) -> None:
    oidc.user("eve", "operators")
    log_in(oidc, client, "eve")
    User.objects.update(is_active=False)
    assert userid(client) is None
    again = Client()
    answer = log_in(oidc, again, "eve")
    assert (answer.status_code, userid(again)) == (403, None)
    assert "deactivated" in answer.content.decode()


def test_without_new_accounts_only_linked_ones_get_in(
    oidc: Provider, client: Client, settings: LazySettings
) -> None:
    settings.OIDC = configured(oidc.url, OIDC_CREATE_USERS="false")
    subject = oidc.user("fred")
    assert "You have no account here" in log_in(oidc, client, "fred").content.decode()
    OidcIdentity.objects.create(user=User.objects.create_user("local"), issuer=oidc.url, subject=subject)
    log_in(oidc, client, "fred")
    assert userid(client) == "local"


@pytest.mark.parametrize("name", [None, "", "a b", "x" * 151, "nul\0", ["gina"], {"gina": 1}])
def test_a_name_that_does_not_fit_is_refused(oidc: Provider, client: Client, settings: Any, name: Any) -> None:
    settings.OIDC = configured(oidc.url, OIDC_USERNAME_CLAIM="name here")
    oidc.user("gina")
    oidc.forge(**{"name here": name})
    answer = log_in(oidc, client, "gina")
    assert (answer.status_code, User.objects.count()) == (403, 0)
    assert "no user name that fits (claim name here)" in answer.content.decode()


def test_groups_follow_at_the_next_login(oidc: Provider, client: Client) -> None:
    oidc.user("hans", "operators")
    log_in(oidc, client, "hans")
    oidc.user("hans", "readers")
    log_in(oidc, client, "hans")
    assert groups_of("hans") == {"readers"}
    assert set(Group.objects.filter(grants=None).values_list("name", flat=True)) == {"operators", "readers"}


def test_a_map_of_groups_decides_over_its_own_ones_alone(
    oidc: Provider, client: Client, settings: LazySettings
) -> None:
    settings.OIDC = configured(oidc.url, OIDC_GROUPS='{"CN=ops,O=Example": "operators", "gone": "no such group"}')
    oidc.user("ida", "CN=ops,O=Example", "readers", "gone")
    log_in(oidc, client, "ida")
    assert groups_of("ida") == {"operators"}
    User.objects.get(username="ida").groups.add(Group.objects.get(name="readers"))
    oidc.user("ida")
    log_in(oidc, client, "ida")
    assert groups_of("ida") == {"readers"}


@pytest.mark.parametrize("claimed", [None, 5, {"operators": True}, [["operators"], None, 5]])
def test_a_claim_of_another_shape_has_no_groups(
    oidc: Provider, client: Client, settings: Any, claimed: Any
) -> None:
    settings.OIDC = configured(oidc.url, OIDC_GROUPS_CLAIM="roles")
    oidc.user("jan", "operators")
    oidc.forge(roles=claimed)
    assert log_in(oidc, client, "jan").status_code == 302
    assert groups_of("jan") == set()


def test_one_group_may_come_as_a_text(oidc: Provider, client: Client, settings: LazySettings) -> None:
    settings.OIDC = configured(oidc.url, OIDC_GROUPS_CLAIM="roles")
    oidc.user("kim")
    oidc.forge(roles="operators")
    log_in(oidc, client, "kim")
    assert groups_of("kim") == {"operators"}


def test_roles_come_and_go_with_their_groups(oidc: Provider, client: Client, settings: LazySettings) -> None:
    settings.OIDC = configured(oidc.url, OIDC_STAFF_GROUP="staff", OIDC_SUPERUSER_GROUP="admins")
    for groups, roles in ((["admins"], (True, True)), (["staff"], (True, False)), ([], (False, False))):
        oidc.user("leo", *groups)
        log_in(oidc, client, "leo")
        user = User.objects.get(username="leo")
        assert (user.is_staff, user.is_superuser) == roles


def test_roles_stay_as_an_administrator_set_them_where_no_group_decides(oidc: Provider, client: Client) -> None:
    oidc.user("mia", "admins")
    log_in(oidc, client, "mia")
    User.objects.update(is_staff=True)
    log_in(oidc, client, "mia")
    assert User.objects.get().is_staff
    assert client.get("/admin/").status_code == 200


def test_names_are_stored_as_a_database_can(oidc: Provider, client: Client) -> None:
    subject = oidc.user("nina")
    user = {"sub": subject, "preferred_username": "nina", "given_name": "\ud800\0" + "x" * 200, "family_name": 7}
    oidc.answer("/userinfo/", json.dumps(user))
    assert log_in(oidc, client, "nina").status_code == 302
    stored = User.objects.get()
    assert (stored.first_name, stored.last_name) == (f"?{'x' * 149}", "")


def test_two_first_logins_at_once_make_one_account(
    oidc: Provider, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = oidc.user("olga")
    new_user = accounts._new_user

    attempts = []
    logged_in = accounts._logged_in

    def attempt(claims: Any) -> OidcIdentity:
        attempts.append(claims)
        if len(attempts) == 1:
            OidcIdentity.objects.create(user=new_user(claims), issuer=oidc.url, subject=subject)
            raise IntegrityError
        return logged_in(claims)

    monkeypatch.setattr(accounts, "_logged_in", attempt)
    assert log_in(oidc, client, "olga").status_code == 302
    assert (len(attempts), User.objects.count()) == (2, 1)


def test_such_a_user_has_no_password_here(oidc: Provider, client: Client) -> None:
    oidc.user("nora")
    log_in(oidc, client, "nora")
    for password in (PASSWORD, ""):
        assert not Client().login(username="nora", password=password)


def test_a_session_gets_a_token(oidc: Provider, client: Client) -> None:
    oidc.user("otto")
    log_in(oidc, client, "otto")
    token = client.get("/api/auth").json()["auth_token"]
    assert Client().get("/api", headers={"X-Auth-Token": token}).json()["identity"]["userid"] == "otto"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "\0",
    ],
)
def test_a_login_leads_nowhere_else(oidc: Provider, client: Client, address: str) -> None:
    oidc.user("pia")
    begun = client.get("/oidc/login/", {"next": address})
    answer = client.get(oidc.approve(begun["Location"], "pia").removeprefix("http://testserver"))
    assert answer["Location"] == "/api"


@pytest.mark.parametrize("page", ["/login/?next=/api/vms", "/admin/login/?next=/admin/inventory/"])
def test_the_login_pages_show_the_way(oidc: Provider, client: Client, page: str) -> None:
    text = client.get(page).content.decode()
    target = page.partition("next=")[2].replace("/", "%2F")
    assert f'href="/oidc/login/?next={target}">Log in with Example</a>' in text


def test_secrets_stay_out_of_logs_pages_and_dumps(
    oidc: Provider, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    oidc.user("rosa")
    with caplog.at_level("INFO"):
        pages = [log_in(oidc, client, "rosa"), client.get("/api", HTTP_ACCEPT="text/html")]
        oidc.forge("other")
        pages.append(log_in(oidc, Client(), "rosa"))
    dump = io.StringIO()
    call_command("dumpdata", stdout=dump)
    tokens = OidcSession.objects.get().tokens
    stored = "".join(str(session.get_decoded()) for session in Session.objects.all())
    seen = "".join(page.content.decode() for page in pages) + caplog.text + dump.getvalue() + stored
    assert tokens["access_token"]
    assert not [secret for secret in (CLIENT_SECRET, *tokens.values()) if secret in seen]
    assert CLIENT_SECRET not in repr(configured(oidc.url))
