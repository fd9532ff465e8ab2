"""What happens to a request under /api before a view is chosen."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from inventory.rest.errors import is_api

_SLASHES = re.compile("/{2,}")


class ApiMiddleware:
    """Doubled and trailing slashes mean nothing under /api, on every method, and cost no redirect."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = _SLASHES.sub("/", request.path_info).rstrip("/")
        if is_api(path):
            request.path = request.path.removesuffix(request.path_info) + path
            request.path_info = path
        return self.get_response(request)
