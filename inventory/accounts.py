"""Users and their permissions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission, User
from django.db.models import CharField, F, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Concat

from inventory.db.expressions import Collected, Folded, fold
from inventory.db.statements import CompiledQuery, Param
from inventory.logins import Login
from inventory.models import Grant
from inventory.restrictions import Held, permissions_by

_in_any_case = CompiledQuery(
    lambda: User.objects.alias(folded=Folded("username")).filter(folded=Param("name")).values_list("username")
)


#: The name of a permission, `app.codename`, in a query of permissions.
PERMISSION_NAME = Concat("content_type__app_label", Value("."), "codename", output_field=TextField())


def userid_of(username: str) -> str:
    """The userid itself, or the only one that differs only in case."""
    matches = [name for (name,) in _in_any_case(name=fold(username))]
    return matches[0] if len(matches) == 1 else username


def is_taken(username: str) -> bool:
    """Whether there is an account of this name, in any case."""
    return bool(list(_in_any_case(name=fold(username))))


def permitted(user: Combinable) -> QuerySet[Permission, str]:
    """A user's own permissions and those of their groups, as `app.codename`."""
    user_permissions = User.user_permissions.through.objects.filter(user=user)
    group_permissions = Permission.group_set.through.objects.filter(group__user=user)
    condition = Q(pk__in=user_permissions.values("permission")) | Q(pk__in=group_permissions.values("permission"))
    return Permission.objects.filter(condition).order_by().values_list(PERMISSION_NAME, flat=True)


def granted(user: Combinable) -> QuerySet[Grant, str]:
    """The grants of a user's groups, as `Held.parse` takes them."""
    ids = [Coalesce(Cast(F(name), CharField()), Value("")) for name in ("provider", "cloud_tenant")]
    text = Concat("role", Value(","), ids[0], Value(","), ids[1], output_field=CharField())
    groups = User.groups.through.objects.filter(user=user)
    return Grant.objects.filter(group__in=groups.values("group")).order_by().values_list(text, flat=True)


def rights_of(user: Combinable) -> tuple[Collected, Collected]:
    """Select the permissions and the grants of a user, for `AccountBackend.hand_over`."""
    return Collected(permitted(user)), Collected(granted(user))


class AccountBackend(ModelBackend):
    """Django's accounts, with case-insensitive userids, and one query for their rights instead of two.

    Code that reads a user can read these in the same query, and pass them to `hand_over`. Whoever has a grant may
    do what the grants say, wherever they say it, and nothing by Django's permissions.
    """

    #: Select the rights in a query of a model with a `user`.
    of_its_user = rights_of(OuterRef(OuterRef("user")))
    _rights = CompiledQuery(
        lambda: User.objects.filter(pk=Param("user")).values_list(*rights_of(OuterRef(OuterRef("pk"))))
    )

    def authenticate(
        self, request: Any, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """The user with this password, or None. Raises `TooManyLogins`, if a request tries too often."""
        userid = username and userid_of(username)
        if request is None or userid is None or password is None:  # not from a client
            return super().authenticate(request, username=userid, password=password, **kwargs)
        check = partial(super().authenticate, request, username=userid, password=password, **kwargs)
        return Login.of_name(request, userid).limit(check)

    @staticmethod
    def hand_over(user: User, permissions: Iterable[str], grants: Iterable[str]) -> None:
        """Set a user's rights, as just read from the database."""
        held = tuple(map(Held.parse, grants)) or None
        user.grants, user._perm_cache = held, permissions_by(held) if held else set(permissions)  # type: ignore[attr-defined]

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if user_obj.is_superuser or not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set(super().get_all_permissions(user_obj, obj))
        if not hasattr(user_obj, "_perm_cache"):
            self.hand_over(user_obj, *next(iter(self._rights(user=user_obj.pk)), ((), ())))
        permissions: set[str] = user_obj._perm_cache
        return permissions
