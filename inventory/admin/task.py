"""Tasks, call rates and leases."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from inventory.admin.base import LinkedAdmin, LinkedChangeList, LinkFilter, ProviderFilter, ReadOnly
from inventory.admin.columns import Linked, ids, link_to, list_url, within_reach
from inventory.messages import TASKS_OF_ACTION
from inventory.models import CallRate, Lease, Task
from inventory.rest.disclosure import Disclosure
from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer
from inventory.services import NotInTime, cancel_task, retry_task

MAY_CANCEL, MAY_RETRY = "inventory.cancel_task", "inventory.retry_task"
#: What a task is about, while it exists.
NAMED: Any = (Linked("provider"), Linked("vm"), Linked("parent"))
#: The counts of a task's parts, each with the parameters of their list.
PARTS: Mapping[str, Mapping[str, str]] = {
    "total": {},
    "queued": {"state__exact": Task.State.QUEUED},
    "active": {"state__exact": Task.State.ACTIVE},
    "ok": {"state__exact": Task.State.FINISHED, "status__exact": Task.Status.OK},
    "warn": {"state__exact": Task.State.FINISHED, "status__exact": Task.Status.WARN},
    "error": {"state__exact": Task.State.FINISHED, "status__exact": Task.Status.ERROR},
}
#: Most ids in a URL.
MAX_IDS = 200


def show_tasks(tasks: Sequence[Task], *, fallback: type[Model]) -> HttpResponseRedirect:
    """Redirect to these tasks, or, if there are none, to the list of another model."""
    if not tasks:
        return redirect(list_url(fallback))
    if len(tasks) > MAX_IDS:
        return redirect(list_url(Task))  # they are at its top: it has the newest first
    return redirect(list_url(Task, id__in=",".join(str(task.pk) for task in tasks)))


class TheseTasksFilter(admin.SimpleListFilter):
    """Shows that the list has only the tasks of one action, and can show all."""

    title = "action"
    parameter_name = "id__in"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        value = self.value()
        return [(value, TASKS_OF_ACTION)] if value else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        value = self.value()
        return queryset.filter(pk__in=ids(value)) if value else queryset


class TaskList(LinkedChangeList):
    @property
    def unfinished(self) -> bool:
        return any(task.state != Task.State.FINISHED for task in self.result_list)


@admin.register(Task)
class TaskAdmin(ReadOnly, LinkedAdmin[Task]):
    """Tasks. Pages with unfinished tasks reload themselves (see the templates)."""

    change_list_template = "admin/inventory/task/change_list.html"
    change_form_template = "admin/inventory/task/change_form.html"
    list_display = ["name", "progress", "outcome", "message", "userid", Linked("vm"), "created_on"]
    list_filter = [
        TheseTasksFilter,
        "state",
        "status",
        ("provider", ProviderFilter),
        ("vm", LinkFilter),
        ("parent", LinkFilter),
    ]
    search_fields = ["name", "message", "userid", "request_id"]
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": ["message", ("progress", "outcome"), "parts"]}),
        (
            "Request",
            {
                "fields": [
                    ("userid", *NAMED),
                    ("created_on", "started_on"),
                    ("next_attempt_on", "updated_on"),
                    "request_id",
                ]
            },
        ),
        ("Details", {"fields": ["details"]}),
    ]
    readonly_fields = ["progress", "outcome", "parts", "details", *NAMED]
    actions = ["cancel", "retry"]
    #: Those of a finished task. The others are of one that waits.
    actions_when_finished: ClassVar[Collection[str]] = ()

    class Media:
        css = {"all": ["inventory/task.css"]}

    def has_view_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """Everybody may see their own tasks. The queryset excludes those of others."""
        return True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TaskList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No lookups into what not everybody may see."""
        field = lookup.partition("__")[0]
        return field not in {"arguments", "context_data"} and super().lookup_allowed(lookup, value, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Task | None:
        """With those parts of its context that the user may see."""
        task = super().get_object(request, object_id, from_field)
        if task:
            task.context_data = Disclosure(Viewer(request.user), Hrefs.of(request, None))(task.context_data)
        return task

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_CANCEL)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_RETRY)

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, tasks: QuerySet[Task]) -> HttpResponse:
        tasks = within_reach(tasks, request, MAY_CANCEL)
        return self._for_each(request, tasks, "Cancelled", partial(cancel_task, user=cast(User, request.user)))

    @admin.action(description="Retry now", permissions=["retry"])
    def retry(self, request: HttpRequest, tasks: QuerySet[Task]) -> HttpResponse:
        tasks = within_reach(tasks, request, MAY_RETRY)
        return self._for_each(request, tasks, "Retrying", retry_task)

    def _for_each(
        self, request: HttpRequest, tasks: QuerySet[Task], verb: str, act: Callable[..., None]
    ) -> HttpResponse:
        selected = list(tasks)
        for task in selected:
            try:
                act(task=task)
            except NotInTime as error:
                messages.error(request, f"{error}.")
            else:
                messages.success(request, format_html("{}: {}", verb, link_to(task)))
        return show_tasks(selected, fallback=Task)

    def page_context(self, request: HttpRequest, row: Task) -> dict[str, Any]:
        """With a button for each action that the state of the task allows."""
        return {**super().page_context(request, row), "task_actions": self._buttons(request, row)}

    def _buttons(self, request: HttpRequest, task: Task) -> dict[str, Any]:
        is_finished = task.state == Task.State.FINISHED
        if not (is_finished or task.waits or task.has_parts):
            return {}
        actions = self.get_actions(request)
        again = {"retry"} if is_finished and task.context_data.get("error") else set()
        return {
            name: actions[name]
            for name in actions
            if (name in self.actions_when_finished) == is_finished or name in again
        }

    @admin.display(description="state", ordering="state")
    def progress(self, task: Task) -> str:
        return f"{task.state} ({task.pct_complete}%)" if task.state == Task.State.ACTIVE else task.state

    @admin.display(description="status", ordering="status")
    def outcome(self, task: Task) -> str:
        """Empty until the task is finished, unless an attempt failed."""
        if task.state != Task.State.FINISHED and task.status == Task.Status.OK:
            return self.get_empty_value_display()
        return format_html('<span class="task-status task-{}">{}</span>', task.status.lower(), task.status)

    @admin.display(description="parts")
    def parts(self, task: Task) -> str:
        """How many of its parts have ended how, with a link to each kind."""
        if not task.has_parts:
            return self.get_empty_value_display()
        conditions = {name: PARTS[name] for name in PARTS if task.context_data.get(name)}
        links = (
            (list_url(Task, parent__id__exact=task.pk, **condition), f"{task.context_data[name]} {name}")
            for name, condition in conditions.items()
        )
        return format_html_join(", ", '<a href="{}">{}</a>', links)

    @admin.display(description="request and result")
    def details(self, task: Task) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(task.context_data, indent=2, ensure_ascii=False))


@admin.register(Lease)
class LeaseAdmin(ReadOnly, LinkedAdmin[Lease]):
    list_display = ["queue", "owner", "ends_on"]
    search_fields = ["queue"]
    ordering = ["ends_on"]


@admin.register(CallRate)
class CallRateAdmin(ReadOnly, LinkedAdmin[CallRate]):
    """Actions whose rate a cloud has limited, with their current rate."""

    list_display = ["action", Linked("provider"), "per_second", "next_on", "refused_on"]
    list_filter = [("provider", ProviderFilter)]
    search_fields = ["action"]
    ordering = ["-refused_on"]
