"""What load balancers ask: whether a process is alive, and whether it is ready."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from inventory import health, probes
from inventory.health import BrokerState, Unwell
from inventory.probes import Readiness

FOREIGN = {"host": "10.1.2.3:8000"}


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> BrokerState:
    """A state that nobody has asked for yet."""
    state = BrokerState()
    monkeypatch.setattr(probes, "_broker", state)
    return state


@pytest.fixture(autouse=True)
def readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = probes.reading(Readiness())
    monkeypatch.setattr("inventory.middleware.ANSWERS", {**probes.ANSWERS, "/readyz": ready})


def known(state: BrokerState) -> str:
    """The state, after whoever is asking has got an answer."""
    str(state)
    for thread in threading.enumerate():
        if thread.name == "broker":
            thread.join()
    return str(state)


def refuse(error: Exception) -> Any:
    def check() -> None:
        raise error

    return check


def test_a_process_is_alive_without_a_database(client: Client) -> None:
    answer = client.get("/healthz", headers=FOREIGN)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_it_is_ready_with_a_database_that_has_all_migrations(db: None, client: Client, state: BrokerState) -> None:
    known(state)
    answer = client.get("/readyz", headers=FOREIGN)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "database": "ok", "broker": "ok"}


def test_it_is_not_ready_without_a_migration(db: None, client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'secgroups'")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "not migrated")


def test_it_is_ready_with_a_migration_of_a_later_release(db: None, client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('inventory', '9999', '2030-01-01')"
        )
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("error", [OperationalError("to 10.0.0.5:5432 as ann"), InterfaceError("10.0.0.5")])
def test_it_is_not_ready_without_its_database_and_keeps_the_reason_to_the_log(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(probes, "check_database", refuse(error))
    answers = [client.get("/readyz") for _ in range(3)]
    assert [(answer.status_code, answer.json()["database"]) for answer in answers] == [(503, "down")] * 3
    assert not any(b"10.0.0.5" in answer.content for answer in answers)
    said = [record.getMessage() for record in caplog.records if record.name == "inventory.probes"]
    assert said == [f"Not ready: {error}"]


def test_the_log_says_when_it_is_ready_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "inventory.probes")
    for check in (refuse(OperationalError("gone")), lambda: None, lambda: None):
        monkeypatch.setattr(probes, "check_database", check)
        client.get("/readyz")
    said = [record.getMessage() for record in caplog.records if record.name == "inventory.probes"]
    assert said == ["Not ready: gone", "Ready again"]


def test_a_broker_that_is_down_is_said_and_does_not_make_it_unready(
    db: None, client: Client, monkeypatch: pytest.MonkeyPatch, state: BrokerState
) -> None:
    monkeypatch.setattr(health, "check_broker", refuse(Unwell("amqp://ann:s3cret@10.0.0.5 refused")))
    known(state)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "database": "ok", "broker": "down"}


def test_a_broker_that_does_not_answer_keeps_nobody_waiting(
    db: None, client: Client, monkeypatch: pytest.MonkeyPatch, state: BrokerState
) -> None:
    answered, asked = threading.Event(), []

    def check() -> None:
        asked.append(True)
        answered.wait()

    monkeypatch.setattr(health, "check_broker", check)
    assert [client.get("/readyz").json()["broker"] for _ in range(3)] == ["unknown"] * 3
    answered.set()
    assert known(state) == "ok"
    assert len(asked) == 1


def test_an_error_that_nobody_expected_leaves_the_broker_unknown(
    monkeypatch: pytest.MonkeyPatch, state: BrokerState
) -> None:
    assert known(state) == "ok"
    monkeypatch.setattr(health, "check_broker", refuse(ZeroDivisionError()))
    assert state._asking.acquire(blocking=False)
    with pytest.raises(ZeroDivisionError):
        state._ask()
    assert str(state) == "unknown"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
class TestEither:
    def test_it_is_logged_nowhere_and_kept_nowhere(
        self, db: None, client: Client, path: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "inventory.access")
        answer = client.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Request-Id"]
        assert not caplog.records
        assert not answer.cookies

    def test_head_is_answered_and_nothing_else(self, db: None, client: Client, path: str) -> None:
        assert client.head(path).status_code == 200
        answer = client.post(path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")

    def test_it_does_not_repeat_the_host(self, db: None, client: Client, path: str) -> None:
        answer = client.get(path, headers={"host": "evil.example"})
        assert answer.status_code == 200
        assert "evil" not in f"{answer.content!r} {answer.headers}"

    def test_a_longer_address_is_none(self, db: None, client: Client, path: str) -> None:
        assert client.get(f"{path}/x").status_code == 404


def test_ready_costs_two_statements(db: None, client: Client, django_assert_max_num_queries: Any) -> None:
    client.get("/readyz")
    with django_assert_max_num_queries(2):
        client.get("/readyz")


def test_alive_costs_none(db: None, client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        client.get("/healthz")


def test_an_unforeseen_error_of_a_probe_is_logged(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(probes, "check_database", refuse(ZeroDivisionError()))
    client.raise_request_exception = False
    assert client.get("/readyz").status_code == 500
    assert "Internal Server Error: /readyz" in caplog.text
