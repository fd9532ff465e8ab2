"""What stands in the log, and what does not."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any

#: The user and password of a URL.
USERINFO = re.compile(r"(?<=://)[^/?#\s'\"]*@")
#: What a request has that says who asks.
CREDENTIALS = ("Authorization", "X-Auth-Token")


class SecretFreeFormatter(logging.Formatter):
    """Lines, and tracebacks, without what a URL says of users and passwords."""

    def format(self, record: logging.LogRecord) -> str:
        return USERINFO.sub("***@", super().format(record))


def is_worth_a_line(record: Any) -> bool:
    """Of refused requests: not that somebody without credentials was asked for them, nor that there is no icon."""
    request = getattr(record, "request", None)
    match getattr(record, "status_code", None):
        case HTTPStatus.UNAUTHORIZED:
            return request is None or any(name in request.headers for name in CREDENTIALS)
        case HTTPStatus.NOT_FOUND:
            return request is None or request.path != "/favicon.ico"
    return True
