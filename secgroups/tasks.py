"""Celery's tasks of this app, see `inventory.tasks`."""

from __future__ import annotations

from celery import shared_task

from secgroups.exposures import settle_leftovers
from secgroups.models import GroupStamp
from secgroups.services import queue_due_endings


@shared_task
def settle_exposures() -> None:
    """Bring exposures up to date that no refresh or change does: after an upgrade, and of disabled providers."""
    settle_leftovers()


@shared_task
def fold_stamps() -> None:
    """Put the stamps of each group together."""
    GroupStamp.objects.fold()


@shared_task
def end_what_is_due() -> None:
    """Queue the tasks that take back what was for a while."""
    queue_due_endings()
