"""Django's users and groups, and tokens."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib.auth import models as auth
from django.db import models
from knox.models import AbstractAuthToken

from inventory.querysets import GroupQuerySet, UserQuerySet


class User(auth.User):  # type: ignore[django-manager-missing]
    """A user, as the API shows one."""

    objects = UserQuerySet.as_manager()  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        default_permissions = ()
        ordering = ["id"]


class Group(auth.Group):
    """A group of users, which grants permissions."""

    objects = GroupQuerySet.as_manager()  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        default_permissions = ()
        ordering = ["id"]


class GroupMember(auth.User):  # type: ignore[django-manager-missing]
    """A user who acts only as a member of one `group`, with only its permissions."""

    group: auth.Group

    class Meta:
        proxy = True
        default_permissions = ()

    @cached_property
    def _permissions(self) -> set[str]:
        permissions = self.group.permissions.order_by().values_list("content_type__app_label", "codename")
        return {f"{app}.{codename}" for app, codename in permissions}

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        return self._permissions if self.is_active and obj is None else set()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return perm in self.get_all_permissions(obj)

    def has_module_perms(self, app_label: str) -> bool:
        return any(permission.startswith(f"{app_label}.") for permission in self.get_all_permissions())


class AuthToken(AbstractAuthToken):
    """A token for a user. It expires at `expiry`, which use extends by `ttl`. Only its hash is stored."""

    ttl = models.DurationField()

    def __str__(self) -> str:
        return f"{self.token_key}..."
