"""Middleware for requests below /api."""

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

from inventory.logins import TooManyLogins
from inventory.rest.errors import is_api, refused_login

_SLASHES = re.compile("/{2,}")


class ApiMiddleware:
    """Ignores doubled and trailing slashes below /api, on every method, without a redirect.

    Marks API requests with a token, which ignore sessions.
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
    """Skips API requests with a token, which need no session."""

    def __call__(self, request: HttpRequest) -> Any:
        if getattr(request, "with_token", False):
            return self.get_response(request)
        return super().__call__(request)


class SessionMiddleware(_ForBrowsers, sessions.SessionMiddleware):
    """Ignores a session key with NUL, which databases can't compare."""

    def process_request(self, request: HttpRequest) -> None:
        if "\0" in request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        super().process_request(request)


class AuthenticationMiddleware(_ForBrowsers, auth.AuthenticationMiddleware):
    """Also answers logins on pages that are refused. The API has a handler of its own."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refused_login(request, exception) if isinstance(exception, TooManyLogins) else None


class MessageMiddleware(_ForBrowsers, messages.MessageMiddleware):
    pass
