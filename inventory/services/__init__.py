"""The writes of this app that have effects: what the API, the admin and the commands call."""

from inventory.services.providers import connect_provider, delete_provider, edit_provider, request_refresh
from inventory.services.tasks import NotInTime, Work, cancel_task, delete_task, finish, queue_work

__all__ = [
    "NotInTime",
    "Work",
    "cancel_task",
    "connect_provider",
    "delete_provider",
    "delete_task",
    "edit_provider",
    "finish",
    "queue_work",
    "request_refresh",
]
