"""Logins through OpenID Connect. Adding one links an existing account to a user of the provider."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from inventory.admin.accounts import RankedAdmin
from inventory.models import OidcIdentity
from inventory.services import Rank


class OidcIdentityAdmin(RankedAdmin):
    list_display = ["user", "subject", "issuer", "created_on"]
    list_select_related = ["user"]
    search_fields = ["user__username", "subject"]
    fields = ["user", "subject", "issuer"]
    autocomplete_fields = ["user"]

    def within(self, request: HttpRequest) -> QuerySet[OidcIdentity]:
        return self.get_queryset(request).filter(user__in=Rank.of(request).users())

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Link accounts that the user may change: a link is as good as a password."""
        return super().formfield_for_foreignkey(db_field, request, queryset=Rank.of(request).users(), **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"issuer": getattr(settings.OIDC, "issuer", "")} | super().get_changeform_initial_data(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


if settings.OIDC:
    admin.site.register(OidcIdentity, OidcIdentityAdmin)
