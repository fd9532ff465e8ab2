"""`manage.py health`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from inventory.leases import hold_lease
from inventory.models import Provider, Task
from inventory.services import TaskSpec, queue_work
from tests import cast as actors

QUEUE = "vms/1"


@pytest.fixture(autouse=True)
def acme(db: None) -> Provider:
    """A provider that was just refreshed."""
    acme: Provider = actors.provider("acme")
    Provider.objects.update(last_refresh_date=timezone.now())
    return acme


@pytest.fixture
def health(capsys: pytest.CaptureFixture[str]) -> Any:
    def run() -> tuple[dict[str, str], str]:
        """What it says of each part, and why it failed."""
        failure = ""
        try:
            call_command("health")
        except CommandError as error:
            failure = str(error)
        said = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
        return {name: words for name, words in said.items() if words != "well"}, failure

    return run


def left_alone(seconds: float) -> None:
    queue_work(QUEUE, [TaskSpec("a", "Doing a")], user=None, provider=None)
    Task.objects.update(created_on=timezone.now() - timedelta(seconds=seconds))


def test_an_installation_that_does_its_work_is_well(health: Any) -> None:
    left_alone(30)
    assert health() == ({}, "")


def test_a_database_that_lacks_migrations(health: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'secgroups'")
    said, failure = health()
    assert failure == "Unhealthy: database"
    assert said["database"].endswith("migrations are not applied. Run manage.py migrate")


def test_a_broker_that_does_not_answer(health: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app.conf, "broker_write_url", "amqp://127.0.0.1:1//")
    said, failure = health()
    assert failure == "Unhealthy: broker"
    assert said["broker"].endswith("refused (tasks still run, a few seconds later)")


def test_tasks_that_nobody_is_at(health: Any) -> None:
    left_alone(61)
    with hold_lease(QUEUE):
        assert health() == ({}, "")
    words = "1 tasks have waited for over 60 s without a worker. Are enough workers running?"
    assert health() == ({"workers": words}, "Unhealthy: workers")


def test_refreshes_that_nobody_queues(health: Any, settings: Any) -> None:
    last = timezone.now() - settings.REFRESH_INTERVAL - timedelta(seconds=61)
    Provider.objects.update(last_refresh_date=last)
    words = "No refresh was queued for acme. Is the scheduler running?"
    assert health() == ({"scheduler": words}, "Unhealthy: scheduler")
    settings.REFRESH_INTERVAL = timedelta()
    assert health() == ({}, "")
