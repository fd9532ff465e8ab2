"""The API's errors, and the exception handler that turns any error into an answer."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.module_loading import import_string
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from inventory.faults import passes
from inventory.logins import TooManyLogins
from inventory.models import Provider, Vm
from inventory.rest import messages
from inventory.services import LoginEnded, QueueFull, TooManyTokens, TooManyWaiting

logger = logging.getLogger(__name__)

KINDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    412: "precondition_failed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_server_error",
    503: "service_unavailable",
}

#: Exceptions of Django and DRF that are no `APIException`, or have another status here.
STATUSES: dict[type[Exception], int] = {
    Http404: 404,
    PermissionDenied: 403,
    RequestDataTooBig: 413,
    SuspiciousOperation: 400,
    BadRequest: 400,
    exceptions.NotAcceptable: 415,
    exceptions.MethodNotAllowed: 400,
    Provider.DoesNotExist: 404,
    Vm.DoesNotExist: 404,
    QueueFull: 429,
    LoginEnded: 401,
    TooManyTokens: 429,
    TooManyWaiting: 429,
}
#: `Retry-After` while the database is unavailable, in seconds.
DATABASE_WAIT = 2

#: Messages for errors before a view is chosen; Django's own are for operators.
_REASONS: dict[type[Exception | None], str] = {
    DisallowedHost: messages.UNKNOWN_HOST,
}


class BadInput(exceptions.APIException):
    """The request is invalid; the message says why."""

    status_code = 400


class Conflict(exceptions.APIException):
    """The request conflicts with another one."""

    status_code = 409


class NotFound(exceptions.APIException):
    status_code = 404

    def __init__(self, model: str, value: object, attribute: str = "id") -> None:
        super().__init__(messages.not_found(model, value, attribute))


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Render an error as docs/contract.md describes (§6). None for an unexpected one, which is a 500."""
    fallback = 503 if passes(error) else None
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), fallback)
    if status is None and isinstance(error, exceptions.APIException):
        status = error.status_code
    if status is None:
        return None
    set_rollback()
    headers = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        logger.warning("A request failed for want of the database: %s", error)
        headers["Retry-After"] = str(DATABASE_WAIT)
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Response(error_body(status, message_of(error)), status=status, headers=headers)


def error_body(status: int, message: str) -> dict[str, dict[str, str]]:
    kind = KINDS.get(status, "bad_request")
    klass = "".join(word.capitalize() for word in kind.removesuffix("_error").split("_"))
    return {"error": {"kind": kind, "message": message, "klass": f"Api::{klass}Error"}}


def message_of(error: Exception) -> str:
    """The message of an error, in one line."""
    if isinstance(error, exceptions.APIException):
        return "; ".join(_sentences(error.detail))
    if isinstance(error, RequestDataTooBig):
        return messages.BODY_TOO_LARGE
    if passes(error):
        return messages.DATABASE_UNAVAILABLE
    return str(error) or type(error).__name__


def _sentences(detail: Any, path: str = "") -> list[str]:
    """DRF's nested details as `field: message`."""
    if isinstance(detail, dict):
        return [
            sentence
            for name, inner in detail.items()
            for sentence in _sentences(inner, path if name == "non_field_errors" else f"{path}{name}: ")
        ]
    if isinstance(detail, list):
        return [sentence for inner in detail for sentence in _sentences(inner, path)]
    return [f"{path}{detail}"]


#: The route of the API; what is below it follows.
API_ROUTE = r"^api(?:/v(?P<version>\d[^/]*))?(?:/|$)"


def is_api(path: str) -> bool:
    """Whether a path belongs to the API."""
    return path == "/api" or path.startswith("/api/")


def _before_a_view(status: int, view_name: str) -> Any:
    """A handler for errors without a view: ours below /api, Django's page elsewhere."""

    def handler(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        if is_api(request.path_info):
            return _error(request, status, _REASONS.get(type(exception), HTTPStatus(status).phrase))
        kwargs = {} if status == HTTPStatus.INTERNAL_SERVER_ERROR else {"exception": exception}
        page: HttpResponse = import_string(f"django.views.defaults.{view_name}")(request, **kwargs)
        return page

    return handler


def refused_login(request: HttpRequest, error: TooManyLogins) -> HttpResponse:
    """The answer to a login on a page that is refused."""
    response = _error(request, error.status_code, message_of(error))
    response.headers["Retry-After"] = str(error.wait)
    return response


def _error(request: HttpRequest, status: int, message: str) -> HttpResponse:
    """An error as JSON, or as a plain page if the caller prefers HTML; the caller is unknown here."""
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return render(request, "rest/error.html", error_body(status, message), status=status)
    return JsonResponse(error_body(status, message), status=status)


def database_unavailable(request: HttpRequest) -> HttpResponse:
    """The answer to a request that needs the database before a view, and meets a transient error."""
    answer = _error(request, HTTPStatus.SERVICE_UNAVAILABLE, messages.DATABASE_UNAVAILABLE)
    answer["Retry-After"] = str(DATABASE_WAIT)
    return answer


bad_request = _before_a_view(400, "bad_request")
permission_denied = _before_a_view(403, "permission_denied")
page_not_found = _before_a_view(404, "page_not_found")
server_error = _before_a_view(500, "server_error")
