"""What is for a while, and changing its ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from inventory.admin.base import LinkedAdmin, LinkFilter, ProviderFilter, ReadOnly
from inventory.admin.columns import Linked
from inventory.admin.task import show_tasks
from inventory.db.clock import database_now
from inventory.models import Task
from secgroups import messages
from secgroups.forms import ExtendForm
from secgroups.models import Expiration
from secgroups.querysets import ExpirationQuerySet
from secgroups.services import (
    Accepted,
    Refused,
    TooLate,
    decide_end,
    duration_of,
    extend_expiration,
    keep_expiration,
    may_change_ends,
    request_ends,
    require_ending,
)


@admin.register(Expiration)
class ExpirationAdmin(ReadOnly, LinkedAdmin[Expiration]):
    list_display = [
        "expires_on",
        Linked("security_group"),
        Linked("vm"),
        "rule",
        "reason",
        "userid",
        Linked("provider"),
    ]
    list_filter = [
        ("provider", ProviderFilter),
        ("security_group", LinkFilter),
        ("vm", LinkFilter),
        ("firewall_rule", LinkFilter),
    ]
    search_fields = ["reason", "userid", "security_group__name", "vm__name"]
    ordering = ["expires_on", "id"]
    fields = [
        "expires_on",
        "reason",
        ("security_group", "vm", "firewall_rule"),
        ("userid", "task", "created_on"),
        "provider",
    ]
    action_form = ExtendForm
    actions = ["extend", "keep", "end"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Expiration]:
        return cast(ExpirationQuerySet, super().get_queryset(request)).settled()

    def has_ends_permission(self, request: HttpRequest) -> bool:
        return may_change_ends(cast(User, request.user))

    @admin.display(description="firewall rule")
    def rule(self, expiration: Expiration) -> str:
        return expiration.firewall_rule.ems_ref if expiration.firewall_rule else ""

    @admin.action(description="Extend", permissions=["ends"])
    def extend(self, request: HttpRequest, expirations: QuerySet[Expiration]) -> None:
        """Move the ends so long from now as the field beside the action says."""
        text = request.POST.get("duration", "")
        try:
            expires_on = require_ending(database_now(), duration=duration_of(text) if text else None)
        except ValidationError as error:
            notices.error(request, " ".join(error.messages))
            return
        act = partial(extend_expiration, expires_on=expires_on)
        said = partial(messages.extended, time=expires_on)
        self._for_each(request, expirations, act, said, messages.cannot_extend)

    @admin.action(description="Keep for good", permissions=["ends"])
    def keep(self, request: HttpRequest, expirations: QuerySet[Expiration]) -> None:
        self._for_each(request, expirations, keep_expiration, messages.kept, messages.cannot_keep)

    @admin.action(description="End now", permissions=["ends"])
    def end(self, request: HttpRequest, expirations: QuerySet[Expiration]) -> HttpResponse | None:
        user = cast(User, request.user)
        answers: list[Accepted | Refused] = []
        for expiration in expirations:
            subject = messages.expiration_called(expiration.pk)
            try:
                answers += request_ends([decide_end(expiration=expiration, user=user)], user=user)
            except (PermissionDenied, TooLate, ObjectDoesNotExist) as error:
                answers.append(Refused(messages.cannot_end(subject, str(error))))
        for answer in answers:
            notify = notices.success if isinstance(answer, Accepted) else notices.error
            notify(request, answer.message)
        tasks = [answer.task for answer in answers if isinstance(answer, Accepted)]
        return show_tasks(tasks, fallback=Task) if tasks else None

    def _for_each(
        self,
        request: HttpRequest,
        expirations: QuerySet[Expiration],
        act: Callable[..., None],
        done: Callable[[str], str],
        refused: Callable[[str, str], str],
    ) -> None:
        for expiration in expirations:
            subject = messages.expiration_called(expiration.pk)
            try:
                act(expiration=expiration, user=cast(User, request.user))
            except (PermissionDenied, TooLate, ObjectDoesNotExist) as error:
                notices.error(request, refused(subject, str(error)))
            else:
                notices.success(request, done(subject))
