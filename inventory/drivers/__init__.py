"""The drivers in `settings.DRIVERS`."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from inventory.drivers.base import Driver


@cache
def _load(path: str) -> type[Driver]:
    loaded: type[Driver] = import_string(path)
    return loaded


def driver_class(vendor: str) -> type[Driver]:
    """The driver of a vendor; `KeyError` if there is none."""
    return _load(settings.DRIVERS[vendor])
