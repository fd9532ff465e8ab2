"""Check all parts of an installation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import current_app
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError

from inventory import messages, overdue

#: How long something may be overdue; by then others have taken over from a process that died.
HEALTH_GRACE = timedelta(seconds=60)


class Unwell(Exception):
    """A part does not work; `str()` says why."""


class Command(BaseCommand):
    help = "Checks the database, the broker, the workers and the scheduler, and fails if one does not work."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        unhealthy = [name for name, check in PARTS.items() if not self._is_well(name, check)]
        if unhealthy:
            raise CommandError(messages.unhealthy(unhealthy))

    def _is_well(self, name: str, check: Callable[[], None]) -> bool:
        try:
            check()
        except (DatabaseError, Unwell) as error:
            self.stdout.write(f"{name}: {str(error).splitlines()[0]}")
            return False
        self.stdout.write(f"{name}: well")
        return True


def _database() -> None:
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Unwell(messages.unapplied(len(plan)))


def _broker() -> None:
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0)
    except (OperationalError, OSError) as error:
        raise Unwell(messages.broker_down(error)) from error


def _workers() -> None:
    if count := overdue.tasks(HEALTH_GRACE).count():
        raise Unwell(messages.tasks_waiting(count, HEALTH_GRACE.seconds))


def _scheduler() -> None:
    if names := sorted(overdue.refreshes(HEALTH_GRACE).values_list("name", flat=True)):
        raise Unwell(messages.refreshes_overdue(names))


PARTS: dict[str, Callable[[], None]] = {
    "database": _database,
    "broker": _broker,
    "workers": _workers,
    "scheduler": _scheduler,
}
