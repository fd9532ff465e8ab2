"""How many logins may fail, and how many passwords are checked at a time."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from inventory import logins
from inventory.models import AuthToken, LoginFailure
from inventory.services import issue_token
from inventory.tasks import forget_what_is_over
from tests.hashers import COUNTING, CountingHasher

PASSWORD = "a good one"
HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"

#: The login of a user with a password at one door.
Door = Callable[..., Any]


@pytest.fixture
def user(settings: Any, django_user_model: type[User]) -> User:
    settings.PASSWORD_HASHERS = COUNTING
    caches["passwords"].clear()
    return django_user_model.objects.create_superuser("ada", password=PASSWORD)


def headers(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def basic(username: str, password: str, address: str = HERE) -> Any:
    return Client().get("/api/providers", headers=headers(username, password), REMOTE_ADDR=address)


def auth(username: str, password: str, address: str = HERE) -> Any:
    return Client().get("/api/auth", headers=headers(username, password), REMOTE_ADDR=address)


def admin_page(username: str, password: str, address: str = HERE) -> Any:
    form = {"username": username, "password": password}
    return Client().post(reverse("admin:login"), form, REMOTE_ADDR=address)


def login_page(username: str, password: str, address: str = HERE) -> Any:
    form = {"username": username, "password": password}
    return Client().post(reverse("rest_framework:login"), form, REMOTE_ADDR=address)


DOORS = [basic, auth, admin_page, login_page]
#: What each door answers to a right and to a wrong password.
OPEN = {basic: HTTPStatus.OK, auth: HTTPStatus.OK, admin_page: HTTPStatus.FOUND, login_page: HTTPStatus.FOUND}
SHUT = {
    basic: HTTPStatus.UNAUTHORIZED,
    auth: HTTPStatus.UNAUTHORIZED,
    admin_page: HTTPStatus.OK,
    login_page: HTTPStatus.OK,
}


def fail(number: int, username: str = "ada", address: str = HERE) -> None:
    for attempt in range(number):
        assert basic(username, f"wrong {attempt}", address).status_code == HTTPStatus.UNAUTHORIZED


def token_of(user: User) -> str:
    _, text = issue_token(user=user, ttl=timedelta(hours=1), group=None, by=None)
    return text


def with_token(token: str, address: str = HERE) -> Any:
    return Client().get("/api/providers", headers={"X-Auth-Token": token}, REMOTE_ADDR=address)


@pytest.mark.parametrize("door", DOORS)
def test_after_five_wrong_passwords_a_door_refuses_without_hashing(user: User, door: Door) -> None:
    for attempt in range(5):
        assert door("ada", f"wrong {attempt}").status_code == SHUT[door]
    hashed = CountingHasher.count
    for password in ("wrong", PASSWORD):
        answer = door("ada", password)
        assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert 0 < int(answer.headers["Retry-After"]) <= 900
        assert b"Too many failed logins. Retry in 15 min." in answer.content
    assert CountingHasher.count == hashed


@pytest.mark.parametrize("door", DOORS)
def test_the_doors_count_together_and_the_owner_is_let_in_from_elsewhere(user: User, door: Door) -> None:
    for each in (*DOORS, basic):
        each("ada", "wrong")
    assert door("ada", PASSWORD).status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert door("ada", PASSWORD, ELSEWHERE).status_code == OPEN[door]


@pytest.mark.parametrize("door", DOORS)
def test_a_right_password_resets(user: User, door: Door) -> None:
    for _ in range(3):
        fail(4)
        assert door("ada", PASSWORD).status_code == OPEN[door]


def test_a_user_is_the_account_however_the_name_is_spelled(user: User) -> None:
    for username in ("ada", "Ada", "ADA", "aDa", "adA"):
        fail(1, username)
    assert basic("ada", PASSWORD).status_code == HTTPStatus.TOO_MANY_REQUESTS
    # The login page normalizes names.
    assert login_page("\N{FULLWIDTH LATIN SMALL LETTER A}da", PASSWORD).status_code == HTTPStatus.TOO_MANY_REQUESTS


def test_names_that_nobody_has_are_refused_like_users(user: User) -> None:
    fail(5, "nobody")
    assert basic("NOBODY", "wrong").status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert basic("somebody", "wrong").status_code == HTTPStatus.UNAUTHORIZED
    assert basic("ada", PASSWORD).status_code == HTTPStatus.OK
    assert not LoginFailure.objects.filter(digest__contains="nobody").exists()


def test_users_whose_names_differ_in_case_alone_are_refused_alone(
    user: User, django_user_model: type[User]
) -> None:
    django_user_model.objects.create_user("Ada", password="another")
    fail(5, "Ada")
    assert basic("Ada", "another").status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert basic("ada", PASSWORD).status_code == HTTPStatus.OK


def test_a_remembered_password_is_refused_as_well(user: User) -> None:
    """Otherwise it would be told from wrong ones, which are refused."""
    assert basic("ada", PASSWORD).status_code == HTTPStatus.OK
    fail(5)
    assert basic("ada", PASSWORD).status_code == HTTPStatus.TOO_MANY_REQUESTS


def test_a_remembered_password_resets_as_well(user: User) -> None:
    assert basic("ada", PASSWORD).status_code == HTTPStatus.OK
    fail(4)
    assert basic("ada", PASSWORD).status_code == HTTPStatus.OK
    assert not LoginFailure.objects.exists()


def test_failures_count_for_a_quarter_of_an_hour(user: User) -> None:
    fail(5)
    first = LoginFailure.objects.last()
    assert first
    failed_on = first.failed_on - timedelta(seconds=840)
    LoginFailure.objects.filter(pk=first.pk).update(failed_on=failed_on)
    answer = basic("ada", PASSWORD)
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    LoginFailure.objects.filter(pk=first.pk).update(failed_on=failed_on - timedelta(seconds=60))
    assert basic("ada", PASSWORD).status_code == HTTPStatus.OK


def test_old_failures_are_forgotten(user: User) -> None:
    fail(2)
    old = LoginFailure.objects.first()
    assert old
    LoginFailure.objects.filter(pk=old.pk).update(failed_on=old.failed_on - timedelta(seconds=901))
    forget_what_is_over()
    assert old not in LoginFailure.objects.all()
    assert LoginFailure.objects.count() == 1


def test_an_address_has_a_limit_of_its_own(user: User, settings: Any) -> None:
    settings.LOGIN_ADDRESS_FAILURES = 8
    for number in range(8):
        fail(1, f"user {number}")
    for username, password in (("user 9", "wrong"), ("ada", PASSWORD)):
        assert basic(username, password).status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert basic("ada", PASSWORD, ELSEWHERE).status_code == HTTPStatus.OK
    assert LoginFailure.objects.count() == 8


def test_unknown_tokens_count_against_their_address_each_once(user: User, settings: Any) -> None:
    settings.LOGIN_ADDRESS_FAILURES = 8
    for number in (*range(7), *range(7), 7):
        assert with_token(f"unknown {number}").status_code == HTTPStatus.UNAUTHORIZED
    answer = with_token("unknown 9")
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert int(answer.headers["Retry-After"]) > 0
    assert basic("ada", PASSWORD).status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert LoginFailure.objects.count() == 8


def test_tokens_that_have_ended_are_no_guesses(user: User, settings: Any) -> None:
    """A hundred scripts behind one address log in again, each after its token has expired."""
    settings.LOGIN_ADDRESS_FAILURES = 2
    tokens = [token_of(user) for _ in range(3)]
    AuthToken.objects.update(expiry=timezone.now() - timedelta(minutes=14))
    forget_what_is_over()
    assert {with_token(token).status_code for token in tokens} == {HTTPStatus.UNAUTHORIZED}
    assert basic("ada", PASSWORD).status_code == HTTPStatus.OK
    AuthToken.objects.update(expiry=timezone.now() - timedelta(minutes=16))
    forget_what_is_over()
    assert not AuthToken.objects.exists()


def test_a_valid_token_is_never_refused(user: User, settings: Any) -> None:
    settings.LOGIN_ADDRESS_FAILURES = 5
    token = token_of(user)
    fail(5)
    assert with_token("unknown").status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert with_token(token).status_code == HTTPStatus.OK


def test_a_session_is_never_refused(user: User) -> None:
    fail(5)
    client = Client(REMOTE_ADDR=HERE)
    client.force_login(user)
    assert client.get("/api/providers").status_code == HTTPStatus.OK
    assert client.get(reverse("admin:index")).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_a_client_is_an_address_or_the_network_of_an_ipv6_address(address: str, network: str) -> None:
    assert logins.client_network(RequestFactory().get("/", REMOTE_ADDR=address)) == network


def test_too_many_checks_at_a_time_are_refused_at_once(user: User) -> None:
    token = token_of(user)
    fail(5, "eve")
    assert logins.is_flooded()
    with ExitStack() as others:
        for _ in range(logins._checks.size):
            others.enter_context(logins._checks.thread())
        for door in DOORS:
            answer = door("ada", PASSWORD)
            assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
            assert answer.headers["Retry-After"] == "1"
            assert b"Too many failed logins." in door("eve", "wrong").content
        assert with_token(token).status_code == HTTPStatus.OK
    assert basic("ada", PASSWORD).status_code == HTTPStatus.OK
    assert LoginFailure.objects.count() == 5


def test_without_a_flood_all_wait_for_their_turn(user: User) -> None:
    with ExitStack() as others:
        for _ in range(logins._checks.size):
            others.enter_context(logins._checks.thread())
        assert basic("ada", PASSWORD).status_code == HTTPStatus.OK


@pytest.mark.usefixtures("shared_database")
def test_tries_at_the_same_time_are_no_more_tries() -> None:
    def hash_password(number: int) -> int:
        try:
            with ExitStack() as closing:
                closing.callback(connection.close)
                return int(basic("ada", PASSWORD if number == 15 else f"wrong {number}").status_code)
        except logins.TooManyLogins:
            return 429

    def prepare() -> None:
        with ExitStack() as closing:
            closing.callback(connection.close)
            User.objects.create_user("ada", password=PASSWORD, is_superuser=True)
            fail(1)

    with ThreadPoolExecutor(16) as pool:
        pool.submit(prepare).result()
        statuses = list(pool.map(hash_password, range(16)))
    # The right password, whenever its turn is, resets the count.
    assert statuses.count(HTTPStatus.UNAUTHORIZED) <= 4 + 5 * statuses.count(HTTPStatus.OK)
    assert set(statuses) <= {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}


@pytest.mark.parametrize("page", ["password_change", "admin:password_change"])
def test_users_change_their_own_password(user: User, page: str) -> None:
    client, other = Client(), Client()
    for each in (client, other):
        each.force_login(user)
    token = token_of(user)
    form = {"old_password": PASSWORD, "new_password1": "quite another 1", "new_password2": "quite another 1"}
    assert client.post(reverse(page), form, follow=True).status_code == HTTPStatus.OK
    assert basic("ada", "quite another 1").status_code == HTTPStatus.OK
    assert basic("ada", PASSWORD).status_code == HTTPStatus.UNAUTHORIZED
    assert client.get("/api").status_code == HTTPStatus.OK
    assert other.get("/api").status_code == HTTPStatus.UNAUTHORIZED
    assert with_token(token).status_code == HTTPStatus.UNAUTHORIZED


def test_users_who_are_no_staff_change_theirs_from_the_menu(user: User) -> None:
    User.objects.update(is_staff=False, is_superuser=False)
    client = Client()
    client.force_login(user)
    page = client.get("/api", headers={"Accept": "text/html"}).content.decode()
    assert f'<a href="{reverse("password_change")}">Change password</a>' in page
    assert client.get(reverse("password_change")).status_code == HTTPStatus.OK


@pytest.mark.parametrize("page", ["password_change", "admin:password_change"])
def test_a_stolen_session_can_not_try_passwords_without_end(user: User, page: str) -> None:
    client = Client()
    client.force_login(user)
    form = {"new_password1": "quite another 1", "new_password2": "quite another 1"}
    for attempt in range(5):
        answer = client.post(reverse(page), form | {"old_password": f"wrong {attempt}"})
        assert "Your old password was entered incorrectly" in answer.content.decode()
    answer = client.post(reverse(page), form | {"old_password": PASSWORD})
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    owner = Client()
    owner.force_login(user)
    answer = owner.post(reverse(page), form | {"old_password": PASSWORD})
    assert answer.status_code == HTTPStatus.FOUND
    assert client.get("/api").status_code == HTTPStatus.UNAUTHORIZED


def test_nobody_changes_a_password_without_a_login(user: User) -> None:
    answer = Client().get(reverse("password_change"))
    assert answer.status_code == HTTPStatus.FOUND
    assert answer.headers["Location"].startswith(reverse("rest_framework:login"))


def test_the_one_that_fails_too_late_is_refused(user: User) -> None:
    """Its password was hashed while others used up the tries. What was found out is not told."""
    login = logins.Login.of_user(RequestFactory().get("/", REMOTE_ADDR=HERE), user)

    def fail_elsewhere() -> None:  # in other processes, which don't share the lock
        LoginFailure.objects.bulk_create(LoginFailure(user=user, address=HERE) for _ in range(5))

    for result in (False, True):
        LoginFailure.objects.all().delete()
        with pytest.raises(logins.TooManyLogins):
            login.limit(lambda result=result: fail_elsewhere() or result)  # type: ignore[misc]
