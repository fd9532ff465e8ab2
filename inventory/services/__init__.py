"""The writes of this app that have effects: what the API, the admin and the commands call."""

from inventory.services.providers import (
    connect_provider,
    delete_provider,
    edit_provider,
    request_refresh,
    request_refresh_of,
)
from inventory.services.tasks import (
    Ending,
    NotInTime,
    QueueFull,
    Work,
    cancel_task,
    delete_task,
    finish,
    finish_all,
    queue_work,
    save_all,
    say,
)
from inventory.services.verification import PATIENCE, Verdict, verify_credentials

__all__ = [
    "PATIENCE",
    "Ending",
    "NotInTime",
    "QueueFull",
    "Verdict",
    "Work",
    "cancel_task",
    "connect_provider",
    "delete_provider",
    "delete_task",
    "edit_provider",
    "finish",
    "finish_all",
    "queue_work",
    "request_refresh",
    "request_refresh_of",
    "save_all",
    "say",
    "verify_credentials",
]
