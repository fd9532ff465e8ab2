"""Columns with links to related objects."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from django.contrib import messages as notices
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db.models import CASCADE, Model, Prefetch, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inventory import messages
from inventory.db.conditions import EVERYTHING
from inventory.models import Provider
from inventory.querysets import ResourceQuerySet
from inventory.restrictions import restriction_of

M = TypeVar("M", bound=Model)
Rows = TypeVar("Rows", bound=QuerySet[Any])


def visible(rows: QuerySet[M], request: HttpRequest) -> QuerySet[M]:
    """The rows that the user may see; all rows of models that are no resources, such as tokens."""
    return rows.visible_to(request.user) if isinstance(rows, ResourceQuerySet) else rows


def within_reach(rows: QuerySet[M], request: HttpRequest, permission: str) -> QuerySet[M]:
    """Those of these rows that the user's permission reaches. A notice says of how many others it does not."""
    user = cast(User, request.user)
    reached = cast(ResourceQuerySet, rows).visible_to(user, permission)
    if restriction_of(user, permission) is None:
        return cast(QuerySet[M], reached)
    if beyond := rows.count() - reached.count():
        notices.error(request, messages.beyond_grants(beyond))
    return cast(QuerySet[M], reached)


def visible_rows(model: type[M], request: HttpRequest) -> QuerySet[M]:
    """The rows of a model that the user may see."""
    return visible(model._default_manager.all(), request)


def sees_all(model: type[Model], request: HttpRequest) -> bool:
    """Whether the user may see every row of a model."""
    rows = model._default_manager.all()
    return not isinstance(rows, ResourceQuerySet) or rows.scope_of(cast(User, request.user)) is EVERYTHING


def with_named(rows: Rows, request: HttpRequest, *names: str) -> Rows:
    """Fetch the rows that these foreign keys refer to, unless the user may not see them."""
    for name in names:
        target: Any = rows.model._meta.get_field(name).related_model
        credentials = ["credentials"] if target is Provider else []  # never shown: not fetched, so not decrypted
        if sees_all(target, request):
            rows = rows.select_related(name).defer(*(f"{name}__{column}" for column in credentials))
        else:
            rows = rows.prefetch_related(Prefetch(name, visible_rows(target, request).defer(*credentials)))
    return rows


def link_to(row: Model) -> SafeString:
    """The row's name, linked to its page."""
    return format_html('<a href="{}">{}</a>', reverse(_view(type(row), "change"), args=[quote(row.pk)]), row)


def list_url(model: type[Model], **lookups: Any) -> str:
    """The address of a model's list, filtered by these lookups."""
    return reverse(_view(model, "changelist"), query=lookups)


def ids(text: str) -> list[int]:
    """The comma-separated ids in a URL, without those that can't be ids (SQLite has 64 bits)."""
    return [int(part) for part in text.split(",") if part.isdecimal() and len(part) < 19]


def _view(model: type[Model], view: str) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}"


class Linked:
    """A column with a link to a foreign key's object, unless its provider is being deleted."""

    def __init__(self, field: str) -> None:
        self.__name__ = field
        self.short_description = field.replace("_", " ")
        self.admin_order_field = f"{field}__name"

    def __call__(self, row: Model) -> str:
        target = getattr(row, self.__name__, None)
        provider = getattr(row, "provider", None)
        return link_to(target) if target and not (provider and provider.deleted_on) else ""


class Counted:
    """A column with the number of rows of `model` whose `field` (a lookup) is this row, linked to their list."""

    def __init__(self, model: type[Model], field: str) -> None:
        self.model, self.field = model, field
        self.short_description = str(model._meta.verbose_name_plural)
        self.__name__ = self.admin_order_field = f"{model._meta.model_name}_count"

    def __call__(self, row: Model) -> str:
        return format_html('<a href="{}">{}</a>', self.url(row), getattr(row, self.__name__))

    def url(self, row: Model) -> str:
        return list_url(self.model, **{f"{self.field}__id__exact": row.pk})

    def rows(self, request: HttpRequest, **lookups: Any) -> Any:
        return visible_rows(self.model, request).filter(**lookups)

    def count(self, request: HttpRequest) -> Subquery:
        """For `annotate`. It is a subquery, because several joins would multiply each other's rows."""
        number: Subquery = self.rows(request).number_of_each(self.field)
        return number

    @property
    def goes_with_its_row(self) -> bool:
        """Whether the counted rows are deleted together with this row."""
        return getattr(self.model._meta.get_field(self.field).remote_field, "on_delete", None) is CASCADE
