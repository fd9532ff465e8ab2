"""The writes of this app that have effects: what the API, the admin and the commands call."""

from inventory.services.providers import (
    connect_provider,
    delete_provider,
    edit_provider,
    request_deletion,
    request_refresh,
    request_refresh_of,
)
from inventory.services.queueing import QueueFull, TaskSpec, keep_refused, queue_work
from inventory.services.retries import ProviderRetries, TaskRetries, ensure_same_connection
from inventory.services.tasks import (
    Ending,
    NotInTime,
    begin,
    cancel_task,
    delete_task,
    finish,
    finish_all,
    note,
    put_back,
    readable,
    retry_task,
    save_all,
)
from inventory.services.verification import PATIENCE, Verdict, verify_credentials

__all__ = [
    "PATIENCE",
    "Ending",
    "NotInTime",
    "ProviderRetries",
    "QueueFull",
    "TaskRetries",
    "TaskSpec",
    "Verdict",
    "begin",
    "cancel_task",
    "connect_provider",
    "delete_provider",
    "delete_task",
    "edit_provider",
    "ensure_same_connection",
    "finish",
    "finish_all",
    "keep_refused",
    "note",
    "put_back",
    "queue_work",
    "readable",
    "request_deletion",
    "request_refresh",
    "request_refresh_of",
    "retry_task",
    "save_all",
    "verify_credentials",
]
