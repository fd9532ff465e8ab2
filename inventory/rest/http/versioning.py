"""The version segment of a URL."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.versioning import URLPathVersioning


class PathVersioning(URLPathVersioning):
    """Takes the version as it stands in the path: views refuse an unknown one, but only after the login."""

    def determine_version(self, request: Request, *args: Any, **kwargs: Any) -> str:
        return str(kwargs.get(self.version_param, self.default_version))
