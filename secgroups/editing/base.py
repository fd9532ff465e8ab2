"""The base of all edits: a write that is repeated until the cloud has it, and its record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from django.db.models import Model
from django.utils import timezone
from msgspec import UNSET

from inventory.drivers.exceptions import CloudError, CloudRefused, CloudUnavailable, GroupNotFound
from inventory.messages import RIGHT_LOST
from inventory.models import Provider, Task
from inventory.services import OwnersRights
from secgroups import messages
from secgroups.arguments import EditArguments
from secgroups.models import SecurityGroup
from secgroups.retrying import RetryingCloud
from secgroups.reverting import changes_of, found_changed, in_the_way
from secgroups.reverting import messages as reverting
from secgroups.task_effects import NOTHING, effect_of_edit

Answer = TypeVar("Answer")
Arguments = TypeVar("Arguments", bound=EditArguments)


class RetryingWriter(RetryingCloud):
    """The calls of one task. `unsure` once an attempt with an unknown outcome may have succeeded."""

    #: Whether the cloud has done a write.
    done = False

    @property
    def unsure(self) -> bool:
        return self.retries.unsure

    @unsure.setter
    def unsure(self, unsure: bool) -> None:
        self.retries.unsure = unsure

    def repeat(self, write: Callable[[], Answer]) -> Answer:
        """Repeat a write until it is answered. Raises the refusal that ends it.

        The write must be safe to repeat: the cloud refuses to do it twice, or the caller checks first.
        """
        waited = False
        while True:
            self.lease.ensure()
            try:
                answer = write()
            except CloudError as error:
                self.done = self.done or error.done
                self.wait(self._meant(error))
                waited = True
            except Exception:
                self.unsure = True
                raise
            else:
                self.done = True
                self.retries.succeed(waited)
                return answer

    def _meant(self, error: CloudError) -> CloudError:
        if isinstance(error, GroupNotFound) and not self.unsure and self.waits_for_group():
            return error.reworded(CloudUnavailable)
        self.unsure = self.unsure or isinstance(error, CloudUnavailable)
        return error


class EditHandler(ABC, Generic[Arguments]):
    """Runs one edit, which takes a `permission`. Afterwards `message` has the result."""

    permission: ClassVar[str]

    def __init__(self, task: Task, arguments: Arguments, provider: Provider, cloud: RetryingWriter) -> None:
        self.task = task
        self.arguments = arguments
        self.provider = provider
        self.cloud = cloud
        self.driver = cloud.driver
        self.request_id: str | None = None
        #: Whether the cloud has something else now.
        self.changed = True
        self.message = messages.done(arguments.verb, arguments.subject)
        self.status = Task.Status.OK

    def ensure_permitted(self) -> None:
        """Raise `CloudError` if the task's owner may not do this any more."""
        if not OwnersRights().allow(self.task, self.permission, self.place()):
            raise CloudError(RIGHT_LOST)

    def ensure_unobstructed(self) -> None:
        """Raise `CloudError` if it reverts a task, and something else has changed the same since."""
        reverts = self.arguments.reverts
        if reverts is UNSET:
            return
        # One that may be done already goes on if nothing was in the way before it began.
        is_sure = not self.cloud.unsure
        until = None if is_sure else self.task.started_on
        if reason := in_the_way(reverts, changes_of(reverts), user=self.task.owner, until=until):
            raise CloudError(reason)
        if is_sure and (differences := [*self.differences()]):
            raise CloudError(found_changed(reverts, differences, timezone.now()))

    def differences(self) -> Iterable[str]:
        """What only the cloud knows to have changed, asked before a revert."""
        return ()

    def place(self) -> Model:
        """The row that the permission has to reach: the group, or the provider of one that is gone."""
        return self.group() or self.provider

    def group(self) -> SecurityGroup | None:
        ref, _ = self.subject
        row: SecurityGroup | None = SecurityGroup.objects.filter(provider=self.provider, ems_ref=ref).first()
        return row

    @abstractmethod
    def execute(self) -> None:
        """Do the edit at the cloud, once, even if an earlier worker did it. Raises `CloudError` if it fails."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Record the edit in the inventory. Returns what the task shows. Same transaction as its end."""

    def effect(self) -> dict[str, Any]:
        """What the task shows of the effective rules. Called while what it creates or deletes is recorded."""
        if not self.changed:
            return {**NOTHING}
        return effect_of_edit(self.task, self.arguments.verb, self.provider, *self.subject)

    @property
    @abstractmethod
    def subject(self) -> tuple[str, str | None]:
        """The group (its ref) that is created or deleted, or a rule of it."""

    def is_gone(self, error: CloudError, group_ref: str) -> None:
        """The cloud does not find what to delete. That proves nothing if the credentials can't see its tenant."""
        rows = SecurityGroup.objects.filter(provider=self.provider, ems_ref=group_ref)
        for tenant in rows.values_list("cloud_tenant__ems_ref", flat=True):
            if not self.cloud.unsure and not self.cloud.ask(partial(self.driver.shows, tenant)):
                raise error.reworded(CloudRefused, partial(messages.hidden_tenant, tenant=tenant))
        self.mark_noop(error, messages.ALREADY_GONE)

    def mark_noop(self, error: CloudError, state: str) -> None:
        """The cloud says that nothing is left to do. After an attempt with an unknown outcome, that one did it."""
        self.request_id = error.request_id
        self.changed = self.cloud.unsure
        if not self.changed and self.arguments.reverts is not UNSET:
            what = reverting.is_noop(self.arguments.subject, state)
            raise CloudError(found_changed(self.arguments.reverts, [what], timezone.now()))
        if not self.changed:
            self.message = messages.is_noop(self.arguments.subject, state)
