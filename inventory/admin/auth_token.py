"""Tokens of the API. Users create, list and revoke their own. A new token is shown once."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from inventory import messages
from inventory.admin.columns import visible
from inventory.forms import TokenForm
from inventory.models import AuthToken
from inventory.services import create_token, revoke_token


@admin.register(AuthToken)
class AuthTokenAdmin(admin.ModelAdmin[AuthToken]):
    list_display = ["__str__", "user", "read_only", "group", "created", "last_used_on", "expiry"]
    list_select_related = ["user", "group"]
    search_fields = ["name", "user__username"]
    fields = ["name", "user", "read_only", "group", "addresses", "created", "last_used_on", "expiry", "ends_on"]
    ordering = ["-created"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuthToken]:
        return visible(super().get_queryset(request), request)

    def get_fields(self, request: HttpRequest, obj: AuthToken | None = None) -> Any:
        return super().get_fields(request, obj) if obj else TokenForm.Meta.fields

    def get_form(
        self, request: HttpRequest, obj: AuthToken | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The form for a new token, which knows the user's groups."""
        if obj is None:
            kwargs["form"] = type("NewTokenForm", (TokenForm,), {"user": request.user})
        return super().get_form(request, obj, change, **kwargs)

    # Everybody in the admin has tokens of their own.

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: AuthToken | None = None) -> bool:
        return obj is None or obj.user_id == request.user.pk or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: AuthToken | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuthToken | None = None) -> bool:
        return obj is None or obj.user_id == request.user.pk or super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: AuthToken, form: Any, change: bool) -> None:
        token, text = create_token(user=cast(User, request.user), **form.cleaned_data)
        notices.success(request, f"{messages.token_created(str(token))} {text}")
        obj.pk = token.pk

    def response_add(
        self, request: HttpRequest, obj: AuthToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Return to the list, with the notice of `save_model` alone."""
        return redirect("admin:inventory_authtoken_changelist")

    def delete_model(self, request: HttpRequest, obj: AuthToken) -> None:
        revoke_token(token=obj, user=cast(User, request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AuthToken]) -> None:
        for token in queryset:
            self.delete_model(request, token)
