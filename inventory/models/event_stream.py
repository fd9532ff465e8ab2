from __future__ import annotations

from django.db import models

from inventory.models.base import FOR_PATTERNS, index_of_many, index_of_text
from inventory.querysets import EventStreamQuerySet


def _index(field: str, opclass: str = "int8_ops") -> models.Index:
    """As `index_of_many`, of the events that have a value. What a refresh found has few."""
    return models.Index(
        fields=[field, "id"],
        opclasses=[opclass, "int8_ops"],
        condition=models.Q(**{f"{field}__isnull": False}),
        name=f"event_stream_{field.removesuffix('_id')}",
    )


#: Of most groups, these are few beside the events of their members.
_OF_GROUP = (
    "security_group_created",
    "security_group_edited",
    "security_group_deleted",
    "firewall_rule_created",
    "firewall_rule_deleted",
)


class EventStream(models.Model):
    """What happened, who did it, and what it was before and after.

    The database refuses to change an event, or to delete it too early: `inventory.db.event_guard`. What it refers
    to may be gone, so it has ids and no foreign keys, and `full_data` has the names of then.
    """

    class Source(models.TextChoices):
        #: Done through Portcullis.
        PORTCULLIS = "PORTCULLIS"
        #: Found at the cloud, or written by somebody who did not say who they are.
        REFRESH = "REFRESH"

    event_type = models.CharField(max_length=64)
    timestamp = models.DateTimeField()
    source = models.CharField(max_length=16, choices=Source.choices, default=Source.PORTCULLIS)
    message = models.TextField()
    #: Who asked, as which one of their groups, and from where; null if nobody did.
    username = models.CharField(max_length=255, null=True)
    group = models.CharField(max_length=150, null=True)
    address = models.CharField(max_length=45, null=True)
    request_id = models.CharField("request id", max_length=64, null=True)
    ems_id = models.BigIntegerField("provider", null=True)
    #: The tenant of the instance or group, for who may see no others.
    cloud_tenant_id = models.BigIntegerField("cloud tenant", null=True)
    vm_or_template_id = models.BigIntegerField("VM", null=True)
    security_group_id = models.BigIntegerField("security group", null=True)
    task_id = models.BigIntegerField("task", null=True)
    #: How often it happened, of events that are counted.
    count = models.IntegerField(default=1)
    full_data = models.JSONField(default=dict)
    #: What it counts; null unless it is counted.
    counted_as = models.CharField(max_length=64, null=True, editable=False)

    objects = EventStreamQuerySet.as_manager()

    class Meta:
        verbose_name = "event"
        default_permissions = ("view",)
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["counted_as"],
                condition=models.Q(counted_as__isnull=False),
                name="event_stream_counted_as_unique",
            )
        ]
        indexes = [
            index_of_many("timestamp", "event_stream_timestamp"),
            index_of_text("event_type", "event_stream_event_type"),
            _index("username", FOR_PATTERNS),
            _index("request_id", FOR_PATTERNS),
            _index("ems_id"),
            _index("cloud_tenant_id"),
            _index("vm_or_template_id"),
            _index("security_group_id"),
            _index("task_id"),
            models.Index(
                fields=["security_group_id", "event_type", "timestamp"],
                condition=models.Q(event_type__in=_OF_GROUP),
                name="event_stream_of_group",
            ),
        ]

    def __str__(self) -> str:
        return self.event_type


class EventRetention(models.Model):
    """For how many days events are kept: the database deletes none that is younger, and without a row, none.

    Each change of the row leaves an event, which stays for a day at least.
    """

    days = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(days__gte=1), name="event_retention_days")]

    def __str__(self) -> str:
        return f"{self.days} days"


class EventPosition(models.Model):
    """Up to where events are copied to the log; see `inventory.forwarding`."""

    position = models.BigIntegerField()
    moved_on = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.position)
