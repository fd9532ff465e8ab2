"""Who sent the request that this thread answers, as tasks and events keep it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

from django.http import HttpRequest

from inventory.db.inspection import evaluated
from inventory.proxies import peer_address

#: The request that this thread answers; None in workers and commands.
current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


class Origin(NamedTuple):
    """The group that a request is limited to, and the client's address."""

    group: str | None = None
    address: str | None = None


def origin() -> Origin:
    request = current_request.get()
    if request is None:
        return Origin()
    group = getattr(evaluated(getattr(request, "user", None)), "group", None)
    address = peer_address(request.META.get("REMOTE_ADDR", ""))
    return Origin(group and group.name, str(address) if address else None)
