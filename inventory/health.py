"""Whether the parts of an installation work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from celery import current_app
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from kombu.exceptions import OperationalError

from inventory import messages, overdue

#: How long something may be overdue; by then others have taken over from a process that died.
GRACE = timedelta(seconds=60)
#: How long an answer of the broker counts, in seconds.
BROKER_COUNTS = 10.0


class Unwell(Exception):
    """A part does not work; `str()` says why."""


def check_database() -> None:
    """Also that it has the migrations of this release. It may have those of a later one."""
    applied = MigrationRecorder(connection).applied_migrations()
    if missing := migrations() - applied.keys():
        raise Unwell(messages.unapplied(len(missing)))


@cache
def migrations() -> frozenset[Any]:
    """The app and name of each migration of this release."""
    return frozenset(MigrationLoader(None).graph.nodes)


def check_broker() -> None:
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0)
    except (OperationalError, OSError) as error:
        raise Unwell(messages.broker_down(error)) from error


def check_workers() -> None:
    if count := overdue.tasks(GRACE).count():
        raise Unwell(messages.tasks_waiting(count, GRACE.seconds))


def check_scheduler() -> None:
    if names := sorted(overdue.refreshes(GRACE).values_list("name", flat=True)):
        raise Unwell(messages.refreshes_overdue(names))


PARTS: Mapping[str, Callable[[], None]] = {
    "database": check_database,
    "broker": check_broker,
    "workers": check_workers,
    "scheduler": check_scheduler,
}


class BrokerState:
    """The last known state of the broker, for callers that can't wait for a broker that does not answer.

    Another thread asks it, if somebody wants to know and the last answer is too old.
    """

    def __init__(self) -> None:
        self._state = "unknown"
        self._asked_on = float("-inf")
        self._asking = threading.Lock()

    def __str__(self) -> str:
        """`ok`, `down`, or `unknown` before the first answer."""
        if time.monotonic() - self._asked_on > BROKER_COUNTS and self._asking.acquire(blocking=False):
            threading.Thread(target=self._ask, name="broker", daemon=True).start()
        return self._state

    def _ask(self) -> None:
        state = "unknown"
        try:
            check_broker()
            state = "ok"
        except Unwell:
            state = "down"
        finally:
            self._state, self._asked_on = state, time.monotonic()
            self._asking.release()
