"""Creating a group again that a task deleted, with its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

from django.utils import timezone

from inventory.drivers.exceptions import AlreadyThere, CloudError, CloudUnavailable, GroupNotFound, RuleNotFound
from inventory.drivers.values import Rule
from inventory.messages import RIGHT_LOST
from inventory.models import Task
from inventory.services import Audience, OwnersRights
from secgroups.arguments import GroupRestoration
from secgroups.editing.groups import CreateGroup
from secgroups.editing.matching import means_the_same
from secgroups.editing.rules import CreateRule
from secgroups.reverting import messages

Answer = TypeVar("Answer")


class RestoreGroup(CreateGroup):
    """Once there is the group, its rules become those of before, however many of them there are already."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.message = messages.restored(self.message)
        self._failures: list[str] = []

    def ensure_permitted(self) -> None:
        super().ensure_permitted()
        if self._restoration.rules and not OwnersRights().allow(self.task, CreateRule.permission, self.place()):
            raise CloudError(RIGHT_LOST)

    @property
    def _restoration(self) -> GroupRestoration:
        return cast(GroupRestoration, self.arguments)

    def execute(self) -> None:
        super().execute()
        # From here on it is to be finished, whatever a refresh says of the new group, and whoever takes over.
        self.cloud.unsure = True
        wanted = [self._of_new_group(rule.as_value()) for rule in self._restoration.rules]
        there = self.cloud.ask(self._patient(lambda: self.driver.rules_of(self.made.ref)))
        for rule in there:
            if not any(means_the_same(rule, other) for other in wanted):
                self._try(partial(self.driver.delete_rule, rule))
        for rule in wanted:
            if not any(means_the_same(other, rule) for other in there):
                self._try(partial(self.driver.create_rule, rule))
        if self._failures:
            self.status, self.message = Task.Status.WARN, messages.incomplete(self.message, self._failures)
        self.rules = self.cloud.ask(self._patient(lambda: self.driver.rules_of(self.made.ref)))
        self.as_of = timezone.now()

    def _of_new_group(self, rule: Rule) -> Rule:
        was, now = self._restoration.was, self.made.ref
        source = now if rule.source_group_ref == was else rule.source_group_ref
        return replace(rule, group_ref=now, source_group_ref=source)

    def _try(self, write: Callable[[], object]) -> None:
        """Write one rule. If that fails, the others are still to be written."""
        try:
            self.cloud.repeat(self._patient(write))
        except (AlreadyThere, RuleNotFound):
            pass  # an earlier attempt did it
        except CloudError as error:
            self._failures.append(str(Audience(self.provider, [self.task]).shown(self.task, error)))

    @staticmethod
    def _patient(call: Callable[[], Answer]) -> Callable[[], Answer]:
        """A call that is repeated while the cloud does not show the new group yet."""

        def called() -> Answer:
            try:
                return call()
            except GroupNotFound as error:
                raise error.reworded(CloudUnavailable) from error

        return called
