"""The reads of this app, by name. Each read on behalf of a user starts with `visible_to`."""

from __future__ import annotations

from typing import Any, Self

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db import models
from django.db.models import Value
from django.db.models.functions import Coalesce, Concat, NullIf, Trim

User = AbstractBaseUser | AnonymousUser


class ResourceQuerySet(models.QuerySet[Any]):
    """Rows of the inventory."""

    def visible_to(self, user: User) -> Self:
        """What this user may see: everything, once the permission to view the model is given."""
        return self


class ProviderQuerySet(ResourceQuerySet):
    def enabled(self) -> Self:
        return self.filter(enabled=True)


class VmQuerySet(ResourceQuerySet):
    def instances(self) -> Self:
        return self.filter(cloud=True)


class TaskQuerySet(ResourceQuerySet):
    def visible_to(self, user: User) -> Self:
        """A user's own tasks, or everybody's with the permission to view tasks."""
        if isinstance(user, PermissionsMixin) and user.has_perm("inventory.view_task"):
            return self
        return self.filter(owner=user.pk)

    def unfinished(self) -> Self:
        return self.exclude(state="Finished")

    def of_queue(self, queue: str) -> Self:
        """What is to be done for one queue, in the order in which it was accepted."""
        return self.unfinished().filter(queue=queue).order_by("id")


class UserQuerySet(ResourceQuerySet):
    def visible_to(self, user: User) -> Self:
        """Oneself, or everybody with the permission to view users."""
        if isinstance(user, PermissionsMixin) and user.has_perm("auth.view_user"):
            return self
        return self.filter(pk=user.pk)

    def described(self) -> Self:
        """With the name that people know them by, and null for an address that is not given."""
        name = Trim(Concat("first_name", Value(" "), "last_name"))
        return self.annotate(
            full_name=Coalesce(NullIf(name, Value("")), "username"), address=NullIf("email", Value(""))
        )


class GroupQuerySet(ResourceQuerySet):
    def visible_to(self, user: User) -> Self:
        """One's own groups, or all with the permission to view groups."""
        if isinstance(user, PermissionsMixin) and user.has_perm("auth.view_group"):
            return self
        return self.filter(user=user.pk)


class InstanceManager(models.Manager.from_queryset(VmQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> VmQuerySet:
        rows: VmQuerySet = super().get_queryset()
        return rows.instances()
