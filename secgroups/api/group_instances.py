"""The instances and VMs of a security group, and the actions that add it to many and remove it from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, cast

from django.conf import settings
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api import InstanceViewSet, VmViewSet
from inventory.api.tasks import task_links
from inventory.models import Task
from inventory.rest.actions.command import Answer, result
from inventory.rest.errors import BadInput, message_of
from inventory.rest.hrefs import ADDRESS, id_in, parse_uuid
from inventory.rest.query import where
from inventory.rest.serializers import StrictSerializer
from secgroups import messages
from secgroups.api.edits import EditingViewSet
from secgroups.api.endings import ENDING, EndingInput, EndingsMixin
from secgroups.api.previews_of_many import PreviewOfMany, shown_preview
from secgroups.models import SecurityGroup
from secgroups.plan import Action
from secgroups.previews import preview_for_many
from secgroups.services import MAY_CHANGE, InstanceReference, Refused, request_for_many

#: The keys of a body that has its resources apart from the action.
ENVELOPED = frozenset({"resource", "resources"})
EMS_REF_LENGTH = 255
#: What one resource of the body names.
References = Sequence[InstanceReference]


class MemberInput(StrictSerializer):
    """An instance, by one or more of its names, or instead a filter for the instances of the group's cloud."""

    id = serializers.CharField(required=False)
    href = serializers.CharField(required=False)
    guid = serializers.CharField(required=False)
    ems_ref = serializers.CharField(required=False, max_length=EMS_REF_LENGTH)
    filter = serializers.ListField(child=serializers.CharField(), required=False, allow_empty=False)


class AddedMemberInput(MemberInput, EndingInput):
    """The same to add the group, for good or for a while."""


class _ChangingMembers(EndingsMixin, EditingViewSet):
    """Actions that change many instances with one task."""

    @action(
        detail=False,
        methods=["post"],
        permission=MAY_CHANGE,
        checks_reach=True,
        at_most="BULK_LIMIT",
        serializer_class=AddedMemberInput,
        previews=(PreviewOfMany,),
    )
    def add(self, request: Request, **kwargs: Any) -> Response:
        """Add the security group to instances, with `for` or `until` for a while."""
        return self._change("add")

    @action(
        detail=False,
        methods=["post"],
        permission=MAY_CHANGE,
        checks_reach=True,
        at_most="BULK_LIMIT",
        serializer_class=MemberInput,
        previews=(PreviewOfMany,),
    )
    def remove(self, request: Request, **kwargs: Any) -> Response:
        """Remove the security group from instances."""
        return self._change("remove")

    def needed_permissions(self) -> tuple[str, ...]:
        """Also that to see instances, because a filter tells of them."""
        return tuple(dict.fromkeys((*super().needed_permissions(), *self.resource_type.view_permissions)))

    def _change(self, action: Action) -> Response:
        group, href = self._group(), self.hrefs.resource("security_groups", self.parent_row.pk)

        def act(row: None, payload: Mapping[str, Any]) -> References:
            values = _of_form(payload) if isinstance(payload, QueryDict) else dict(payload)
            end = {name: values.pop(name) for name in ENDING & values.keys()}
            ending = self.ending(EndingInput().run_validation(end)) if end else None
            named = self._matching(group, action, values) if "filter" in values else [_named(values)]
            return [replace(reference, ending=ending) for reference in named] if ending else named

        def refuse(row: None, payload: Mapping[str, Any], error: APIException) -> Refused:
            change = messages.change_of(action, messages.group_called(group.name), messages.AN_INSTANCE)
            return Refused(messages.cannot(action, change, message_of(error)))

        def finish(named: Sequence[References | Refused]) -> list[Answer]:
            if self.asks_cloud:
                return [result(False, messages.ONLY_FROM_INVENTORY, href=href)]
            for refused in named:
                if isinstance(refused, Refused):  # it can't be known what was meant, so nothing is queued
                    return [result(False, refused.message, href=href)]
            references = [*chain.from_iterable(cast(Sequence[References], named))]
            if self.dry_run:
                preview = preview_for_many(group=group, action=action, references=references, viewer=self.reader)
                return [shown_preview(preview, self.hrefs, href)]
            task = request_for_many(group=group, action=action, references=references, user=self.user)
            is_queued = task.state != Task.State.FINISHED
            return [result(is_queued, task.message, **task_links(self.hrefs, task), href=href)]

        return self.answer(act, refuse=refuse, finish=finish)

    def _group(self) -> SecurityGroup:
        related = ("provider", "cloud_tenant", "cloud_network")
        group: SecurityGroup = SecurityGroup.objects.select_related(*related).get(pk=self.parent_row.pk)
        return group

    def _matching(self, group: SecurityGroup, action: Action, values: Mapping[str, Any]) -> References:
        """The instances of the group's cloud that match. Those of which a group can be removed have it."""
        filters, is_alone = values["filter"], len(values) == 1 and ENVELOPED.isdisjoint(self.request.data)
        is_list = isinstance(filters, list) and filters and all(isinstance(text, str) for text in filters)
        if not (is_alone and is_list):
            raise BadInput(messages.NO_FILTER)
        rows = self.queryset.visible_to(self.user).filter(provider=group.provider_id)
        if action == "remove":
            rows = rows.filter(pk__in=group.memberships.values("vm"))
        matching = rows.filter(where(self.resource_type, filters, self.reader).q()).order_by("pk")
        pks = list(matching.values_list("pk", flat=True)[: settings.BULK_LIMIT + 1])
        if len(pks) > settings.BULK_LIMIT:
            raise BadInput(messages.too_many_matches(settings.BULK_LIMIT))
        if not pks:
            raise BadInput(messages.NO_INSTANCES)
        return [InstanceReference(pk) for pk in pks]


def _of_form(form: QueryDict) -> dict[str, Any]:
    """The fields of a form that are filled in."""
    return {name: form.getlist(name) if name == "filter" else form[name] for name in form if form[name]}


def _named(payload: Mapping[str, Any]) -> InstanceReference:
    """The instance that a resource of the body names. Raises `BadInput`."""
    ids = {_id(payload[name]) for name in ADDRESS if name in payload}
    if len(ids) > 1:
        raise BadInput(messages.DIFFERENT_INSTANCES)
    guid = parse_uuid(payload["guid"]) if "guid" in payload else None
    if "guid" in payload and guid is None:
        raise BadInput(messages.no_instance(payload["guid"]))
    ems_ref = payload.get("ems_ref")
    if "ems_ref" in payload and not (isinstance(ems_ref, str) and 0 < len(ems_ref) <= EMS_REF_LENGTH):
        raise BadInput(messages.no_instance(ems_ref))
    pk = next(iter(ids), None)
    if pk is None and guid is None and ems_ref is None:
        raise BadInput(messages.NO_INSTANCE_NAMED)
    return InstanceReference(pk, guid, ems_ref)


def _id(address: object) -> int:
    for collection in ("instances", "vms"):
        if (pk := id_in(address, collection)) is not None:
            return pk
    raise BadInput(messages.no_instance(address))


class GroupVmViewSet(_ChangingMembers, VmViewSet):
    """Virtual machines of all providers."""


class GroupInstanceViewSet(_ChangingMembers, InstanceViewSet):
    """Virtual machines of clouds."""
