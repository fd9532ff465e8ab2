"""Permissions of the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from rest_framework.permissions import BasePermission
from rest_framework.request import Request


def view_permission(model: type[Model]) -> str:
    """The Django permission to view a model. Instances share the permission of VMs."""
    meta = (model._meta.concrete_model or model)._meta
    return f"{meta.app_label}.view_{meta.model_name}"


class ModelPermissions(BasePermission):
    """Requires the Django permissions that the view names for this request."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        return request.user.has_perms(view.needed_permissions() if hasattr(view, "needed_permissions") else ())
