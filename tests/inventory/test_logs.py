"""What stands in the log of requests, and that no secret does."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.test import Client

from inventory.logs import SecretFreeFormatter


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
