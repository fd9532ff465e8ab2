"""The scheduler that `celery beat` runs."""

from __future__ import annotations

from typing import Any

from celery import beat
from kombu import Producer
from kombu.utils.objects import cached_property


class Scheduler(beat.Scheduler):
    """Celery's own, with a new connection to the broker once a message could not be sent.

    Celery's goes on with the old one. That of a broker that was killed may stay half open: each message then fails
    at the end of the same stream, and nobody sweeps until the scheduler is started again.
    """

    @cached_property
    def producer(self) -> Producer:
        """Connects when it is used: where the broker is away, the next tick tries again."""
        return Producer(self.connection, auto_declare=False)

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().apply_async(*args, **kwargs)
        except beat.SchedulingError:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        vars(self).pop("producer", None)
        if connection := vars(self).pop("connection", None):
            connection.collect()  # without a word to a broker that may be gone
