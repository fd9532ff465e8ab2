"""System checks of the dotted paths in settings and collections; `manage.py check` and every start run them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def names_lead_somewhere(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every dotted path can be imported, and every collection and subcollection is declared."""
    return [
        Error(f"{origin} names {path}, which can't be imported.", hint=problem, id="inventory.E001")
        for origin, path in _paths()
        if (problem := _problem(path))
    ]


def _paths() -> Iterator[tuple[str, str]]:
    for setting in ("DRIVERS", "TASK_HANDLERS", "COLLECTIONS"):
        for key, path in getattr(settings, setting).items():
            yield f"settings.{setting}[{key!r}]", path
    for path in settings.REFRESH_PARTS:
        yield "settings.REFRESH_PARTS", path
    for collection, path in settings.COLLECTIONS.items():
        viewset = None if _problem(path) else import_string(path)
        for subcollection, declared in getattr(viewset, "subcollections", {}).items():
            yield f"The subcollection {subcollection} of {collection}", declared.viewset


def _problem(path: str) -> str:
    try:
        import_string(path)
    except ImportError as error:
        return str(error)
    return ""
