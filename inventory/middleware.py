"""Middleware for every request."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from functools import cache
from random import getrandbits

from django.conf import settings
from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest, HttpResponse

from inventory.db.inspection import evaluated
from inventory.login_events import note_refusal
from inventory.logs import request_id
from inventory.metrics.requests import requests
from inventory.origin import current_request
from inventory.probes import ANSWERS
from inventory.rest.errors import API_ROUTE

logger = logging.getLogger("inventory.access")

HEADER = "X-Request-Id"
#: What a client may call its request. Anything else could be mistaken for something else in a log.
_TAKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: The methods that are told apart. Clients may send any word.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: The route of requests that have none: unknown addresses, foreign hosts.
NO_ROUTE = "none"


class RequestMiddleware:
    """Gives each request an id, the client's own if it has one, measures it and logs it. Answers probes itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        client_id = request.META.get("HTTP_X_REQUEST_ID", "")
        answered = client_id if _TAKEN.fullmatch(client_id) else f"{getrandbits(128):032x}"  # nosec B311 - no secret
        request.request_id = answered  # type: ignore[attr-defined]
        token, request_token = request_id.set(answered), current_request.set(request)
        try:
            probe = ANSWERS.get(request.path_info)
            response = probe(request) if probe else None
            if response is None:
                response = self.get_response(request)
                _note(request, response, time.perf_counter() - started)
                note_refusal(request, response)
        finally:
            request_id.reset(token)
            current_request.reset(request_token)
        response.headers[HEADER] = answered
        return response


def _note(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Measure and log a request that was answered."""
    route, status = route_of(request), response.status_code
    method = request.method if request.method in _METHODS else "other"
    requests.note((route, method, status, seconds))
    if logger.isEnabledFor(logging.INFO):
        user = evaluated(getattr(request, "user", None))
        fields = {
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "user": (user and user.get_username()) or None,
        }
        logger.info("%s %s %d", method, route, status, extra=fields)


def route_of(request: HttpRequest) -> str:
    """The pattern of the request's address, which has no values of the client: `/api/instances/<pk>`."""
    if match := request.resolver_match:
        return _template(match.route)
    return _STATIC if request.path.startswith(settings.STATIC_URL) else NO_ROUTE


_STATIC = "/static/<path>"


@cache
def _template(route: str) -> str:
    """A route for people, the same for every version of the API."""
    return simplify_regex(route.replace(API_ROUTE, "api/"))
