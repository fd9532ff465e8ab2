"""What Celery runs. A message is a wake-up call: what is to be done stands in the Task rows."""

from __future__ import annotations

import os
from threading import Timer
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down
from django.utils import timezone

from inventory import overdue, runner
from inventory.backoff import stop
from inventory.leases import LeaseLost
from inventory.models import AuthToken, Tally
from inventory.rate_limit import forget_old_rates
from inventory.rest.http import idempotency
from inventory.services import request_deletion, request_refresh

#: How long a worker that is to stop waits for answers of clouds, in seconds.
GRACE = 15


@shared_task(throws=(LeaseLost,))  # which is no fault: another worker goes on
def work(queue: str) -> None:
    """Carry out what is queued for one instance or provider."""
    runner.run_queue(queue)


@shared_task
def sweep() -> None:
    """Find work that nobody was told of, or whose worker is gone."""
    runner.sweep()


@worker_ready.connect
def sweep_on_startup(**kwargs: Any) -> None:
    """A worker that starts asks at once what was left undone."""
    sweep.delay()


@worker_shutting_down.connect
def begin_shutdown(**kwargs: Any) -> None:
    """A worker that is to stop begins nothing and waits for answers that are on their way; asked again, it ends.

    Whoever takes its lease over does what it leaves undone.
    """
    if stop.is_asked():
        os._exit(0)
    stop.ask()
    end = Timer(GRACE, os._exit, [0])
    end.daemon = True
    end.start()


@shared_task
def queue_due_refreshes() -> None:
    """Queue a refresh for each provider that is due and has none queued."""
    for provider in overdue.refreshes().defer("credentials"):
        request_refresh(provider=provider, user=None)


@shared_task
def forget_what_is_over() -> None:
    """Delete expired tokens, what was kept for requests that could be repeated, limits of clouds long ago, what
    tallies are the sum of, and what is left of providers whose deletion failed.
    """
    AuthToken.objects.filter(expiry__lt=timezone.now()).delete()
    idempotency.forget_old_keys()
    forget_old_rates()
    Tally.objects.fold()
    for provider in overdue.deletions():
        request_deletion(provider=provider, user=None)
