"""How many requests a user may send in a minute."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.urls import reverse

from inventory.db.request_counts import count_request
from inventory.models import RequestCount
from inventory.rest.http import quota
from inventory.services import create_token

#: Twenty seconds before the end of a minute.
NOW = 60 * 29_000_000 + 40


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test may change."""
    now = [float(NOW)]
    monkeypatch.setattr(quota.time, "time", lambda: now[0])
    return now


@pytest.fixture(autouse=True)
def limit(settings: Any, clock: list[float]) -> None:
    settings.API_REQUESTS = 2


def statuses(client: Client, number: int, **headers: str) -> list[int]:
    return [client.get("/api/zones", headers=headers).status_code for _ in range(number)]


def test_beyond_the_quota_a_request_is_refused_until_the_next_minute(
    admin_client: Client, clock: list[float]
) -> None:
    assert statuses(admin_client, 3) == [200, 200, 429]
    answer = admin_client.get("/api/zones")
    assert answer.headers["Retry-After"] == "20"
    assert answer.json()["error"] == {
        "kind": "too_many_requests",
        "message": "You have sent more than 2 requests in a minute, which is the limit. Retry in the next minute.",
        "klass": "Api::TooManyRequestsError",
    }
    clock[0] += 20
    assert statuses(admin_client, 3) == [200, 200, 429]


def test_nothing_is_done_by_a_request_that_is_refused(admin_client: Client) -> None:
    statuses(admin_client, 2)
    answer = admin_client.post("/api/tokens", {"action": "create", "name": "backup"}, "application/json")
    assert answer.status_code == 429
    assert not User.objects.get(username="admin").auth_token_set.exists()


def test_without_the_setting_nothing_is_counted(admin_client: Client, settings: Any) -> None:
    settings.API_REQUESTS = 0
    assert set(statuses(admin_client, 5)) == {200}
    assert not RequestCount.objects.exists()


def test_each_user_has_a_quota_however_they_log_in(admin_client: Client, admin_user: User) -> None:
    """By a session, by tokens, and as a group of theirs."""
    group = Group.objects.create(name="team")
    admin_user.groups.add(group)
    _, text = create_token(user=admin_user, name="backup")
    assert statuses(Client(), 1, **{"X-Auth-Token": text}) == [200]
    assert statuses(admin_client, 1, **{"X-MIQ-Group": "team"}) == [200]
    assert statuses(Client(), 1, **{"X-Auth-Token": text}) == [429]
    other = Client()
    other.force_login(User.objects.create_user("other"))
    assert statuses(other, 1) == [200]


def test_what_is_forbidden_counts_and_what_nobody_is_logged_in_for_does_not(client: Client, db: None) -> None:
    assert {client.get("/api/vms").status_code for _ in range(4)} == {401}
    client.force_login(User.objects.create_user("nobody"))
    assert [client.get("/api/vms").status_code for _ in range(3)] == [403, 403, 429]


def test_pages_of_the_admin_do_not_count(admin_client: Client) -> None:
    assert {admin_client.get(reverse("admin:index")).status_code for _ in range(4)} == {200}


def test_a_host_whose_clock_is_behind_counts_for_the_same_minute(admin_user: User) -> None:
    assert [count_request(admin_user.pk, minute) for minute in (7, 6, 7, 8, 7)] == [1, 2, 3, 1, 2]


@pytest.mark.usefixtures("shared_database")
def test_requests_at_once_are_counted_one_by_one() -> None:
    user, many = User.objects.create_user("user").pk, 8
    together = threading.Barrier(many, timeout=30)

    def come(_: int) -> int:
        together.wait()
        with closing(connection):
            return count_request(user, 7)

    with ThreadPoolExecutor(many) as pool:
        assert sorted(pool.map(come, range(many))) == [*range(1, many + 1)]


def test_a_deleted_user_leaves_no_count(admin_user: User) -> None:
    count_request(admin_user.pk, 7)
    admin_user.delete()
    assert not RequestCount.objects.exists()
