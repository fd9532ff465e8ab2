from __future__ import annotations

from typing import Any

from inventory.models import Task
from inventory.rest.hrefs import Hrefs
from inventory.rest.serializers import ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet


class TaskSerializer(ResourceSerializer):
    class Meta:
        model = Task
        fields = [
            "name",
            "state",
            "status",
            "message",
            "userid",
            "pct_complete",
            "created_on",
            "updated_on",
            "started_on",
            "context_data",
        ]


class TaskViewSet(CollectionViewSet):
    """Work that was accepted, and what became of it."""

    collection = "tasks"
    queryset = Task.objects.all()
    serializer_class = TaskSerializer

    @classmethod
    def view_permissions(cls) -> list[str]:
        """None: everybody sees the tasks that are their own."""
        return []


def task_links(hrefs: Hrefs, task: Task) -> dict[str, Any]:
    """What the result of an action says about the task that carries it out."""
    return {"task_id": str(task.pk), "task_href": hrefs.resource("tasks", task.pk)}
