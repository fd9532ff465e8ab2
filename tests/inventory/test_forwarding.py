"""Events are copied to a file or to syslog, whoever wrote them."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from environ import Env

from inventory.forwarding import forward_events
from inventory.logs import StrictFileHandler
from inventory.models import EventStream
from settings import log
from tests import cast as actors


@pytest.fixture
def copied(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Forwards, and returns the events that were copied then."""
    logger = logging.getLogger("inventory.events")
    monkeypatch.setattr(logger, "propagate", True)

    def forward() -> list[dict[str, Any]]:
        caplog.clear()
        forward_events()
        return [json.loads(record.message) for record in caplog.records if record.name == logger.name]

    return forward


@pytest.mark.django_db(transaction=True)
def test_each_event_is_copied_once(copied: Any) -> None:
    actors.group(actors.network(actors.tenant(actors.provider("acme")), "net"), "before")
    assert copied() == []  # the copy begins now
    network = actors.network(actors.tenant(actors.provider("other")), "net")
    groups = [actors.group(network, name) for name in ("web", "db")]
    assert [event["message"] for event in copied()] == [
        "Security group web was created",
        "Security group db was created",
    ]
    assert copied() == []
    groups[0].delete()
    [event] = copied()
    assert (event["event_type"], event["ems_id"]) == ("security_group_deleted", network.provider_id)


@pytest.mark.django_db(transaction=True)
def test_on_postgresql_an_event_whose_count_grew_is_copied_again(copied: Any) -> None:
    copied()
    event = EventStream.objects.create(event_type="login_refused", timestamp=timezone.now(), counted_as="hour")
    assert [(copy["id"], copy["count"]) for copy in copied()] == [(event.pk, 1)]
    EventStream.objects.filter(pk=event.pk).update(count=5)
    again = [(event.pk, 5)] if connection.vendor == "postgresql" else []
    assert [(copy["id"], copy["count"]) for copy in copied()] == again
    assert copied() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_an_event_that_is_committed_late_is_not_missed(copied: Any) -> None:
    network = actors.network(actors.tenant(actors.provider("acme")), "net")
    copied()
    written, end = Event(), Event()

    def write_slowly() -> None:
        with closing(connection), transaction.atomic():
            actors.group(network, "slow")
            written.set()
            end.wait(30)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(write_slowly)
        written.wait(30)
        actors.group(network, "quick")
        seen = [event["message"] for event in copied()]
        end.set()
        slow.result()
    seen += [event["message"] for event in copied()]
    assert sorted(seen) == ["Security group quick was created", "Security group slow was created"]
    assert EventStream.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_written_is_copied_again(copied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    network = actors.network(actors.tenant(actors.provider("acme")), "net")
    copied()
    actors.group(network, "web")
    away = StrictFileHandler("/nowhere/events.jsonl", delay=True)
    monkeypatch.setattr(logging.getLogger("inventory.events"), "handlers", [away])
    with pytest.raises(OSError, match="/nowhere"):
        copied()
    monkeypatch.setattr(logging.getLogger("inventory.events"), "handlers", [])
    assert [event["message"] for event in copied()] == ["Security group web was created"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite asks for no times")
def test_nothing_is_missed_that_waited_longer_than_any_transaction(
    copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = actors.network(actors.tenant(actors.provider("acme")), "net")
    copied()
    actors.group(network, "web")
    now = timezone.now()
    monkeypatch.setattr("inventory.forwarding.timezone.now", lambda: now + timedelta(days=3))
    assert [event["message"] for event in copied()] == ["Security group web was created"]


@pytest.mark.parametrize(
    ("target", "handler"),
    [
        ("", {"class": "logging.NullHandler"}),
        (
            "/x/events.jsonl",
            {"class": "inventory.logs.StrictFileHandler", "filename": "/x/events.jsonl", "delay": True},
        ),
        ("syslog:/dev/log", {"class": "inventory.logs.StrictSyslogHandler", "address": "/dev/log"}),
        (
            "syslog:log.example.org:514",
            {"class": "inventory.logs.StrictSyslogHandler", "address": ("log.example.org", 514)},
        ),
    ],
)
def test_the_setting_names_a_file_or_syslog(target: str, handler: dict[str, Any]) -> None:
    made = log.logging(Env(), log_format="line", access_log=False, events_log=target)
    assert made["handlers"]["events"] == handler
