"""System checks: dotted paths in settings and collections lead somewhere, and files are private."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth import get_permission_codename
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Advice
from django.core.exceptions import FieldError
from django.utils.module_loading import import_string

from inventory.private_files import exposed_files
from inventory.querysets import OwnedQuerySet, ResourceQuerySet


@register
def names_lead_somewhere(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every dotted path can be imported, and every collection and subcollection is declared."""
    return [
        Error(f"{origin} names {path}, which can't be imported.", hint=problem, id="inventory.E001")
        for origin, path in _paths()
        if (problem := _problem(path))
    ]


@register
def actions_are_guarded(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every action says which permission it requires, and refuses what its input does not declare."""
    permissions = set(_permissions())
    return [
        Error(f"The action {action.url_path} of {viewset.__name__} {problem}.", id="inventory.E002")
        for viewset in _viewsets()
        for action in viewset.get_extra_actions()
        if (problem := _action_problem(action.kwargs, permissions))
    ]


@register
def roles_permit_something(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every permission of a role is one that a model has."""
    permissions = set(_permissions())
    return [
        Error(f"settings.ROLES[{role!r}] has {name}, a permission that no model has.", id="inventory.E006")
        for role, names in settings.ROLES.items()
        for name in names
        if name not in permissions
    ]


@register
def files_are_private(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Nobody but the owner can read the database file, the keys and the broker."""
    return [
        Advice(f"Others may read {path}.", hint=f"chmod go= {path}", id="inventory.W001")
        for path in exposed_files()
    ]


@register
def rows_can_be_scoped(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The rows of every collection lead to the provider and the tenant that a user may be restricted to."""
    return [
        Error(f"The queryset of {viewset.__name__} {problem}.", id="inventory.E003")
        for viewset in _viewsets()
        if (problem := _scope_problem(viewset.queryset))
    ]


def _scope_problem(rows: Any) -> str:
    if not isinstance(rows, ResourceQuerySet):
        return "is no ResourceQuerySet, so it has no scope"
    for name in ("provider", "tenant"):
        lookup = getattr(rows, name)
        try:
            rows.filter(**{f"{lookup}__isnull": False} if lookup else {})
        except FieldError:
            kind = type(rows).__name__
            return f"has no {lookup}, its lookup for a {name}. If there is none: {name} = None in {kind}"
    if isinstance(rows, OwnedQuerySet) and rows.connected() is not rows:
        return "has rows of providers that are being deleted. Declare it with .connected()"
    return ""


def _action_problem(declared: dict[str, Any], permissions: set[str]) -> str:
    if "permission" not in declared:
        return "names no permission. Without one, whoever may view the resources may run it: permission=None"
    if declared["permission"] not in {None, *permissions}:
        return f"requires {declared['permission']}, a permission that no model has"
    serializer_class = declared.get("serializer_class")
    if serializer_class and not hasattr(serializer_class, "check_keys"):
        return f"takes {serializer_class.__name__}, which is no StrictSerializer and overlooks unknown keys"
    return ""


def _permissions() -> Iterator[str]:
    for model in apps.get_models():
        options = model._meta
        for action in options.default_permissions:
            yield f"{options.app_label}.{get_permission_codename(action, options)}"
        yield from (f"{options.app_label}.{codename}" for codename, _ in options.permissions)


def _viewsets() -> set[Any]:
    return {import_string(path) for _, path in _viewset_paths() if not _problem(path)}


def _paths() -> Iterator[tuple[str, str]]:
    for setting in ("DRIVERS", "TASK_HANDLERS"):
        for key, path in getattr(settings, setting).items():
            yield f"settings.{setting}[{key!r}]", path
    for path in settings.REFRESH_PARTS:
        yield "settings.REFRESH_PARTS", path
    yield from _viewset_paths()
    yield from _filter_paths()


def _viewset_paths() -> Iterator[tuple[str, str]]:
    for collection, path in settings.COLLECTIONS.items():
        yield f"settings.COLLECTIONS[{collection!r}]", path
        viewset = None if _problem(path) else import_string(path)
        for subcollection, declared in getattr(viewset, "subcollections", {}).items():
            yield f"The subcollection {subcollection} of {collection}", declared.viewset


def _filter_paths() -> Iterator[tuple[str, str]]:
    for viewset in _viewsets():
        for name, declared in getattr(viewset, "filters", {}).items():
            if isinstance(declared, str):
                yield f"The filter {name} of {viewset.__name__}", declared


def _problem(path: str) -> str:
    try:
        import_string(path)
    except ImportError as error:
        return str(error)
    return ""
