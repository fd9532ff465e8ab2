"""What the admins of both apps share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import User
from django.db.models import Field, OuterRef, QuerySet, Subquery
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse

from inventory.admin.columns import Counted, Linked, M, ids, sees_all, visible, visible_rows, with_named
from inventory.models import Provider
from inventory.querysets import reaches


class Tool(NamedTuple):
    """A button on the page of an object."""

    label: str
    url: str


class ReadOnly:
    """Rows that can only be viewed."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LinkedChangeList(ChangeList):
    """A list that is sorted by what the user may see."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        model_admin = cast(LinkedAdmin[Any], self.model_admin)
        return [model_admin.seen(request, name) for name in super().get_ordering(request, queryset)]


class LinkedAdmin(admin.ModelAdmin[M]):
    """Lists and pages with links to related objects, fetched in a fixed number of queries.

    `counts` are columns of the list and links on the page. `links` are on the page only.
    """

    counts: ClassVar[Sequence[Counted]] = ()
    links: ClassVar[Sequence[Counted]] = ()
    change_form_template = "admin/inventory/linked_change_form.html"
    show_full_result_count = False  # it would count all rows again on each filtered page
    list_per_page = 50

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._reaches(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._reaches(request, "delete", obj)

    def _reaches(self, request: HttpRequest, action: str, row: M | None) -> bool:
        permission = f"{self.opts.app_label}.{get_permission_codename(action, self.opts)}"
        return row is None or reaches(cast(User, request.user), permission, self.model, row.pk, is_seen=True)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_display(request), *self.counts]

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        relations = [field.name for field in self.opts.concrete_fields if field.many_to_one]
        rows: QuerySet[M] = visible(super().get_queryset(request), request)
        rows = rows.annotate(**{column.__name__: column.count(request) for column in self.counts})
        rows = rows.alias(**dict(self._partly_hidden(request).values()))
        return with_named(rows, request, *relations)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LinkedChangeList

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [self.seen(request, name) for name in super().get_search_fields(request)]

    def seen(self, request: HttpRequest, path: Any) -> Any:
        """What a search or an order takes for an attribute of another row: null, if the user may not see that row.

        Otherwise the order of rows, or which of them are found, would tell it.
        """
        descends, name = (path[:1] == "-", path.lstrip("-")) if isinstance(path, str) else (False, path)
        hidden = self._partly_hidden(request)
        return f"{'-' * descends}{hidden[name][0]}" if name in hidden else path

    def _partly_hidden(self, request: HttpRequest) -> dict[str, tuple[str, Subquery]]:
        """By path, the alias and the expression of attributes of other rows of which the user sees only some."""
        columns = [column.admin_order_field for column in self.list_display if isinstance(column, Linked)]
        aliases = {}
        ordering = (name.lstrip("-") for name in self.ordering or () if isinstance(name, str))
        for path in {*self.search_fields, *ordering, *columns}:
            relation, _, attribute = path.partition(LOOKUP_SEP)
            model: Any = self.opts.get_field(relation).related_model if attribute else None
            if model and not sees_all(model, request):
                rows = visible_rows(model, request).filter(pk=OuterRef(relation)).order_by()
                aliases[path] = f"seen_{relation}_{attribute}", Subquery(rows.values(attribute)[:1])
        return aliases

    def get_tools(self, request: HttpRequest, row: M) -> list[Tool]:
        return [
            Tool(related.short_description, related.url(row))
            for related in (*self.counts, *self.links)
            if self.admin_site.get_model_admin(related.model).has_view_permission(request)
        ]

    def page_context(self, request: HttpRequest, row: M) -> dict[str, Any]:
        """What the template of a row's page shows beside the form."""
        return {"tools": self.get_tools(request, row)}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: M | None = None,
    ) -> HttpResponse:
        if obj:
            context.update(self.page_context(request, obj))
        return super().render_change_form(request, context, add, change, form_url, obj)


class ProviderFilter(admin.RelatedFieldListFilter):
    """By provider. The stock filter would fetch whole providers and decrypt their credentials."""

    def field_choices(
        self, field: Field[Any, Any], request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        return list(Provider.objects.visible_to(request.user).order_by("name").values_list("pk", "name"))


class LinkFilter(admin.RelatedFieldListFilter):
    """Shows which object a link has filtered by, and can remove that; for relations too large to list."""

    include_empty_choice = False

    def has_output(self) -> bool:
        return self.lookup_val is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """Nothing, if the user may not see the object: otherwise the list would tell what belongs to it."""
        if len(self.lookup_choices) < len(self.lookup_val or []):
            return queryset.none()
        return super().queryset(request, queryset)

    def field_choices(
        self, field: Field[Any, Any], request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        model: Any = field.related_model
        rows = visible_rows(model, request)
        return [(row.pk, str(row)) for row in rows.filter(pk__in=ids(",".join(self.lookup_val or [])))]
