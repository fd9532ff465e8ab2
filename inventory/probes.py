"""Answers for who watches the service: load balancers and Prometheus. They need no login and no right host.

`RequestMiddleware` calls these before anything else, because probes ask by address, over plain HTTP, and often.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

from inventory.health import BrokerState, Unwell, check_database
from inventory.logs import PROBES
from inventory.metrics.exposition import CONTENT_TYPE, everything, may_read

logger = logging.getLogger(__name__)

_broker = BrokerState()
READS = ("GET", "HEAD")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}

#: Returns None where the address is nobody's, as far as this client can know.
Probe = Callable[[HttpRequest], HttpResponse | None]


def alive(request: HttpRequest) -> HttpResponse:
    """The process answers. It asks nobody else, so that no failure of others restarts it."""
    return _answer({"status": "ok"})


class Readiness:
    """Whether requests can be answered: the database is there, with the migrations of this release.

    Without the broker they can: tasks are rows, and the sweep finds them. Reasons are only in the log.
    """

    def __init__(self) -> None:
        self._reason = ""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        database, reason = "ok", ""
        try:
            check_database()
        except Unwell as error:
            database, reason = "not migrated", str(error)
        except (DatabaseError, InterfaceError) as error:
            database, reason = "down", " ".join(str(error).split())
        self._log_change(reason)
        body = {"status": "unready" if reason else "ready", "database": database, "broker": str(_broker)}
        return _answer(body, HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK)

    def _log_change(self, reason: str) -> None:
        """Log a line for each change instead of each probe."""
        before, self._reason = self._reason, reason
        if reason and not before:
            logger.warning("Not ready: %s", reason)
        elif before and not reason:
            logger.info("Ready again")


def metrics(request: HttpRequest) -> HttpResponse | None:
    """What Prometheus reads. For others the address is like any that is nobody's."""
    if request.method not in READS or not may_read(request.META):
        return None
    return _complete(HttpResponse(everything(), content_type=CONTENT_TYPE))


def _answer(body: Mapping[str, Any], status: int = HTTPStatus.OK) -> HttpResponse:
    return _complete(JsonResponse(body, status=status))


def _complete(response: HttpResponse) -> HttpResponse:
    """Set the headers that other answers have from the middleware that these don't reach."""
    for name, value in {**_HEADERS, "Content-Length": str(len(response.content))}.items():
        response.headers[name] = value
    return response


def reading(probe: Probe) -> Probe:
    """Refuses other methods than GET and HEAD."""

    def answer(request: HttpRequest) -> HttpResponse | None:
        return probe(request) if request.method in READS else _complete(HttpResponseNotAllowed(READS))

    return answer


_ALIVE, _READY = PROBES
#: The probes by address.
ANSWERS: Mapping[str, Probe] = {
    _ALIVE: reading(alive),
    _READY: reading(Readiness()),
    "/metrics": metrics,
}
