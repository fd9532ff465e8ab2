"""Who uses the service: Django's own users and groups."""

from __future__ import annotations

from django.contrib.auth import models as auth

from inventory.querysets import GroupQuerySet, UserQuerySet


class User(auth.User):
    """A user, as others may see one."""

    objects = UserQuerySet.as_manager()  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        default_permissions = ()
        ordering = ["id"]


class Group(auth.Group):
    """A group of users, who have its permissions."""

    objects = GroupQuerySet.as_manager()  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        default_permissions = ()
        ordering = ["id"]
