"""Reverting tasks, from the list and the page of tasks."""

from __future__ import annotations

from typing import cast

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from inventory import admin as base
from inventory.admin.task import show_tasks
from inventory.models import Task
from secgroups.messages import cannot
from secgroups.reverting import messages
from secgroups.services import Accepted, Refused, decide_revert, may_revert, request_reverts
from secgroups.services.reverts import Decision

admin.site.unregister(Task)


@admin.register(Task)
class TaskAdmin(base.TaskAdmin):
    actions = [*base.TaskAdmin.actions, "revert"]
    actions_when_finished = ("revert",)

    def has_revert_permission(self, request: HttpRequest) -> bool:
        return may_revert(cast(User, request.user))

    @admin.action(description="Revert", permissions=["revert"])
    def revert(self, request: HttpRequest, tasks: QuerySet[Task]) -> HttpResponse:
        user = cast(User, request.user)
        answers = request_reverts(decisions=[_decision(task, user) for task in tasks], user=user)
        for answer in answers:
            notify = notices.success if isinstance(answer, Accepted) else notices.error
            notify(request, answer.message)
        return show_tasks([answer.task for answer in answers if isinstance(answer, Accepted)], fallback=Task)


def _decision(task: Task, user: User) -> Decision:
    try:
        return decide_revert(task, user=user)
    except PermissionDenied as error:
        return Refused(cannot("revert", messages.called(task.pk), error))
