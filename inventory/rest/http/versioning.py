"""The version segment of a URL."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.versioning import URLPathVersioning


class PathVersioning(URLPathVersioning):
    """Takes any version from the path. Views refuse an unknown one after the login."""

    def determine_version(self, request: Request, *args: Any, **kwargs: Any) -> str:
        return str(kwargs.get(self.version_param, self.default_version))
