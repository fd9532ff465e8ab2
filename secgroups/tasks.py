"""Celery's tasks of this app, see `inventory.tasks`."""

from __future__ import annotations

from celery import shared_task

from secgroups.exposures import settle_leftovers
from secgroups.models import GroupStamp


@shared_task
def settle_exposures() -> None:
    """Bring exposures up to date that no refresh or change does: after an upgrade, and of disabled providers."""
    settle_leftovers()


@shared_task
def fold_stamps() -> None:
    """Put the stamps of each group together."""
    GroupStamp.objects.fold()
