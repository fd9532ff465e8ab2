"""Filtering and formatting the log."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any

#: The user and password of a URL.
USERINFO = re.compile(r"(?<=://)[^/?#\s'\"]*@")
#: Headers with credentials.
CREDENTIALS = ("Authorization", "X-Auth-Token")


class SecretFreeFormatter(logging.Formatter):
    """Removes users and passwords in URLs from lines and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return USERINFO.sub("***@", super().format(record))


def is_worth_a_line(record: Any) -> bool:
    """Drops refused requests without credentials, and requests for the missing favicon."""
    request = getattr(record, "request", None)
    match getattr(record, "status_code", None):
        case HTTPStatus.UNAUTHORIZED:
            return request is None or any(name in request.headers for name in CREDENTIALS)
        case HTTPStatus.NOT_FOUND:
            return request is None or request.path_info != "/favicon.ico"
    return True
