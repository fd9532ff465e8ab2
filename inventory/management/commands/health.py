"""Look whether all parts of an installation do their work."""

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

#: For how long something may be overdue: who stepped in for somebody that died is at it by then.
HEALTH_GRACE = timedelta(seconds=60)


class Unwell(Exception):
    """What is wrong with a part, for a person."""


class Command(BaseCommand):
    help = (
        "Looks whether database, broker, workers and scheduler do their work, and fails if one of them does not."
    )
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        unwell = [name for name, look in PARTS.items() if not self._is_well(name, look)]
        if unwell:
            raise CommandError(messages.unhealthy(unwell))

    def _is_well(self, name: str, look: Callable[[], None]) -> bool:
        try:
            look()
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
    if late := overdue.tasks(HEALTH_GRACE).count():
        raise Unwell(messages.tasks_waiting(late, HEALTH_GRACE.seconds))


def _scheduler() -> None:
    if names := sorted(overdue.refreshes(HEALTH_GRACE).values_list("name", flat=True)):
        raise Unwell(messages.refreshes_overdue(names))


PARTS: dict[str, Callable[[], None]] = {
    "database": _database,
    "broker": _broker,
    "workers": _workers,
    "scheduler": _scheduler,
}
