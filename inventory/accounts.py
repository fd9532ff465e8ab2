"""Users and their permissions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission, User
from django.db.models import OuterRef, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Concat

from inventory.db.expressions import Collected, Folded, fold
from inventory.db.statements import CompiledQuery, Param
from inventory.logins import Login

_in_any_case = CompiledQuery(
    lambda: User.objects.alias(folded=Folded("username")).filter(folded=Param("name")).values_list("username")
)


def userid_of(username: str) -> str:
    """The userid itself, or the only one that differs only in case."""
    matches = [name for (name,) in _in_any_case(name=fold(username))]
    return matches[0] if len(matches) == 1 else username


def is_taken(username: str) -> bool:
    """Whether there is an account of this name, in any case."""
    return bool(list(_in_any_case(name=fold(username))))


def granted(user: Combinable) -> QuerySet[Permission, str]:
    """A user's own permissions and those of their groups, as `app.codename`."""
    user_permissions = User.user_permissions.through.objects.filter(user=user)
    group_permissions = Permission.group_set.through.objects.filter(group__user=user)
    condition = Q(pk__in=user_permissions.values("permission")) | Q(pk__in=group_permissions.values("permission"))
    name = Concat("content_type__app_label", Value("."), "codename", output_field=TextField())
    return Permission.objects.filter(condition).order_by().values_list(name, flat=True)


class AccountBackend(ModelBackend):
    """Django's accounts, with case-insensitive userids, and one query for permissions instead of two.

    Code that reads a user can read the permissions in the same query, and pass them to `hand_over`.
    """

    #: Selects the permissions in a query of a model with a `user`.
    of_its_user = Collected(granted(OuterRef(OuterRef("user"))))
    _permissions = CompiledQuery(lambda: granted(Param("user")))

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
    def hand_over(user: User, permissions: Iterable[str]) -> None:
        """Set a user's permissions, as just read from the database."""
        user._perm_cache = set(permissions)  # type: ignore[attr-defined]

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if user_obj.is_superuser or not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set(super().get_all_permissions(user_obj, obj))
        if not hasattr(user_obj, "_perm_cache"):
            self.hand_over(user_obj, (name for (name,) in self._permissions(user=user_obj.pk)))
        permissions: set[str] = user_obj._perm_cache
        return permissions
