"""The writes of this app that have effects: what the API, the admin and the commands call."""

from inventory.services.providers import connect_provider, delete_provider, edit_provider, request_refresh
from inventory.services.tasks import Work, finish, queue_work

__all__ = [
    "Work",
    "connect_provider",
    "delete_provider",
    "edit_provider",
    "finish",
    "queue_work",
    "request_refresh",
]
