from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.models import Task
from inventory.rest.actions.command import Answer, result
from inventory.rest.actions.viewset import DeleteMixin
from inventory.rest.classes import Classes
from inventory.rest.hrefs import Hrefs
from inventory.rest.http.waiting import MAX_WAIT, seconds_in, wait_until
from inventory.rest.parameters import SELECTING
from inventory.rest.resources import Subcollection
from inventory.rest.serializers import PartsField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet
from inventory.services import NotInTime, cancel_task, delete_task, retry_task

#: `Retry-After` for an unfinished task, in seconds.
RETRY_AFTER = 1


class TaskSerializer(ResourceSerializer):
    context_data = PartsField()

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
            "request_id",
            "parent_id",
        ]


WAIT = OpenApiParameter(
    "wait", {"type": "integer", "minimum": 0}, description=f"Seconds to wait for the task, at most {MAX_WAIT}."
)


class TaskViewSet(DeleteMixin, CollectionViewSet):
    """Accepted changes and their outcome."""

    collection = "tasks"
    queryset = Task.objects.all()
    serializer_class = TaskSerializer
    view_permissions = ()  # everybody may see their own tasks
    classes = Classes(("MiqTask",))
    parameters = CollectionViewSet.parameters | {"retrieve": {*SELECTING, "wait"}}
    subcollections = {
        "tasks": Subcollection("secgroups.api.RevertibleTaskViewSet", "parent"),
        "event_streams": Subcollection("inventory.api.EventStreamViewSet", "task_id", few=True),
    }

    @extend_schema(parameters=[WAIT])
    def retrieve(self, request: Request, pk: str, **kwargs: Any) -> Response:
        """One task. With `wait`, answers when it is finished, or after that many seconds."""
        task: Task = self.resource(pk)
        wait = seconds_in(request.query_params)
        finished = Task.objects.visible_to(self.user).filter(pk=task.pk, state=Task.State.FINISHED)
        is_finished = task.state == Task.State.FINISHED or wait_until(finished.exists, wait)
        response = super().retrieve(request, pk, **kwargs)
        if not is_finished:
            response.headers["Retry-After"] = str(RETRY_AFTER)
        return response

    @action(detail=True, methods=["post"], permission="inventory.cancel_task")
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel a task that is queued or waiting for its next attempt, or the parts of a task that are."""
        return self.answer(lambda task, _: self._told("Cancelled", task, partial(cancel_task, user=self.user)))

    @action(detail=True, methods=["post"], permission="inventory.retry_task")
    def retry(self, request: Request, **kwargs: Any) -> Response:
        """Retry now a task that is queued or waiting for its next attempt, and the parts of a task that failed."""
        return self.answer(lambda task, _: self._told("Retrying", task, retry_task))

    @action(detail=True, methods=["post"], url_path="delete", permission="inventory.delete_task")
    def delete_task(self, request: Request, **kwargs: Any) -> Response:
        """Delete a finished task."""
        return self.answer(lambda task, _: self._told("Deleted", task, delete_task))

    def _told(self, verb: str, task: Task, act: Callable[..., None]) -> Answer:
        href = self.hrefs.resource(self.collection, task.pk)
        try:
            act(task=task)
        except NotInTime as error:
            return result(False, str(error), href=href)
        return result(True, f"{verb} task {task.pk}", href=href)


def task_links(hrefs: Hrefs, task: Task) -> dict[str, Any]:
    """The links from an action's result to its task."""
    return {"task_id": str(task.pk), "task_href": hrefs.resource("tasks", task.pk)}
