"""Whether the owners of accepted tasks may still do what they requested."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model

from inventory.accounts import AccountBackend
from inventory.models import Provider, Task
from inventory.querysets import reaches
from inventory.restrictions import restriction_of
from inventory.services.queueing import SYSTEM

#: A refresh follows from connecting and editing a provider, too.
MAY_READ = ("inventory.refresh_provider", "inventory.add_provider", "inventory.change_provider")


class OwnersRights:
    """The rights of the owners of some tasks, as they are now. Tasks of the system have all."""

    def __init__(self) -> None:
        self._owners: dict[int, User | None] = {}
        self._answers: dict[tuple[Any, ...], bool] = {}

    def allow(self, task: Task, permission: str, row: Model) -> bool:
        """Whether the owner of a task is active, and has a permission that reaches this row."""
        if _is_of_system(task):
            return True
        key = task.owner_id, permission, type(row), row.pk
        if key not in self._answers:
            owner = self._owner(task)
            has = bool(owner) and owner.has_perm(permission)
            self._answers[key] = has and reaches(owner, permission, type(row), row.pk)
        return self._answers[key]

    def allow_refresh(self, task: Task, provider: Provider, *, in_part: bool) -> bool:
        """Whether the owner of a refresh may still refresh a provider, or some tenant of it."""
        if _is_of_system(task):
            return True
        owner = self._owner(task)
        return bool(owner) and any(_reads(owner, permission, provider, in_part) for permission in MAY_READ)

    def _owner(self, task: Task) -> Any:
        pk = task.owner_id
        if pk is not None and pk not in self._owners:
            self._owners[pk] = AccountBackend().get_user(pk)
        return pk and self._owners[pk]


def _reads(owner: Any, permission: str, provider: Provider, in_part: bool) -> bool:
    if not owner.has_perm(permission):
        return False
    restriction = restriction_of(owner, permission)
    if restriction is None or restriction.includes(provider.pk):
        return True
    return in_part and provider.pk in restriction.named


def _is_of_system(task: Task) -> bool:
    """No request asked for it. Other tasks without an owner are of an account that is deleted."""
    return task.owner_id is None and task.userid == SYSTEM and task.request_id is None
