"""Failed logins. Deleting those of a user lets the user in again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from inventory.models import LoginFailure


@admin.register(LoginFailure)
class LoginFailureAdmin(admin.ModelAdmin[LoginFailure]):
    list_display = ["failed_on", "address", "user"]
    list_select_related = ["user"]
    search_fields = ["address", "user__username"]
    fields = ["failed_on", "address", "user"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
