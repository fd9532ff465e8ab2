"""The action `refresh`, which reads a resource from its cloud again."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.tasks import task_links
from inventory.drivers.values import Kind, Scope
from inventory.models import Task
from inventory.rest.actions.command import Answer, result
from inventory.rest.serializers import StrictSerializer
from inventory.rest.viewsets import CollectionViewSet
from inventory.services import request_refresh_of


class RefreshInput(StrictSerializer):
    force = serializers.BooleanField(
        default=False, help_text="Refresh even if this removes more than half of the known resources."
    )


class RefreshMixin(CollectionViewSet):
    """A collection whose resources can be refreshed one by one."""

    #: What drivers call them; unset for providers.
    kind: ClassVar[Kind]

    @action(detail=True, methods=["post"], permission="inventory.refresh_provider", serializer_class=RefreshInput)
    @transaction.atomic
    def refresh(self, request: Request, **kwargs: Any) -> Response:
        """Read the resource, and what belongs to it, from the cloud."""
        return self.answer(self._refresh)

    def _refresh(self, row: Any, payload: dict[str, Any]) -> Answer:
        task = self.request_refresh(row, RefreshInput.validated(payload)["force"])
        links = task_links(self.hrefs, task)
        tasks = [{"id": links["task_id"], "href": links["task_href"]}]
        href = self.resource_hrefs.resource(self.collection, row.pk)
        return result(True, task.message, **links, tasks=tasks, href=href)

    def request_refresh(self, row: Any, force: bool) -> Task:
        scope = Scope(self.kind, row.ems_ref)
        return request_refresh_of(scope=scope, name=row.name, provider=row.provider, user=self.user, force=force)
