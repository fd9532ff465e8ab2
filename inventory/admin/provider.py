"""The connected clouds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm, model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from inventory.admin.columns import Counted, link_to, within_reach
from inventory.admin.refreshable import RefreshableAdmin
from inventory.admin.task import show_tasks
from inventory.encryption import UnreadableSecret
from inventory.forms import ProviderForm, ProviderTestForm, clouds
from inventory.messages import READING_INVENTORY, nothing_saved
from inventory.models import CloudNetwork, CloudTenant, Instance, NetworkPort, Provider, Task, Vm
from inventory.restrictions import restriction_of
from inventory.services import (
    QueueFull,
    TooManyWaiting,
    Verdict,
    connect_provider,
    delete_provider,
    edit_provider,
    request_refresh,
    verify_credentials,
)


class CloudFilter(admin.SimpleListFilter):
    title = "cloud"
    parameter_name = "vendor"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return clouds()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Provider]) -> QuerySet[Provider]:
        return queryset.filter(vendor=self.value()) if self.value() else queryset


@admin.register(Provider)
class ProviderAdmin(RefreshableAdmin[Provider]):
    form = ProviderForm
    list_display = ["name", "cloud", "provider_region", "enabled", "last_refresh"]
    list_filter = ["enabled", CloudFilter, "provider_region", "last_refresh_date"]
    search_fields = ["name", "provider_region", "hostname", "url", "guid"]
    ordering = ["name"]
    counts = [Counted(Vm, "provider")]
    links = [
        Counted(CloudTenant, "provider"),
        Counted(CloudNetwork, "provider"),
        Counted(Instance, "provider"),
        Counted(NetworkPort, "provider"),
        Counted(Task, "provider"),
    ]
    actions = ["refresh", "refresh_by_force", "delete_selected"]
    fieldsets = [
        (None, {"fields": ["name", "vendor", "enabled", "provider_region", "url"]}),
        (
            "Credentials",
            {
                "fields": ["credentials_stored", "auth_type", ("userid", "password")],
                "description": "Stored credentials are never shown. Leave both blank to keep them, or for files.",
            },
        ),
        (
            "Advanced",
            {
                "fields": [
                    ("hostname", "port", "path", "security_protocol"),
                    "verify_ssl",
                    "certificate_authority",
                    ("project", "uid_ems"),
                    "interface",
                ],
                "classes": ["collapse"],
            },
        ),
        ("Last refresh", {"fields": [("last_refresh_date", "last_refresh_error")]}),
    ]
    readonly_fields = ["credentials_stored", "last_refresh_date", "last_refresh_error"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only for who reaches everything: a new provider is in nobody's grants."""
        reaches_everything = restriction_of(cast(User, request.user), "inventory.add_provider") is None
        return super().has_add_permission(request) and reaches_everything

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        """Without those that the user may only name."""
        rows: Any = super().get_queryset(request)
        return cast(
            QuerySet[Provider], rows.visible_to(request.user, "inventory.view_provider").defer("credentials")
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> list[str]:
        """The vendor of a provider can't be changed: its inventory belongs to that cloud."""
        return [*self.readonly_fields, "vendor"] if obj else self.readonly_fields

    @admin.display(description="cloud", ordering="vendor")
    def cloud(self, provider: Provider) -> str:
        return provider.driver_class.title if provider.driver_class else provider.vendor

    @admin.display(description="last refresh", ordering="last_refresh_date")
    def last_refresh(self, provider: Provider) -> str | datetime | None:
        """The error of the last refresh, or else its time."""
        return provider.last_refresh_error or provider.last_refresh_date

    @admin.display(description="stored")
    def credentials_stored(self, provider: Provider) -> str:
        try:
            return "Yes" if provider.credentials else "No"
        except UnreadableSecret as error:
            return str(error)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form again if the queue is full for the refresh that follows."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except QueueFull as error:
            cast(Any, request).refusal = nothing_saved(error)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: Provider | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Provider]]:
        form = super().get_form(request, obj, change, **kwargs)
        cast(Any, form).refusal = getattr(request, "refusal", None)
        return form

    def save_model(self, request: HttpRequest, obj: Provider, form: ModelForm[Provider], change: bool) -> None:
        user = cast(User, request.user)
        if change:
            task = edit_provider(provider=obj, user=user, **cast(ProviderForm, form).changes())
        else:
            provider = connect_provider(user=user, **model_to_dict(obj, exclude=["id"]))
            obj.pk, task = provider.pk, provider.tasks.first()
        if task:
            messages.info(request, format_html(READING_INVENTORY, link_to(task)))

    def delete_model(self, request: HttpRequest, obj: Provider) -> None:
        self._delete(request, [obj])

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        deletions = Task.objects.visible_to(request.user).of_queue(f"providers/{obj_id}").deletions()
        return show_tasks(list(deletions), fallback=Provider)

    @admin.action(description="Delete", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, providers: QuerySet[Provider]) -> HttpResponse | None:
        """Django's page asks for confirmation first."""
        providers = within_reach(providers, request, "inventory.delete_provider")
        if not request.POST.get("post"):
            return cast(HttpResponse | None, delete_selected(self, request, providers))
        with transaction.atomic():
            self.log_deletions(request, providers)
            tasks = self._delete(request, providers)
        return show_tasks(tasks, fallback=Provider)

    def _delete(self, request: HttpRequest, providers: Iterable[Provider]) -> list[Task]:
        user = cast(User, request.user)
        tasks = [delete_provider(provider=provider, user=user) for provider in providers]
        for task in tasks:
            messages.success(request, format_html("Accepted: {}", link_to(task)))
        return tasks

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.verify_view)
        pages = [
            path("verify/", view, name="inventory_provider_verify"),
            path("<int:pk>/verify/", view, name="inventory_provider_verify"),
        ]
        return [*pages, *super().get_urls()]

    def verify_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Test the connection in the form of a new or stored provider. Saves nothing."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        provider = get_object_or_404(self.get_queryset(request), pk=pk) if pk else None
        if not (self.has_change_permission(request, provider) if provider else self.has_add_permission(request)):
            raise PermissionDenied
        form_class = self.get_form(request, provider, change=bool(provider), form=ProviderTestForm)
        form = form_class(request.POST, instance=provider)
        for name in self.get_readonly_fields(request, provider):
            form.fields.pop(name, None)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Test of {provider or 'a new provider'}",
            "opts": self.opts,
            "form": form,
            "verdict": self._verdict(cast(ProviderTestForm, form), request) if form.is_valid() else None,
        }
        return TemplateResponse(request, "admin/inventory/provider/verify.html", context)

    def _verdict(self, form: ProviderTestForm, request: HttpRequest) -> Verdict:
        try:
            [verdict] = verify_credentials(providers=[form.described()], user=cast(User, request.user))
        except TooManyWaiting as error:
            return Verdict(False, str(error))
        return verdict

    def request_refresh(self, row: Provider, user: User, force: bool) -> Task:
        return request_refresh(provider=row, user=user, force=force)

    def get_deleted_objects(
        self, objs: Sequence[Provider] | QuerySet[Provider], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Count what is deleted with a provider instead of listing it. It needs no permission of its own."""
        counts = {
            related.short_description: related.rows(request, **{f"{related.field}__in": objs}).count()
            for related in (*self.counts, *self.links)
            if related.goes_with_its_row and not related.model._meta.proxy
        }
        return [str(provider) for provider in objs], counts, set(), []
