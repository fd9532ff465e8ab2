"""Django's users and groups, and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.contrib.auth import models as auth
from django.db import models
from knox.models import AbstractAuthToken
from knox.settings import CONSTANTS

from inventory.models.grant import Grant
from inventory.querysets import AuthTokenQuerySet, GroupQuerySet, UserQuerySet
from inventory.restrictions import Held, permissions_by


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


class LimitedUser(auth.User):  # type: ignore[django-manager-missing]
    """A user who acts only as a member of one `group`, or who only reads."""

    group: auth.Group | None = None
    read_only = False

    class Meta:
        proxy = True
        default_permissions = ()

    @cached_property
    def grants(self) -> Sequence[Held] | None:
        """The user's grants, of `group` alone if there is one; see `inventory.restrictions.grants_of`.

        Who has grants by other groups only has none here, which is not the same as not being limited by grants.
        """
        if self.is_superuser and not self.group:
            return None
        groups: Any = {self.group.pk} if self.group and self.is_superuser else self.groups.values("pk")
        columns = ("group", "role", "provider", "cloud_tenant")
        rows = list(Grant.objects.filter(group__in=groups).order_by().values_list(*columns))
        return (
            None
            if not rows
            else tuple(Held(*grant) for group, *grant in rows if self.group is None or group == self.group.pk)
        )

    @cached_property
    def _permissions(self) -> set[str]:
        permissions = self._all_permissions()
        return {name for name in permissions if not self.read_only or name.partition(".")[2].startswith("view_")}

    def _all_permissions(self) -> set[str]:
        if self.grants is not None:
            return permissions_by(self.grants)
        if self.group is None:
            return super().get_all_permissions()
        permissions = self.group.permissions.order_by().values_list("content_type__app_label", "codename")
        return {f"{app}.{codename}" for app, codename in permissions}

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        return self._permissions if self.is_active and obj is None else set()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return perm in self.get_all_permissions(obj)

    def has_module_perms(self, app_label: str) -> bool:
        return any(permission.startswith(f"{app_label}.") for permission in self.get_all_permissions())


class AuthToken(AbstractAuthToken):
    """A token for a user. It is valid until `expiry`. Only its hash is stored.

    Use extends a token with a `ttl`, but never beyond `ends_on`. A token may be limited to reading, to one group
    of its user, and to clients with `addresses`: a list of networks, which is empty if it is valid everywhere. A
    token that another one issued is revoked with that one.
    """

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=CONSTANTS.DIGEST_LENGTH, unique=True)
    name = models.CharField(max_length=255, null=True, blank=True)
    read_only = models.BooleanField(default=False)
    group = models.ForeignKey(auth.Group, models.CASCADE, null=True, blank=True, related_name="+")
    addresses = models.JSONField(default=list, blank=True)
    expiry = models.DateTimeField()
    ttl = models.DurationField(null=True)
    ends_on = models.DateTimeField()
    last_used_on = models.DateTimeField(null=True)
    issued_by = models.ForeignKey("self", models.SET_NULL, null=True, related_name="issued")

    objects = AuthTokenQuerySet.as_manager()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name or f"{self.token_key}..."
