"""The scheduler that `celery beat` runs."""

from __future__ import annotations

from typing import Any

from celery import beat
from kombu import Producer
from kombu.utils.objects import cached_property


class Scheduler(beat.Scheduler):
    """Celery's scheduler, which reconnects to the broker after a message could not be sent.

    Celery keeps the old connection. If the broker was killed, that connection may stay half open. Every message
    then fails, and nobody sweeps until the scheduler is restarted.
    """

    @cached_property
    def producer(self) -> Producer:
        """Connects on use. If the broker is down, the next tick tries again."""
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
            connection.collect()  # without a message to the broker, which may be gone
