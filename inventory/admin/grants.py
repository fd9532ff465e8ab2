"""Grants."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib import messages as notices
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from inventory.admin.base import LinkedAdmin
from inventory.admin.columns import Linked, visible_rows
from inventory.forms import GrantForm
from inventory.models import Grant
from inventory.models import Group as GroupOfUsers
from inventory.services import edit_grant, give_grant, take_grant


@admin.register(Grant)
class GrantAdmin(LinkedAdmin[Grant]):
    """Roles of groups, on tenants, on providers and on everything."""

    form = GrantForm
    list_display = ["group", "role", Linked("provider"), Linked("cloud_tenant")]
    list_filter = ["role"]
    search_fields = ["group__name"]
    ordering = ["group__name", "id"]
    autocomplete_fields = ["cloud_tenant"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer what the user may see."""
        rows: Any = visible_rows(GroupOfUsers if db_field.name == "group" else db_field.related_model, request)
        kwargs["queryset"] = rows.defer("credentials") if db_field.name == "provider" else rows
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Say why the service refuses."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except PermissionDenied as error:
            if request.method != "POST" or not str(error):
                raise
            notices.error(request, str(error))
            return redirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Grant, form: forms.ModelForm[Grant], change: bool) -> None:
        if change:
            edit_grant(user=request.user, grant=self.get_queryset(request).get(pk=obj.pk), **form.cleaned_data)
        else:
            obj.pk = give_grant(user=request.user, **form.cleaned_data).pk

    def delete_model(self, request: HttpRequest, obj: Grant) -> None:
        take_grant(user=request.user, grant=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Grant]) -> None:
        with transaction.atomic():
            for grant in queryset:
                self.delete_model(request, grant)
