"""Asking a cloud for a preview, while a request waits."""

from __future__ import annotations

from django.contrib.auth.models import User

from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError
from inventory.encryption import UnreadableSecret
from inventory.faults import unforeseen
from inventory.models import Provider
from inventory.rate_limit import PreviewRateLimiter
from inventory.services import may_see


def driver_class_of(provider: Provider) -> type[Driver]:
    """The driver of a provider whose groups can be changed, as others are refused before."""
    if (driver := provider.driver_class) is None:
        raise LookupError("a change without a driver is refused before")
    return driver


def driver_of(provider: Provider) -> Driver:
    """A driver for calls that change nothing."""
    return provider.driver(PreviewRateLimiter(provider))


def is_unanswered(error: Exception) -> bool:
    """Whether the cloud did not answer, so that a task would ask again."""
    return isinstance(error, CloudError) and not error.permanent


def shown(error: Exception, provider: Provider, user: User) -> CloudError:
    """The error as a user may see it; see `Audience`. An unexpected one is logged."""
    if not isinstance(error, CloudError):
        return CloudError(unforeseen(error, f"A preview for {provider}"))
    general = error.in_general()
    is_for_all = general is error or isinstance(error, UnreadableSecret)
    return error if is_for_all or may_see(user, provider) else general
