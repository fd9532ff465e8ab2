"""What every edit has in common: a write that is repeated until the cloud has it, and a record of it."""

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
    """The calls of one task; `unsure` once an attempt may have been carried out without our knowing."""

    #: Whether the cloud has carried a write out.
    done = False

    @property
    def unsure(self) -> bool:
        return self.retries.unsure

    @unsure.setter
    def unsure(self, unsure: bool) -> None:
        self.retries.unsure = unsure

    def repeat(self, write: Callable[[], Answer]) -> Answer:
        """The answer of a write, attempted until it comes; raises the refusal that ends it.

        The write has to be one that may be repeated: the cloud refuses to do it twice, or the caller looks first.
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
            return CloudUnavailable(error.message, request_id=error.request_id)
        self.unsure = self.unsure or isinstance(error, CloudUnavailable)
        return error


class EditHandler(ABC, Generic[Arguments]):
    """One edit being carried out; afterwards `message` says what came of it."""

    def __init__(self, task: Task, asked: Arguments, provider: Provider, cloud: RetryingWriter) -> None:
        self.task = task
        self.asked = asked
        self.provider = provider
        self.cloud = cloud
        self.driver = cloud.driver
        self.request_id: str | None = None
        self.message = messages.done(asked.verb, asked.subject)

    @abstractmethod
    def execute(self) -> None:
        """Do it at the cloud, once, even if a worker before this one did it; `CloudError` if it can't be done."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Write it into the inventory; returns what the task shows of it. In a transaction with the task's end."""

    def is_gone(self, error: CloudError, group_ref: str) -> None:
        """The cloud does not find what was to be deleted. Who is not shown its group learns nothing from that."""
        rows = SecurityGroup.objects.filter(provider=self.provider, ems_ref=group_ref)
        for tenant in rows.values_list("cloud_tenant__ems_ref", flat=True):
            if not self.cloud.unsure and not self.cloud.ask(partial(self.driver.shows, tenant)):
                raise CloudRefused(messages.hidden_tenant(error.message, tenant), request_id=error.request_id)
        self.mark_noop(error, messages.ALREADY_GONE)

    def mark_noop(self, error: CloudError, state: str) -> None:
        """The cloud says that nothing is left to do. After an attempt with an unknown outcome, that one did it."""
        self.request_id = error.request_id
        if not self.cloud.unsure:
            self.message = messages.is_noop(self.asked.subject, state)
