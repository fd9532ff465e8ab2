"""How much a user is told of what a cloud said."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TypeVar

from django.contrib.auth.models import User

from inventory.drivers.exceptions import CloudError
from inventory.models import Provider, Task
from inventory.querysets import reaches

MAY_VIEW = "inventory.view_provider"

logger = logging.getLogger(__name__)

Error = TypeVar("Error", bound=Exception)


def may_see(user: User, provider: Provider) -> bool:
    """Whether a user may see a provider. One that isn't saved takes only the permission."""
    if not user.has_perm(MAY_VIEW):
        return False
    return provider.pk is None or reaches(user, MAY_VIEW, Provider, provider.pk)


class Audience:
    """Decides what tasks say of errors of a provider's cloud.

    Whoever may not see the provider could scan a network with it, by what is said of ports and of what listens
    there. A task's message is for its owner. That of a scheduled task is for those who may see everybody's tasks.
    """

    def __init__(self, provider: Provider, tasks: Iterable[Task]) -> None:
        self._provider = provider
        self._tasks = [*tasks]
        self._seeing: dict[int | None, bool] = {None: True}
        self._logged: Exception | None = None

    def shown(self, task: Task, error: Error) -> Error | CloudError:
        """The error as the owner of a task may see it. Whoever runs Portcullis finds the rest in the log."""
        general = error.in_general() if isinstance(error, CloudError) else error
        if general is error or self._sees(task):
            return error
        if error is not self._logged:
            logger.info("A failure in %s, of which the tasks only say that: %s", task.queue, error)
            self._logged = error
        return general

    def _sees(self, task: Task) -> bool:
        if task.owner_id not in self._seeing:
            self._look_up()
        return self._seeing.get(task.owner_id, False)

    def _look_up(self) -> None:
        owners = User.objects.filter(pk__in={task.owner_id for task in self._tasks if task.owner_id})
        self._seeing |= {owner.pk: may_see(owner, self._provider) for owner in owners}
