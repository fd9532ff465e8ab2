"""Users and groups. Nobody can make anybody, or themselves, more than they are."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from inventory.services import Rank, on_behalf_of, record_loss

admin.site.unregister([User, Group])


class RankedAdmin(admin.ModelAdmin[Any]):
    """Objects with rights. Those with more than the user has can be viewed, if anything."""

    def within(self, request: HttpRequest) -> QuerySet[Any]:
        """The objects with no more rights than the user."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        may_change = super().has_change_permission(request, obj)
        return may_change and (obj is None or self.within(request).filter(pk=obj.pk).exists())

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        may_delete = super().has_delete_permission(request, obj)
        return may_delete and (obj is None or self.deletable(request).filter(pk=obj.pk).exists())

    def deletable(self, request: HttpRequest) -> QuerySet[Any]:
        return self.within(request)

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Offer only what the user may hand on."""
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        rank = Rank.of(request)
        if field:
            field.queryset = rank.groups() if db_field.name == "groups" else rank.permissions()
        return field

    # Tokens end with what these change, and leave events.

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with on_behalf_of(request.user):
            super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with on_behalf_of(request.user):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        if queryset.exclude(pk__in=self.deletable(request)).exists():
            raise PermissionDenied
        with on_behalf_of(request.user):
            super().delete_queryset(request, queryset)


@admin.register(User)
class UserAdmin(RankedAdmin, auth.UserAdmin[User]):
    def within(self, request: HttpRequest) -> QuerySet[User]:
        return Rank.of(request).users()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only a superuser makes superusers."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else [*fields, "is_superuser"]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        if request.method != "POST":
            return super().user_change_password(request, id, form_url)
        with on_behalf_of(request.user):
            return super().user_change_password(request, id, form_url)


@admin.register(Group)
class GroupAdmin(RankedAdmin, auth.GroupAdmin):
    """A group goes with its grants, so it can only be deleted if these limit nobody with more rights."""

    def within(self, request: HttpRequest) -> QuerySet[Group]:
        return Rank.of(request).groups()

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        with transaction.atomic():
            record_loss(request.user, obj)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        with transaction.atomic():
            for group in queryset:
                record_loss(request.user, group)
            super().delete_queryset(request, queryset)

    def deletable(self, request: HttpRequest) -> QuerySet[Any]:
        members = User.groups.through.objects.exclude(user__in=Rank.of(request).users())
        return self.within(request).exclude(grants__isnull=False, pk__in=members.values("group"))
