from __future__ import annotations

from inventory.models import EventStream
from inventory.rest.serializers import IdField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet


class EventStreamSerializer(ResourceSerializer):
    ems_id = IdField()
    vm_or_template_id = IdField()
    security_group_id = IdField()
    task_id = IdField()

    class Meta:
        model = EventStream
        fields = [
            "event_type",
            "timestamp",
            "source",
            "message",
            "username",
            "group",
            "address",
            "request_id",
            "ems_id",
            "vm_or_template_id",
            "security_group_id",
            "task_id",
            "count",
            "full_data",
        ]


class EventStreamViewSet(CollectionViewSet):
    """What happened, who did it, and what it was before. Lists begin with the latest."""

    collection = "event_streams"
    queryset = EventStream.objects.all()
    serializer_class = EventStreamSerializer
    newest_first = True
