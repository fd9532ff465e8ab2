"""The base of all edits: a write that is repeated until the cloud has it, and its record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from inventory.drivers.exceptions import CloudError, CloudRefused, CloudUnavailable, GroupNotFound
from inventory.models import Provider, Task
from secgroups import messages
from secgroups.arguments import EditArguments
from secgroups.models import SecurityGroup
from secgroups.retrying import RetryingCloud

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
    """Runs one edit. Afterwards `message` has the result."""

    def __init__(self, task: Task, arguments: Arguments, provider: Provider, cloud: RetryingWriter) -> None:
        self.task = task
        self.arguments = arguments
        self.provider = provider
        self.cloud = cloud
        self.driver = cloud.driver
        self.request_id: str | None = None
        #: Whether the task has changed something, and not found it so.
        self.has_changed = True
        self.message = messages.done(arguments.verb, arguments.subject)

    @abstractmethod
    def execute(self) -> None:
        """Do the edit at the cloud, once, even if an earlier worker did it. Raises `CloudError` if it fails."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Record the edit in the inventory. Returns what the task shows. Same transaction as its end."""

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
        if not self.cloud.unsure:
            self.has_changed = False
            self.message = messages.is_noop(self.arguments.subject, state)
