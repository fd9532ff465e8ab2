"""Celery's tasks. A message only wakes up a worker; the `Task` rows say what to do."""

from __future__ import annotations

import os
from threading import Timer
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from inventory import logins, overdue, runner, tracing  # noqa: F401 - `tracing` also starts in workers
from inventory.backoff import stop
from inventory.forwarding import forward_events as forward
from inventory.leases import LeaseLost
from inventory.metrics import worker  # noqa: F401 - serves a worker's metrics
from inventory.models import AuthToken, Tally
from inventory.rate_limit import forget_old_rates
from inventory.rest.http import idempotency
from inventory.retention import prune_events
from inventory.services import request_deletion, request_refresh

#: How long a stopping worker waits for answers of clouds, in seconds.
GRACE = 15


@shared_task(throws=(LeaseLost,))  # no error: another worker continues
def work(queue: str) -> None:
    """Run the queue of an instance or provider."""
    runner.run_queue(queue)


@shared_task
def wake_parts(parent: int, after: int) -> None:
    """Wake up workers for the parts of a task after this one."""
    runner.wake_parts(parent, after)


@shared_task
def sweep() -> None:
    """Find tasks whose message was lost or whose worker died."""
    runner.sweep()


@worker_ready.connect
def sweep_on_startup(**kwargs: Any) -> None:
    """Sweep when a worker starts."""
    sweep.delay()


@worker_shutting_down.connect
def begin_shutdown(**kwargs: Any) -> None:
    """Stop a worker: begin nothing, and wait for pending answers. A second request ends it at once.

    The worker that takes over its leases continues its tasks.
    """
    if stop.is_asked():
        os._exit(0)
    stop.ask()
    end = Timer(GRACE, os._exit, [0])
    end.daemon = True
    end.start()


@shared_task
def queue_due_refreshes() -> None:
    """Queue the refreshes that are due."""
    for provider in overdue.refreshes().defer("credentials"):
        request_refresh(provider=provider, user=None)


@shared_task
def forward_events() -> None:
    """Copy new events to a file or to syslog."""
    forward()


@shared_task
def forget_what_is_over() -> None:
    """Delete expired tokens, and old login failures, idempotency keys, rate limits and events.

    Also sum up tallies, and retry failed deletions.
    """
    logins.forget_old_failures()
    # Those that have issued others stay, to take these with them. All stay for a while, to be told from guesses.
    AuthToken.objects.filter(expiry__lt=logins.window_start(), issued=None).delete()
    idempotency.forget_old_keys()
    forget_old_rates()
    Tally.objects.fold()
    prune_events()
    for provider in overdue.deletions():
        request_deletion(provider=provider, user=None)
