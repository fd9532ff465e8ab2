"""The drivers in `settings.DRIVERS`."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from inventory.drivers.base import Driver


def provider_type(name: str) -> str | None:
    """The full provider type for a full or short (`amazon`) name; None if there is no driver."""
    if name in settings.DRIVERS:
        return name
    return next((full for full in settings.DRIVERS if driver_class(full).vendor == name), None)


def known_types() -> list[str]:
    """The full and short names of all provider types."""
    return [name for full in settings.DRIVERS for name in (full, driver_class(full).vendor)]


def types_without_credentials() -> list[str]:
    """Those of `known_types` that need no credentials."""
    needing = {name: driver_class(provider_type(name) or "").needs_credentials for name in known_types()}
    return [name for name, needs in needing.items() if not needs]


@cache
def _load(path: str) -> type[Driver]:
    loaded: type[Driver] = import_string(path)
    return loaded


def driver_class(provider_type: str) -> type[Driver]:
    """The driver of a provider type; `KeyError` if there is none."""
    return _load(settings.DRIVERS[provider_type])
