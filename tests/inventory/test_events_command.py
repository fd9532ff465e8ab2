"""`manage.py events`, and how long events are kept."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from inventory import retention
from inventory.models import EventRetention, EventStream
from inventory.tasks import forget_what_is_over

pytestmark = pytest.mark.django_db


def event(days: int, **attributes: Any) -> EventStream:
    moment = timezone.now() - timedelta(days=days)
    return EventStream.objects.create(event_type="login_refused", timestamp=moment, **attributes)


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("events", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_it_lists_events_from_the_oldest() -> None:
    event(1, message="A login of alice was refused", username="alice", address="192.0.2.1", count=3)
    event(2, message="Earlier")
    earlier, later = run()
    assert "Earlier" in earlier
    assert later.endswith("alice 192.0.2.1           A login of alice was refused (x3)")


def test_it_exports_lines_of_json() -> None:
    made = event(1, message="Refused", ems_id=7, full_data={"before": None, "after": {"name": "a\nb"}})
    [line] = run("--json")
    read = json.loads(line)
    assert (read["id"], read["ems_id"], read["full_data"]) == (made.pk, 7, made.full_data)
    assert read["timestamp"].startswith(f"{made.timestamp:%Y-%m-%dT%H:%M:%S}")


def test_it_lists_a_span_of_time_and_a_type() -> None:
    for days in (1, 2, 3):
        event(days, message=f"{days} days ago")
    now = timezone.now()
    since, until = ((now - timedelta(days=days)).isoformat() for days in (2.5, 1.5))
    [line] = run("--since", since, "--until", until)
    assert line.endswith("2 days ago")
    assert run("--type", "other") == []
    assert len(run("--since", f"{now - timedelta(days=10):%Y-%m-%d}")) == 3
    with pytest.raises(CommandError, match="yesterday"):
        run("--since", "yesterday")


def test_what_is_too_old_is_forgotten(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    settings.EVENTS_RETENTION = timedelta(days=30)
    young = event(29)
    for _ in range(5):
        event(31)
    forget_what_is_over()
    assert list(EventStream.objects.exclude(event_type="retention_edited")) == [young]
    assert EventRetention.objects.get().days == 30


def test_another_retention_holds_from_the_next_time_on(settings: Any) -> None:
    for days in (30, 30, 10):
        settings.EVENTS_RETENTION = timedelta(days=days)
        forget_what_is_over()
    told = [edit.full_data["after"] for edit in EventStream.objects.order_by("pk")]
    assert told == [{"days": 30}, {"days": 10}]
    assert EventRetention.objects.get().days == 10
