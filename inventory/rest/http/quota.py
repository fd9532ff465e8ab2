"""How many requests a user may send in a minute: `API_REQUESTS`, for all processes together."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException

from inventory.db.request_counts import count_request
from inventory.rest import messages

#: The length of what is counted together, in seconds.
WINDOW = 60


class TooManyRequests(APIException):
    """A request beyond the quota. `wait` is in seconds."""

    status_code = 429

    def __init__(self, wait: int) -> None:
        super().__init__(messages.too_many_requests(settings.API_REQUESTS))
        self.wait = wait


def spend(user: Any) -> None:
    """Count a request of a user. Raises `TooManyRequests` beyond the quota, which ends with the minute."""
    if not settings.API_REQUESTS or user.pk is None:
        return
    minute, second = divmod(int(time.time()), WINDOW)
    if count_request(user.pk, minute) > settings.API_REQUESTS:
        raise TooManyRequests(WINDOW - second)
