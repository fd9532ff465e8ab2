"""Asking a cloud for a preview, while a request waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User

from inventory.capacity import NoThreadLeft, Share
from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError
from inventory.models import Provider
from inventory.rate_limit import SharedRateLimiter
from inventory.services import TooManyTests, may_see
from secgroups.previews import messages

#: Timeout for each part of an answer and for the whole, in seconds.
PATIENCE = 8.0

_quarter = Share(4)


class TooManyPreviews(TooManyTests):
    def __init__(self) -> None:
        Exception.__init__(self, messages.TOO_MANY)


@contextmanager
def asking(provider: Provider) -> Iterator[Driver]:
    """A driver for calls that change nothing. Raises `TooManyPreviews` if too many requests wait for clouds."""
    try:
        with _quarter.thread():
            yield provider.driver(SharedRateLimiter(provider), patience=PATIENCE)
    except NoThreadLeft:
        raise TooManyPreviews from None


def shown(error: CloudError, provider: Provider, user: User) -> CloudError:
    """The error as a user may see it; see `Audience`."""
    general = error.in_general()
    return error if general is error or may_see(user, provider) else general
