"""Middleware for every request."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from inventory.logs import request_id

HEADER = "X-Request-Id"
#: What a client may call its request. Anything else could be mistaken for something else in a log.
_TAKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    """Gives each request an id, the client's own if it has one, for the answer, the log and tasks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.META.get("HTTP_X_REQUEST_ID")
        answered = asked if asked and _TAKEN.fullmatch(asked) else uuid.uuid4().hex
        request.request_id = answered  # type: ignore[attr-defined]
        token = request_id.set(answered)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response.headers[HEADER] = answered
        return response
