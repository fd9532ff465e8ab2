"""Users and groups. Nobody can make anybody, or themselves, more than they are."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from inventory.services import Rank

admin.site.unregister([User, Group])


class RankedAdmin(admin.ModelAdmin[Any]):
    """Objects with rights. Those with more than the user has can be viewed, if anything."""

    def within(self, request: HttpRequest) -> QuerySet[Any]:
        """The objects with no more rights than the user."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within(request, obj)

    def _is_within(self, request: HttpRequest, row: Model | None) -> bool:
        return row is None or self.within(request).filter(pk=row.pk).exists()

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Offer only what the user may hand on."""
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        rank = Rank(request.user)
        if field:
            field.queryset = rank.groups() if db_field.name == "groups" else rank.permissions()
        return field

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        if queryset.exclude(pk__in=self.within(request)).exists():
            raise PermissionDenied
        super().delete_queryset(request, queryset)


@admin.register(User)
class UserAdmin(RankedAdmin, auth.UserAdmin[User]):
    def within(self, request: HttpRequest) -> QuerySet[User]:
        return Rank(request.user).users()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only a superuser makes superusers."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else [*fields, "is_superuser"]


@admin.register(Group)
class GroupAdmin(RankedAdmin, auth.GroupAdmin):
    def within(self, request: HttpRequest) -> QuerySet[Group]:
        return Rank(request.user).groups()
