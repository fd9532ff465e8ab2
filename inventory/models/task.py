from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F

from inventory.models.base import Timestamped
from inventory.models.provider import Provider
from inventory.models.vm import Vm
from inventory.querysets import CallRateQuerySet, LeaseQuerySet, TaskQuerySet


class Task(Timestamped):
    """Work that was accepted. The row is the truth: a message to a worker is only a wake-up call.

    The tasks of one `queue` (`vms/3`, `providers/1`) are carried out by one worker at a time, together, in the
    order of their ids, which is the order in which they were accepted.
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
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="tasks")
    pct_complete = models.PositiveSmallIntegerField(default=0)
    started_on = models.DateTimeField(null=True)
    #: When it is tried again; null unless it has failed and waits for that.
    next_attempt_on = models.DateTimeField(null=True)
    #: What was asked; once finished also what came of it.
    context_data = models.JSONField(default=dict)

    queue = models.CharField(max_length=64)
    #: What it is to do, and what its workers note of that: the values of `inventory.arguments`.
    arguments = models.JSONField(default=dict)
    provider = models.ForeignKey(Provider, models.SET_NULL, null=True, related_name="tasks")
    vm = models.ForeignKey(Vm, models.SET_NULL, null=True, related_name="tasks")

    #: Whether its last worker was lost in the midst of an attempt; who takes it from the queue says so.
    interrupted = False

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        permissions = [("cancel_task", "Can cancel a task"), ("retry_task", "Can retry a task")]
        indexes = [
            models.Index("queue", F("id"), name="task_unfinished", condition=~models.Q(state="Finished")),
            models.Index(fields=["owner", "-id"], name="task_owner"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def waits(self) -> bool:
        """Whether it is queued, or has failed and waits for its next attempt: no worker is at it right now."""
        if self.state == self.State.ACTIVE:
            return self.next_attempt_on is not None
        return self.state == self.State.QUEUED


class CallRate(models.Model):
    """How often an action of a provider's cloud may be called by all workers together, since it refused a call.

    There is none for what was not refused lately: that is called at will.
    """

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="+")
    action = models.CharField(max_length=255)
    per_second = models.FloatField()
    #: When the next call may be made; in the future where others wait for their turn.
    next_on = models.DateTimeField()
    refused_on = models.DateTimeField(db_index=True)

    objects = CallRateQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "action"], name="call_rate_action")]

    def __str__(self) -> str:
        return self.action


class Lease(models.Model):
    """The right to carry out the tasks of one queue, until `ends_on` unless it is renewed."""

    queue = models.CharField(max_length=64, primary_key=True)
    owner = models.UUIDField()
    ends_on = models.DateTimeField(db_index=True)

    objects = LeaseQuerySet.as_manager()

    def __str__(self) -> str:
        return self.queue
