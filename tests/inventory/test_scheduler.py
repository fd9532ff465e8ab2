"""The scheduler beside a broker that comes and goes."""

from __future__ import annotations

import pytest
from celery import current_app
from celery.beat import SchedulingError

from inventory import tasks
from inventory.scheduler import Scheduler


def test_a_message_that_could_not_be_sent_is_the_last_of_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler(current_app, lazy=True)
    entry = scheduler.Entry(name="sweep", task=tasks.sweep.name, schedule=5.0, app=current_app)
    used = []

    def apply_async(*args: object, producer: object, **options: object) -> None:
        used.append(producer)
        if len(used) == 1:
            raise ConnectionError("Server unexpectedly closed connection")

    monkeypatch.setattr(tasks.sweep, "apply_async", apply_async)
    with pytest.raises(SchedulingError):
        scheduler.apply_async(entry, producer=scheduler.producer)
    for _ in range(2):
        scheduler.apply_async(entry, producer=scheduler.producer)
    broken, *new = used
    assert new[0] is new[1] is not broken
    assert new[0].connection is not broken.connection
