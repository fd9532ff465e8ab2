"""What happens to a request under /api before a view is chosen."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from inventory.rest.errors import is_api

_SLASHES = re.compile("/{2,}")


class ApiMiddleware:
    """Doubled and trailing slashes mean nothing under /api, on every method, and cost no redirect.

    What comes there with a token is marked: it alone says who is asking.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = _SLASHES.sub("/", request.path_info).rstrip("/")
        if is_api(path):
            request.path = request.path.removesuffix(request.path_info) + path
            request.path_info = path
            request.with_token = "HTTP_X_AUTH_TOKEN" in request.META  # type: ignore[attr-defined]
        return self.get_response(request)


class _ForBrowsers(MiddlewareMixin):
    """Leaves alone what comes to the API with a token: nothing is kept of it."""

    def __call__(self, request: HttpRequest) -> Any:
        if getattr(request, "with_token", False):
            return self.get_response(request)
        return super().__call__(request)


class SessionMiddleware(_ForBrowsers, sessions.SessionMiddleware):
    """Takes a key with NUL, which a cookie can say and no database can be asked for, for none."""

    def process_request(self, request: HttpRequest) -> None:
        if "\0" in request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        super().process_request(request)


class AuthenticationMiddleware(_ForBrowsers, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(_ForBrowsers, messages.MessageMiddleware):
    pass
