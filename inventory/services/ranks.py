"""Whom a user may change: accounts and groups that have no more rights than the user has.

Otherwise whoever may change accounts could set a superuser's password, or join a group that may do everything.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

from inventory.accounts import PERMISSION_NAME
from inventory.models import Grant
from inventory.restrictions import permissions_of


class Rank:
    """What is within the rights of a user. All is within those of a superuser."""

    def __init__(self, user: Any) -> None:
        self._user = user

    @classmethod
    def of(cls, request: Any) -> Self:
        """That of the user who asks, computed once for a request."""
        if not hasattr(request, "rank"):
            request.rank = cls(request.user)
        rank: Self = request.rank
        return rank

    def permissions(self) -> QuerySet[Permission]:
        """The permissions that the user can hand on."""
        rows = Permission.objects.select_related("content_type")
        return rows if self._user.is_superuser else rows.filter(pk__in=self._own)

    def groups(self) -> QuerySet[Group]:
        """The groups with no more rights."""
        return (
            Group.objects.all() if self._user.is_superuser else Group.objects.exclude(pk__in=self._groups_beyond)
        )

    def users(self) -> QuerySet[User]:
        """The accounts with no more rights, also where a grant limits them."""
        if self._user.is_superuser:
            return User.objects.all()
        others = User.user_permissions.through.objects.exclude(permission__in=self._own)
        members = User.groups.through.objects.filter(group__in=self._groups_beyond)
        beyond = Q(is_superuser=True) | Q(pk__in=others.values("user")) | Q(pk__in=members.values("user"))
        return User.objects.exclude(beyond)

    @cached_property
    def _groups_beyond(self) -> set[int]:
        """The ids of the groups with a permission or a role that the user lacks."""
        names = self._user.get_all_permissions()
        roles = [role for role in settings.ROLES if permissions_of(role) <= names]
        others = Group.permissions.through.objects.exclude(permission__in=self._own)
        return {
            *others.values_list("group", flat=True),
            *Grant.objects.exclude(role__in=roles).values_list("group", flat=True),
        }

    @cached_property
    def _own(self) -> list[int]:
        """The ids of the user's permissions."""
        rows = Permission.objects.alias(full_name=PERMISSION_NAME).filter(
            full_name__in=self._user.get_all_permissions()
        )
        return list(rows.values_list("pk", flat=True))
