"""The action that refreshes the selected objects."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from inventory import messages
from inventory.admin.base import LinkedAdmin
from inventory.admin.columns import M, link_to, within_reach
from inventory.admin.task import show_tasks
from inventory.drivers.values import Kind, Scope
from inventory.models import Task
from inventory.services import request_refresh_of

MAY_REFRESH = "inventory.refresh_provider"
#: Most objects to refresh one by one; for more, refreshing the provider is quicker.
MAX_SELECTED = 200


class RefreshableAdmin(LinkedAdmin[M]):
    """A list whose objects can be refreshed."""

    #: What drivers call them; unset for providers.
    kind: ClassVar[Kind]
    actions = ["refresh"]

    def has_refresh_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_REFRESH)

    @admin.action(description="Refresh from the cloud", permissions=["refresh"])
    def refresh(self, request: HttpRequest, rows: QuerySet[M]) -> HttpResponse | None:
        return self._refresh(request, rows)

    @admin.action(description="Force refresh (ignore the deletion limit)", permissions=["refresh"])
    def refresh_by_force(self, request: HttpRequest, rows: QuerySet[M]) -> HttpResponse | None:
        return self._refresh(request, rows, force=True)

    def _refresh(self, request: HttpRequest, rows: QuerySet[M], *, force: bool = False) -> HttpResponse | None:
        rows = within_reach(rows, request, MAY_REFRESH)
        # A refresh depends on the provider, whether or not the list may show it.
        selected = list(rows.prefetch_related(None)[: MAX_SELECTED + 1])
        if len(selected) > MAX_SELECTED:
            notices.error(request, messages.too_many_selected(MAX_SELECTED))
            return None
        with transaction.atomic():
            tasks = [self.request_refresh(row, cast(User, request.user), force) for row in selected]
        for task in tasks:
            notices.success(request, format_html("Queued: {}", link_to(task)))
        return show_tasks(tasks, fallback=self.model)

    def request_refresh(self, row: Any, user: User, force: bool) -> Task:
        scope = Scope(self.kind, row.ems_ref)
        return request_refresh_of(scope=scope, name=row.name, provider=row.provider, user=user, force=force)
