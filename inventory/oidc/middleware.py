"""Middleware for sessions that began with a login through the provider."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from inventory.faults import passes
from inventory.oidc import sessions
from inventory.oidc.configuration import configuration
from inventory.rest.errors import database_unavailable

logger = logging.getLogger(__name__)


class RenewalMiddleware:
    """Renews sessions, and shows the way to log out of the provider after a logout, from any page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        user_logged_out.connect(_on_logout, dispatch_uid="oidc")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # API requests with a token have no session. Without a cookie, looking would only add Vary to the answer.
        if hasattr(request, "session") and settings.SESSION_COOKIE_NAME in request.COOKIES:
            try:
                sessions.renew(request)
            except DatabaseError as error:
                if not passes(error):
                    raise
                logger.warning("A session could not be read for want of the database: %s", error)
                return database_unavailable(request)
        response = self.get_response(request)
        if address := getattr(request, "oidc_logout_address", None):
            # A page, because the browser may not follow a redirect of the form to another site (CSP form-action).
            page = render(request, "oidc/logged_out.html", {"address": address, "name": configuration().name})
            page.cookies = response.cookies
            page["Cache-Control"] = "no-store"
            return page
        return response


def _on_logout(request: HttpRequest, **kwargs: object) -> None:
    request.oidc_logout_address = sessions.end(request)  # type: ignore[attr-defined]
