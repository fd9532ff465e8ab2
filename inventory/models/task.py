from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F

from inventory.models.base import Timestamped
from inventory.models.provider import Provider
from inventory.models.vm import Vm
from inventory.querysets import CallRateQuerySet, LeaseQuerySet, TaskQuerySet


class Task(Timestamped):
    """An accepted request. The row has everything; a message only wakes up a worker.

    One worker at a time runs the tasks of a `queue` (`vms/3`, `providers/1`), together, in the order of their ids,
    which is the order in which they were accepted.

    A task with parts is their `parent`. It has no queue, because it is done when they are: `services.parts`.
    """

    class State(models.TextChoices):
        QUEUED = "Queued"
        ACTIVE = "Active"
        FINISHED = "Finished"

    class Status(models.TextChoices):
        OK = "Ok"
        WARN = "Warn"
        ERROR = "Error"

    name = models.CharField(max_length=1024)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OK)
    message = models.TextField()
    userid = models.CharField(max_length=255)
    #: The `X-Request-Id` of the request; null if a schedule or a command asked.
    request_id = models.CharField("request id", max_length=64, null=True)
    #: The group that the request was limited to, and the client's address, for events.
    group = models.CharField(max_length=150, null=True, editable=False)
    address = models.CharField(max_length=45, null=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="tasks")
    pct_complete = models.PositiveSmallIntegerField(default=0)
    started_on = models.DateTimeField(null=True)
    #: The time of the next attempt; null unless it waits after a failure.
    next_attempt_on = models.DateTimeField(null=True)
    #: The request and, once finished, the result.
    context_data = models.JSONField(default=dict)

    queue = models.CharField(max_length=64)
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, editable=False, db_index=False, related_name="tasks"
    )
    #: The stage of its parent that a part waits for; null once it may run: `services.parents`.
    stage = models.PositiveSmallIntegerField(null=True, editable=False)
    #: Its arguments and its workers' notes: the values of `inventory.arguments`.
    arguments = models.JSONField(default=dict)
    provider = models.ForeignKey(Provider, models.SET_NULL, null=True, related_name="tasks")
    vm = models.ForeignKey(Vm, models.SET_NULL, null=True, related_name="tasks")

    #: Whether its last worker died during an attempt; set when a worker claims it.
    interrupted = False
    #: The vendor and the name of its provider; set when a worker claims it.
    vendor: str | None = None
    provider_name: str | None = None

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        permissions = [("cancel_task", "Can cancel a task"), ("retry_task", "Can retry a task")]
        indexes = [
            models.Index("queue", F("id"), name="task_unfinished", condition=~models.Q(state="Finished")),
            models.Index(fields=["owner", "-id"], name="task_owner"),
            models.Index(fields=["parent", "id"], name="task_part", condition=~models.Q(parent=None)),
            models.Index(
                fields=["parent"],
                name="task_unfinished_part",
                condition=~models.Q(parent=None) & ~models.Q(state="Finished"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_parts(self) -> bool:
        return not self.queue

    @property
    def waits(self) -> bool:
        """Whether it is queued or waiting for its next attempt, so no worker is running it."""
        if self.state == self.State.ACTIVE:
            return self.next_attempt_on is not None
        return self.state == self.State.QUEUED


class CallRate(models.Model):
    """The rate limit of an action of a provider's cloud, for all workers together, after a refused call.

    Actions without a recent refusal have none, and no limit.
    """

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="+")
    action = models.CharField(max_length=255)
    per_second = models.FloatField()
    #: When the next call is allowed; in the future while calls wait for their turn.
    next_on = models.DateTimeField()
    refused_on = models.DateTimeField(db_index=True)

    objects = CallRateQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "action"], name="call_rate_action")]

    def __str__(self) -> str:
        return self.action


class Lease(models.Model):
    """The right to run the tasks of one queue, until `ends_on` unless renewed."""

    queue = models.CharField(max_length=64, primary_key=True)
    owner = models.UUIDField()
    ends_on = models.DateTimeField(db_index=True)

    objects = LeaseQuerySet.as_manager()

    def __str__(self) -> str:
        return self.queue
