"""Tokens: what they are limited to, how long they live, and what ends them."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from inventory.models import AuthToken
from inventory.services import LoginEnded, TokenLogin, create_token, issue_token
from inventory.tasks import forget_what_is_over
from tests.cast import provider

PASSWORD = "a good one"


@pytest.fixture
def ada(django_user_model: type[User]) -> User:
    """An operator who may view and delete tasks, in two groups, of which one may view and the other refresh."""
    ada = django_user_model.objects.create_user("ada", password=PASSWORD)
    for name, codenames in (("readers", ["view_provider"]), ("operators", ["view_provider", "delete_provider"])):
        group = Group.objects.create(name=name)
        group.permissions.set(Permission.objects.filter(codename__in=codenames))
        group.user_set.add(ada)
    ada.user_permissions.add(*Permission.objects.filter(codename__in=["view_vm", "change_provider"]))
    return ada


def basic(username: str = "ada", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def login(query: str = "", **headers: str) -> str:
    answer = Client().get(f"/api/auth{query}", headers=basic() | headers)
    assert answer.status_code == HTTPStatus.OK, answer.content
    return str(answer.json()["auth_token"])


def create(**attributes: Any) -> str:
    answer = Client().post("/api/tokens", attributes, "application/json", headers=basic())
    assert answer.status_code == HTTPStatus.OK, answer.content
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.json()["results"][0]["auth_token"])


def refusal(attributes: dict[str, Any], status: int = HTTPStatus.BAD_REQUEST, **headers: str) -> str:
    answer = Client().post("/api/tokens", attributes, "application/json", headers=basic() | headers)
    assert answer.status_code == status, answer.content
    return str(answer.json()["error"]["message"])


def get(token: str, path: str = "/api/providers", address: str = "192.0.2.7", **headers: str) -> Any:
    return Client().get(path, headers={"X-Auth-Token": token} | headers, REMOTE_ADDR=address)


def post(token: str, path: str, action: str) -> Any:
    return Client().post(path, {"action": action}, "application/json", headers={"X-Auth-Token": token})


def is_valid(token: str) -> bool:
    status = get(token, "/api").status_code
    assert status in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}
    return bool(status == HTTPStatus.OK)


# --- Names and lists ---


def test_an_owner_lists_and_revokes_their_own_tokens(ada: User, admin_user: User) -> None:
    create_token(user=admin_user, name="of another")
    token = create(name="backup")
    [resource] = get(token, "/api/tokens?expand=resources").json()["resources"]
    assert resource["name"] == "backup"
    assert resource["last_used_on"] is not None
    assert token not in str(resource)
    assert post(login(), f"/api/tokens/{resource['id']}", "delete").json()["message"] == "Revoked token backup."
    assert not is_valid(token)


def test_a_token_of_another_is_not_there(ada: User, admin_user: User) -> None:
    token, text = create_token(user=admin_user, name="of another")
    assert get(login(), f"/api/tokens/{token.pk}").status_code == HTTPStatus.NOT_FOUND
    assert post(login(), f"/api/tokens/{token.pk}", "delete").status_code == HTTPStatus.NOT_FOUND
    assert is_valid(text)


def test_with_permissions_those_of_others_are_listed_and_revoked(ada: User, admin_user: User) -> None:
    token, text = create_token(user=admin_user, name="of another")
    for codename, status in (("view_authtoken", HTTPStatus.FORBIDDEN), ("delete_authtoken", HTTPStatus.OK)):
        ada.user_permissions.add(Permission.objects.get(codename=codename))
        assert get(login(), f"/api/tokens/{token.pk}").json()["userid"] == "admin"
        assert post(login(), f"/api/tokens/{token.pk}", "delete").status_code == status
    assert not is_valid(text)


def test_what_a_token_is_limited_to_is_shown(ada: User) -> None:
    group = Group.objects.get(name="readers")
    create(name="narrow", read_only=True, group_id=str(group.pk), addresses=["192.0.2.0/24", "2001:db8::1"])
    shown = get(login(), "/api/tokens?expand=resources&attributes=read_only,group_id,addresses&name=narrow").json()
    [resource] = shown["resources"]
    assert resource["read_only"] is True
    assert resource["group_id"] == str(group.pk)
    assert resource["addresses"] == ["192.0.2.0/24", "2001:db8::1/128"]


def test_an_invalid_limit_is_refused(ada: User, django_user_model: type[User]) -> None:
    other = Group.objects.create(name="others")
    late = (timezone.now() + timedelta(days=91)).isoformat()
    assert "ends_on: It must be a time between now and" in refusal({"name": "x", "ends_on": late})
    past = (timezone.now() - timedelta(days=1)).isoformat()
    assert "ends_on: " in refusal({"name": "x", "ends_on": past})
    assert "addresses: " in refusal({"name": "x", "addresses": ["192.0.2.1/24"]})
    assert f"You are not in group {other.pk}" in refusal({"name": "x", "group_id": str(other.pk)})
    assert "name: " in refusal({})
    assert "scope" in refusal({"name": "x", "scope": "all"})
    assert not AuthToken.objects.exists()


def test_a_token_is_not_kept_with_an_idempotency_key(ada: User) -> None:
    assert "Idempotency-Key" in refusal({"name": "x"}, **{"Idempotency-Key": "1"})
    assert not AuthToken.objects.exists()


def test_the_owner_creates_lists_and_revokes_in_the_admin(ada: User, admin_user: User, client: Client) -> None:
    other, _ = create_token(user=admin_user, name="of another")
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    client.force_login(ada)
    url = reverse("admin:inventory_authtoken_add")
    group = Group.objects.get(name="readers")
    form = {"name": "backup", "read_only": "on", "group": group.pk, "addresses": "127.0.0.0/8\r\n2001:db8::1"}
    form |= {"ends_on_0": f"{timezone.now() + timedelta(days=1):%Y-%m-%d}", "ends_on_1": "00:00:00"}
    page = client.post(url, form, follow=True)
    [notice] = page.context["messages"]
    assert "Created token backup. It is shown only once." in str(notice)
    text = str(notice).split()[-1]
    assert get(text, address="127.0.0.1").status_code == HTTPStatus.OK
    assert text.encode() not in client.get(reverse("admin:inventory_authtoken_changelist")).content
    token = AuthToken.objects.get(name="backup")
    assert (token.user_id, token.read_only, token.group) == (ada.pk, True, group)
    assert token.addresses == ["127.0.0.0/8", "2001:db8::1/128"]
    assert page.context["cl"].result_count == 1
    assert client.get(reverse("admin:inventory_authtoken_change", args=[token.pk])).status_code == HTTPStatus.OK
    assert client.get(reverse("admin:inventory_authtoken_change", args=[other.pk])).status_code == HTTPStatus.FOUND
    delete = {"action": "delete_selected", "_selected_action": [token.pk, other.pk], "post": "yes"}
    client.post(reverse("admin:inventory_authtoken_changelist"), delete)
    assert AuthToken.objects.get() == other


def test_the_admin_refuses_invalid_limits(ada: User, client: Client) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    client.force_login(ada)
    others = Group.objects.create(name="others")
    form = {
        "name": "",
        "group": others.pk,
        "addresses": "192.0.2.1/24",
        "ends_on_0": "2999-01-01",
        "ends_on_1": "0:00",
    }
    errors = client.post(reverse("admin:inventory_authtoken_add"), form).context["adminform"].form.errors
    assert set(errors) == {"name", "group", "addresses", "ends_on"}
    assert not AuthToken.objects.exists()


def test_the_admin_refuses_a_token_too_many(ada: User, client: Client, settings: Any) -> None:
    settings.TOKEN_LIMIT = 1
    login()
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    client.force_login(ada)
    form = {"name": "x", "ends_on_0": f"{timezone.now() + timedelta(days=1):%Y-%m-%d}", "ends_on_1": "0:00"}
    page = client.post(reverse("admin:inventory_authtoken_add"), form, follow=True)
    assert ["1 valid tokens" in str(notice) for notice in page.context["messages"]] == [True]


# --- Limits ---


def test_a_read_only_token_reads(ada: User) -> None:
    acme = provider("acme")
    Group.objects.get(name="operators").permissions.add(Permission.objects.get(codename="view_task"))
    token = create(name="reader", read_only=True)
    answer = get(token, f"/api/providers/{acme.pk}")
    assert answer.status_code == HTTPStatus.OK
    assert "actions" not in answer.json()
    body = {"action": "query", "resources": [{"id": acme.pk}]}
    headers = {"X-Auth-Token": token}
    query = Client().post("/api/providers", body, "application/json", headers=headers)
    assert query.json()["results"][0]["name"] == "acme"
    for action in ("delete", "refresh", "edit"):
        refused = post(token, f"/api/providers/{acme.pk}", action)
        assert refused.status_code == HTTPStatus.FORBIDDEN, action
    acme.refresh_from_db()
    assert acme.deleted_on is None


def test_a_read_only_token_of_a_superuser_only_reads(admin_user: User) -> None:
    acme = provider("acme")
    _, token = create_token(user=admin_user, name="reader", read_only=True)
    assert get(token, f"/api/providers/{acme.pk}").status_code == HTTPStatus.OK
    assert post(token, f"/api/providers/{acme.pk}", "delete").status_code == HTTPStatus.FORBIDDEN


def test_a_read_only_token_revokes_no_other(ada: User) -> None:
    token, other = create(name="reader", read_only=True), create(name="other")
    pk = AuthToken.objects.get(name="other").pk
    assert post(token, f"/api/tokens/{pk}", "delete").json()["error"]["message"] == "This token can only read."
    assert "actions" not in get(token, f"/api/tokens/{pk}").json()
    assert is_valid(other)
    assert Client().delete("/api/auth", headers={"X-Auth-Token": token}).status_code == HTTPStatus.NO_CONTENT
    assert not is_valid(token)


def test_a_token_of_a_group_may_what_the_group_may(ada: User) -> None:
    acme = provider("acme")
    token = create(name="readers", group_id=str(Group.objects.get(name="readers").pk))
    assert get(token).status_code == HTTPStatus.OK
    assert get(token, "/api/vms").status_code == HTTPStatus.FORBIDDEN
    assert post(token, f"/api/providers/{acme.pk}", "delete").status_code == HTTPStatus.FORBIDDEN
    assert get(token, **{"X-MIQ-Group": "operators"}).status_code == HTTPStatus.UNAUTHORIZED
    assert get(token, **{"X-MIQ-Group": "readers"}).status_code == HTTPStatus.OK


def test_a_token_that_was_got_under_a_group_stays_in_it(ada: User) -> None:
    token = login(**{"X-MIQ-Group": "readers"})
    assert get(token, "/api/vms").status_code == HTTPStatus.FORBIDDEN
    assert get(token, "/api").json()["identity"]["group"] == "readers"
    child = get(token, "/api/auth").json()["auth_token"]
    assert get(child, "/api/vms").status_code == HTTPStatus.FORBIDDEN
    assert get(child, "/api/auth", **{"X-MIQ-Group": "operators"}).status_code == HTTPStatus.UNAUTHORIZED


def test_a_user_in_a_group_creates_and_sees_tokens_of_that_group(ada: User) -> None:
    create(name="everything")
    operators = Group.objects.get(name="operators")
    message = refusal({"name": "x", "group_id": str(operators.pk)}, **{"X-MIQ-Group": "readers"})
    assert "limited to another one" in message
    headers = basic() | {"X-MIQ-Group": "readers"}
    Client().post("/api/tokens", {"name": "of readers"}, "application/json", headers=headers)
    assert AuthToken.objects.get(name="of readers").group == Group.objects.get(name="readers")
    listed = Client().get("/api/tokens?expand=resources", headers=headers).json()["resources"]
    assert [resource["name"] for resource in listed] == ["of readers"]


def test_a_token_of_a_group_ends_with_the_membership_and_the_group(ada: User) -> None:
    readers = Group.objects.get(name="readers")
    token = create(name="readers", group_id=str(readers.pk))
    readers.user_set.remove(ada)
    assert not is_valid(token)
    readers.delete()
    assert not AuthToken.objects.exists()


def test_a_token_is_valid_at_its_addresses(ada: User) -> None:
    token = create(name="office", addresses=["192.0.2.0/24", "2001:db8::/32"])
    for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::5"):
        assert get(token, "/api", address).status_code == HTTPStatus.OK
    for address in ("192.0.3.7", "2001:db9::5", "", "unix:"):
        answer = get(token, "/api", address)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
        assert answer.json()["error"]["message"] == "Invalid Authentication Token (X-Auth-Token)"


# --- By tokens ---


def test_a_token_issues_none_that_is_wider_or_lives_longer(ada: User) -> None:
    ends_on = timezone.now() + timedelta(seconds=300)
    token = create(name="narrow", read_only=True, addresses=["192.0.2.0/24"], ends_on=ends_on.isoformat())
    for _ in range(2):
        token = get(token, "/api/auth?requester_type=ui").json()["auth_token"]
        child = AuthToken.objects.latest("id")
        assert (child.read_only, child.addresses) == (True, ["192.0.2.0/24"])
        assert child.expiry == child.ends_on == ends_on


def test_a_token_for_scripts_gives_none_for_browsers(ada: User) -> None:
    assert get(login(), "/api/auth?requester_type=ui").json()["token_ttl"] == 600


def test_no_token_creates_a_token(ada: User) -> None:
    headers = {"X-Auth-Token": login()}
    answer = Client().post("/api/tokens", {"name": "x"}, "application/json", headers=headers)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert answer.json()["error"]["message"] == "A token can't create tokens. Log in with a password."


def test_a_user_has_a_limited_number_of_tokens(ada: User, settings: Any) -> None:
    settings.TOKEN_LIMIT = 2
    login()
    create(name="second")
    answer = Client().get("/api/auth", headers=basic())
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    assert "2 valid tokens" in answer.json()["error"]["message"]
    assert "2 valid tokens" in refusal({"name": "x"}, HTTPStatus.TOO_MANY_REQUESTS)
    AuthToken.objects.filter(name=None).update(expiry=timezone.now())
    login()


# --- Life ---


def test_use_extends_a_token_until_it_ends(ada: User) -> None:
    token = login()
    ends_on = timezone.now() + timedelta(seconds=100)
    AuthToken.objects.update(expiry=timezone.now() + timedelta(seconds=50), ends_on=ends_on)
    assert is_valid(token)
    assert AuthToken.objects.get().expiry == ends_on


def test_the_longest_life_is_a_setting(ada: User, settings: Any) -> None:
    settings.TOKEN_MAX_TTL = timedelta(seconds=60)
    answer = Client().get("/api/auth", headers=basic()).json()
    token = AuthToken.objects.get()
    assert token.expiry == token.ends_on <= timezone.now() + timedelta(seconds=60)
    assert answer["token_ttl"] == 600
    assert answer["expires_on"] == token.expiry.isoformat().replace("+00:00", "Z")


def test_use_does_not_extend_a_named_token(ada: User) -> None:
    ends_on = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    token = create(name="backup", ends_on=ends_on.isoformat())
    assert is_valid(token)
    assert AuthToken.objects.get().expiry == ends_on


def test_the_last_use_is_kept_now_and_then(ada: User, django_assert_num_queries: Any) -> None:
    token = create(name="backup")
    assert AuthToken.objects.get().last_used_on is None
    assert is_valid(token)
    used = AuthToken.objects.get().last_used_on
    assert used
    assert is_valid(token)
    assert AuthToken.objects.get().last_used_on == used
    AuthToken.objects.update(last_used_on=used - timedelta(seconds=61))
    assert is_valid(token)
    assert AuthToken.objects.get().last_used_on > used


# --- Ends ---


def test_after_logout_neither_the_token_nor_those_that_it_issued_are_valid(ada: User) -> None:
    token = login()
    stolen = get(get(token, "/api/auth").json()["auth_token"], "/api/auth").json()["auth_token"]
    other = login()
    assert Client().delete("/api/auth", headers={"X-Auth-Token": token}).status_code == HTTPStatus.NO_CONTENT
    assert [is_valid(text) for text in (token, stolen, other)] == [False, False, True]


def test_a_long_line_of_issued_tokens_ends_with_the_first(ada: User) -> None:
    token, text = create_token(user=ada, name="first")
    by = token
    for _ in range(1_100):
        by = AuthToken.objects.create(
            user=ada,
            digest=secrets.token_hex(),
            token_key="x",
            expiry=token.expiry,
            ends_on=token.ends_on,
            issued_by=by,
        )
    assert Client().delete("/api/auth", headers={"X-Auth-Token": text}).status_code == HTTPStatus.NO_CONTENT
    assert not AuthToken.objects.exists()


def test_an_expired_token_in_between_still_takes_those_that_it_issued(ada: User) -> None:
    token = login()
    child = get(token, "/api/auth").json()["auth_token"]
    grandchild = get(child, "/api/auth").json()["auth_token"]
    AuthToken.objects.filter(issued_by__issued_by=None, issued_by__isnull=False).update(
        expiry=timezone.now() - timedelta(days=1)
    )
    forget_what_is_over()
    assert [is_valid(text) for text in (token, child, grandchild)] == [True, False, True]
    Client().delete("/api/auth", headers={"X-Auth-Token": token})
    assert not is_valid(grandchild)


def test_a_token_is_not_issued_after_the_login_has_ended(ada: User) -> None:
    """The password changes, the user is deactivated, or the token is revoked, while a request is answered."""
    first = AuthToken.objects.get(pk=create_token(user=ada, name="first")[0].pk)
    by = TokenLogin(*(getattr(first, name) for name in TokenLogin._fields))
    first.delete()
    with pytest.raises(LoginEnded):
        issue_token(user=ada, ttl=timedelta(hours=1), group=None, by=by)
    for change in ({"password": "another"}, {"is_active": False}):
        login = User.objects.get(pk=ada.pk)
        User.objects.filter(pk=ada.pk).update(**change)
        with pytest.raises(LoginEnded):
            issue_token(user=login, ttl=timedelta(hours=1), group=None, by=None)
        with pytest.raises(LoginEnded):
            create_token(user=login, name="late")
    assert not AuthToken.objects.exists()


def test_tokens_leave_room_for_their_owner(ada: User, settings: Any) -> None:
    settings.TOKEN_LIMIT = 6
    token = create(name="reader", read_only=True)
    answers = [get(token, "/api/auth") for _ in range(5)]
    statuses = [answer.status_code for answer in answers]
    assert "You have 3 valid tokens" in answers[-1].json()["error"]["message"]
    assert statuses == [HTTPStatus.OK] * 2 + [HTTPStatus.TOO_MANY_REQUESTS] * 3
    assert login()


def test_of_several_tokens_all_are_created_or_none(ada: User, settings: Any) -> None:
    settings.TOKEN_LIMIT = 3
    body = {"action": "create", "resources": [{"name": f"token {number}"} for number in range(5)]}
    answer = Client().post("/api/tokens", body, "application/json", headers=basic())
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert not AuthToken.objects.exists()


def change_on_page(user: User, **attributes: Any) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    if password := attributes.get("password"):
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        form = {"password1": password, "password2": password, "usable_password": "true"}
    else:  # a box that is not ticked
        url = reverse("admin:auth_user_change", args=[user.pk])
        form = {"username": user.username, "date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    assert client.post(url, form).status_code == HTTPStatus.FOUND


def change_by_save(user: User, **attributes: Any) -> None:
    for name, value in attributes.items():
        if name == "password":
            user.set_password(value)
        else:
            setattr(user, name, value)
    user.save()


def change_by_update(user: User, **attributes: Any) -> None:
    User.objects.filter(pk=user.pk).update(**attributes)


WAYS = [change_on_page, change_by_save, change_by_update]


@pytest.mark.parametrize("change", WAYS)
def test_tokens_end_with_the_password(ada: User, admin_user: User, change: Any) -> None:
    tokens = [login(), create(name="backup")]
    _, of_another = create_token(user=admin_user, name="of another")
    change(ada, password="quite another 1")
    assert [is_valid(token) for token in (*tokens, of_another)] == [False, False, True]
    assert AuthToken.objects.count() == 1


@pytest.mark.parametrize("change", WAYS)
def test_tokens_end_for_good_with_their_user_s_activity(ada: User, change: Any) -> None:
    token = login()
    change(ada, is_active=False)
    assert not is_valid(token)
    User.objects.filter(pk=ada.pk).update(is_active=True)
    assert not is_valid(token)


def test_tokens_go_on_when_their_user_changes_otherwise(ada: User) -> None:
    token = login()
    change_by_save(ada, first_name="Ada", last_login=timezone.now())
    ada.save()
    assert is_valid(token)
