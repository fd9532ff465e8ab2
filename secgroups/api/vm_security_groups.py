"""The security groups of an instance or VM, and the actions that add and remove them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.models.base import NAME_LENGTH
from inventory.rest.actions.command import Answer
from inventory.rest.errors import BadInput, message_of
from inventory.rest.hrefs import ids_in
from inventory.rest.resources import BelowParent
from inventory.rest.serializers import StrictSerializer
from secgroups import messages
from secgroups.api.edits import EditingViewSet
from secgroups.api.endings import ENDING, EndingInput, EndingsMixin, expires_on
from secgroups.api.previews import PreviewOfChange
from secgroups.api.security_groups import SecurityGroupViewSet
from secgroups.plan import Action
from secgroups.previews import preview_changes
from secgroups.services import MAY_CHANGE, GroupReference, Refused, request_changes


class GroupInput(StrictSerializer):
    """A security group, by one or more of its names. `ports` limits the change to these ports of the instance."""

    name = serializers.CharField(required=False, max_length=NAME_LENGTH)
    id = serializers.CharField(required=False)
    href = serializers.CharField(required=False)
    ems_ref = serializers.CharField(required=False, max_length=255)
    ports = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, allow_empty=False, max_length=1000
    )


class AddedGroupInput(GroupInput, EndingInput):
    """A group to add, for good or for a while."""


@cache
def _form(kind: type[GroupInput]) -> GroupInput:
    """Shared by all requests: creating the fields takes longer than validating, and they keep no state."""
    return kind()


class VmSecurityGroupViewSet(EndingsMixin, EditingViewSet, SecurityGroupViewSet):
    """The security groups of an instance or VM."""

    schema_name = "SecurityGroupOfVm"
    computed = {**SecurityGroupViewSet.computed, "expires_on": BelowParent(expires_on)}

    @action(
        detail=False,
        methods=["post"],
        permission=MAY_CHANGE,
        serializer_class=AddedGroupInput,
        previews=(PreviewOfChange,),
    )
    def add(self, request: Request, **kwargs: Any) -> Response:
        """Add security groups to the instance, with `for` or `until` for a while."""
        return self._change("add")

    @action(
        detail=False,
        methods=["post"],
        permission=MAY_CHANGE,
        serializer_class=GroupInput,
        previews=(PreviewOfChange,),
    )
    def remove(self, request: Request, **kwargs: Any) -> Response:
        """Remove security groups from the instance."""
        return self._change("remove")

    def _change(self, action: Action) -> Response:
        vm = self.parent_row
        href = self.hrefs.resource(str(self.parent_collection), vm.pk)

        def refuse(row: None, payload: dict[str, Any], error: APIException) -> Refused:
            names = (payload[key] for key in ("name", "ems_ref", "id", "href") if payload.get(key))
            change = messages.change_of(action, str(next(names, "nothing")), vm.name)
            return Refused(messages.cannot(action, change, message_of(error)))

        def finish(groups: list[GroupReference | Refused]) -> list[Answer]:
            if self.dry_run:
                previews = preview_changes(
                    vm=vm, action=action, references=groups, viewer=self.reader, ask_cloud=self.asks_cloud
                )
                return self.previews(previews, [href] * len(groups))
            answers = request_changes(vm=vm, action=action, references=groups, user=self.user)
            return [self.result_of(answer, href) for answer in answers]

        def reference(row: None, payload: dict[str, Any]) -> GroupReference:
            if ENDING.isdisjoint(payload):
                return _reference(_form(GroupInput).run_validation(payload))
            attributes = _form(AddedGroupInput).run_validation(payload)
            return replace(_reference(attributes), ending=self.ending(attributes))

        return self.answer(reference, refuse=refuse, finish=finish)


def _reference(names: Mapping[str, Any]) -> GroupReference:
    """The group that validated attributes name. Raises `BadInput`."""
    ids = ids_in(names, "security_groups")
    if None in ids:
        raise BadInput(messages.not_a_group(names.get("id", names.get("href"))))
    if len(ids) > 1:
        raise BadInput(messages.DIFFERENT_GROUPS)
    if not (ids or names.get("ems_ref") or names.get("name")):
        raise BadInput(messages.NO_NAME)
    pk = next(iter(ids), None)
    return GroupReference(names.get("name"), pk, names.get("ems_ref"), tuple(names.get("ports", ())))
