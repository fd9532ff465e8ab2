"""What stands in the log of requests, and that no secret does."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory
from environ import Env

from inventory.logs import ContextFilter, SecretFreeFormatter, SecretFreeJsonFormatter
from inventory.services import create_token
from settings.checked import boolean, number, one_of, secret


def test_neither_an_anonymous_request_nor_a_missing_icon_is_logged(
    db: None, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.get("/api").status_code == 401
    assert client.get("/favicon.ico").status_code == 404
    assert not caplog.records


def test_a_wrong_token_and_an_unknown_page_are(db: None, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/api", headers={"X-Auth-Token": "wrong"})
    client.get("/nowhere")
    assert [record.getMessage() for record in caplog.records] == ["Unauthorized: /api", "Not Found: /nowhere"]


def test_our_own_news_is_logged_and_that_of_libraries_is_not() -> None:
    assert settings.LOGGING["root"]["level"] == "WARNING"
    for name in ("inventory.refresh", "secgroups.changes"):
        assert logging.getLogger(name).isEnabledFor(logging.INFO)


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("http://ann:s3cret@cloud.example:5000/v3 failed", "http://***@cloud.example:5000/v3 failed"),
        ("https://cloud.example/a@b", "https://cloud.example/a@b"),
        ("redis://:s3cret@host:6379/0", "redis://***@host:6379/0"),
    ],
)
def test_a_line_has_no_secret_of_a_url(said: str, logged: str) -> None:
    record = logging.LogRecord("inventory", logging.WARNING, "", 0, "%s", (said,), None)
    assert SecretFreeFormatter("{message}", style="{").format(record) == logged


def as_json(record: logging.LogRecord) -> dict[str, Any]:
    line = SecretFreeJsonFormatter().format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def record_of(
    message: str, *arguments: Any, error: BaseException | None = None, **extra: Any
) -> logging.LogRecord:
    """A record as `logger.warning(..., extra=extra)` makes it."""
    raised = error and (type(error), error, error.__traceback__)
    record = logging.LogRecord("inventory", logging.WARNING, "", 0, message, arguments, raised)
    vars(record).update(extra)
    return record


class TestJson:
    def test_a_line_says_when_how_grave_who_and_what(self) -> None:
        line = as_json(record_of("%s of\n%s", 1, "2", found={"vms": [1, None]}))
        assert datetime.fromisoformat(line.pop("time")).utcoffset() == timedelta()
        assert line == {
            "level": "WARNING",
            "logger": "inventory",
            "message": "1 of\n2",
            "found": {"vms": [1, None]},
        }

    @pytest.mark.parametrize(
        "name", ["password", "Authorization", "auth_token", "client_secret", "API-KEY", "apiKey"]
    )
    def test_a_value_with_the_name_of_a_secret_is_hidden_at_any_depth(self, name: str) -> None:
        name = name.replace("-", "_")
        line = as_json(record_of("x", **{name: "s3cret"}, given=[{"deep": ({name: {"a": "s3cret"}},)}]))
        assert "s3cret" not in json.dumps(line)
        assert line[name] == "***"

    def test_urls_lose_their_secrets_wherever_they_are(self) -> None:
        url = "amqp://ann:s3cret@host/"
        try:
            raise ValueError(url)
        except ValueError as error:
            line = as_json(record_of(f"at {url}", error=error, given={url: [url]}, tried=(url,)))
        assert "s3cret" not in json.dumps(line)
        assert "ValueError: amqp://***@host/" in line["exception"]
        assert line["given"] == {"amqp://***@host/": ["amqp://***@host/"]}

    def test_nothing_keeps_a_line_from_being_written(self) -> None:
        circle: dict[Any, Any] = {1: float("nan"), (2, 3): {4}, "lone": "\ud800", "bytes": b"x", "what": object()}
        circle["circle"] = circle
        line = as_json(record_of("x", circle=circle))
        assert (line["circle"]["1"], line["circle"]["(2, 3)"], line["circle"]["lone"]) == ("nan", [4], "\ud800")

    def test_a_request_is_not_shown_with_its_query(self, rf: RequestFactory) -> None:
        assert "s3cret" not in json.dumps(as_json(record_of("x", request=rf.get("/x?token=s3cret"))))


class TestAccess:
    """The line of a request, if requests leave one."""

    @pytest.fixture(autouse=True)
    def level(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        with caplog.at_level(logging.INFO, "inventory.access"):
            yield

    @staticmethod
    def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
        records = [record for record in caplog.records if record.name == "inventory.access"]
        names = ("method", "route", "status", "user")
        assert all(0 <= vars(record)["duration_ms"] < 60_000 for record in records)
        return [{name: vars(record)[name] for name in names} for record in records]

    @pytest.mark.parametrize(
        ("method", "path", "route", "status"),
        [
            ("get", "/api/ping", "/api/ping", 200),
            ("get", "/api/v1.0.0/instances/s3cret?filter[]=name=s3cret", "/api/instances/<pk>", 401),
            ("get", "/api/s3cret", "/api/<path>", 401),
            ("get", "/s3cret", "none", 404),
            ("get", "/static/s3cret", "/static/<path>", 404),
            ("get", "/admin/s3cret", "/admin/<url>", 302),
            ("s3cret", "/api/ping", "/api/ping", 400),
        ],
    )
    def test_it_has_no_word_of_the_client(
        self,
        db: None,
        client: Client,
        caplog: pytest.LogCaptureFixture,
        method: str,
        path: str,
        route: str,
        status: int,
    ) -> None:
        client.generic(method.upper(), path)
        shown = method.upper() if method == "get" else "other"
        assert self.lines(caplog) == [{"method": shown, "route": route, "status": status, "user": None}]
        access = [as_json(record) for record in caplog.records if record.name == "inventory.access"]
        assert "s3cret" not in json.dumps(access).lower()

    def test_it_names_who_asked_with_a_token(
        self, client: Client, admin_user: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        _, token = create_token(user=admin_user, name="backup")
        client.get("/api", headers={"X-Auth-Token": token})
        [line] = self.lines(caplog)
        assert (line["user"], line["status"]) == ("admin", 200)
        assert token not in caplog.text

    def test_it_names_who_asked_in_a_session(self, admin_client: Client, caplog: pytest.LogCaptureFixture) -> None:
        admin_client.get("/admin/")
        assert [line["user"] for line in self.lines(caplog)] == ["admin"]

    def test_it_does_not_look_up_a_user_whom_nobody_needed(
        self, admin_client: Client, caplog: pytest.LogCaptureFixture, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(0):
            admin_client.get("/")
        assert [line["user"] for line in self.lines(caplog)] == [None]

    def test_it_has_the_id_of_the_request(self, client: Client, caplog: pytest.LogCaptureFixture) -> None:
        caplog.handler.addFilter(added := ContextFilter())
        try:
            client.get("/api/ping", headers={"X-Request-Id": "mine"})
        finally:
            caplog.handler.removeFilter(added)
        assert vars(caplog.records[0])["request_id"] == "mine"


def test_requests_leave_no_line_by_default(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/api/ping")
    assert not caplog.records


def test_a_message_makes_one_line() -> None:
    formatter = SecretFreeFormatter("{levelname} {message}", style="{")
    name = "a\nERROR b\x1b[2J\u2028"
    record = logging.makeLogRecord({"levelname": "INFO", "msg": "Provider %s fails", "args": (name,)})
    assert formatter.format(record) == r"INFO Provider a\nERROR b\x1b[2J\u2028 fails"


class TestSettings:
    @pytest.mark.parametrize(
        ("said", "meant"), [("on", True), ("True", True), ("0", False), ("no", False), ("ture", None)]
    )
    def test_a_boolean(self, monkeypatch: pytest.MonkeyPatch, said: str, meant: bool | None) -> None:
        monkeypatch.setenv("ACCESS_LOG", said)
        if meant is None:
            with pytest.raises(ImproperlyConfigured, match="ACCESS_LOG must be true or false, but is 'ture'"):
                boolean(Env(), "ACCESS_LOG", default=False)
        else:
            assert boolean(Env(), "ACCESS_LOG", default=not meant) is meant

    def test_an_empty_variable_is_unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("X", "")
        assert boolean(Env(), "X", default=True)
        assert number(Env(), "X", default=7, least=1) == 7
        assert one_of(Env(), "X", ("a", "b"), default="b") == "b"

    def test_a_secret_may_begin_with_a_dollar(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("X", "$ecret-of-sixteen")
        assert secret(Env(), "X") == "$ecret-of-sixteen"

    def test_one_of_a_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert one_of(Env(), "LOG_FORMAT", ("line", "json"), default="line") == "line"
        monkeypatch.setenv("LOG_FORMAT", "xml")
        with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT must be one of line, json, but is 'xml'"):
            one_of(Env(), "LOG_FORMAT", ("line", "json"), default="line")
