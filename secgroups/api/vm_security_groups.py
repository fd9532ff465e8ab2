"""The security groups of an instance or VM, and the actions that add and remove them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.tasks import task_links
from inventory.models import Vm
from inventory.models.base import NAME_LENGTH
from inventory.rest.actions.command import Answer, result
from inventory.rest.errors import message_of
from inventory.rest.hrefs import ids_in
from inventory.rest.serializers import StrictSerializer
from secgroups import messages
from secgroups.api.security_groups import SecurityGroupViewSet
from secgroups.plan import Action
from secgroups.services import Accepted, GroupReference, Refused, request_changes

MAY_CHANGE = "inventory.change_vm_security_groups"


class GroupInput(StrictSerializer):
    """A security group, by one or more of its names. `ports` limits the change to these ports of the instance."""

    name = serializers.CharField(required=False, max_length=NAME_LENGTH)
    id = serializers.CharField(required=False)
    href = serializers.CharField(required=False)
    ems_ref = serializers.CharField(required=False, max_length=255)
    ports = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, allow_empty=False, max_length=1000
    )


@cache
def _form() -> GroupInput:
    """Shared by all requests: creating the fields takes longer than validating, and they keep no state."""
    return GroupInput()


class VmSecurityGroupViewSet(SecurityGroupViewSet):
    """The security groups of an instance or VM."""

    @action(detail=False, methods=["post"], permission=MAY_CHANGE, serializer_class=GroupInput)
    def add(self, request: Request, **kwargs: Any) -> Response:
        """Add security groups to the instance."""
        return self._change("add")

    @action(detail=False, methods=["post"], permission=MAY_CHANGE, serializer_class=GroupInput)
    def remove(self, request: Request, **kwargs: Any) -> Response:
        """Remove security groups from the instance."""
        return self._change("remove")

    def _change(self, wanted: Action) -> Response:
        vm = self.above
        understood = [_asked(resource, wanted, vm) for resource in self.command.resources]
        asked = [one for one in understood if isinstance(one, GroupReference)]
        answers = iter(request_changes(vm=vm, action=wanted, asked=asked, user=self.user))
        href = self.hrefs.resource(str(self.parent_collection), vm.pk)
        return self.results(
            self._result(one if isinstance(one, Refused) else next(answers), href) for one in understood
        )

    def _result(self, answer: Accepted | Refused, href: str) -> Answer:
        if isinstance(answer, Refused):
            return result(False, answer.message, href=href)
        return result(True, answer.message, **task_links(self.hrefs, answer.task), href=href)


def _asked(resource: Mapping[str, Any], wanted: Action, vm: Vm) -> GroupReference | Refused:
    """The group that a resource of the body names, or why it is refused."""
    try:
        named = _form().run_validation(resource)
    except APIException as error:
        return _refused(resource, wanted, vm, message_of(error))
    ids = ids_in(named, "security_groups")
    if None in ids:
        return _refused(resource, wanted, vm, messages.not_a_group(named.get("id", named.get("href"))))
    if len(ids) > 1:
        return _refused(resource, wanted, vm, messages.DIFFERENT_GROUPS)
    if not (ids or named.get("ems_ref") or named.get("name")):
        return _refused(resource, wanted, vm, messages.NO_NAME)
    pk = next(iter(ids), None)
    return GroupReference(named.get("name"), pk, named.get("ems_ref"), tuple(named.get("ports", ())))


def _refused(resource: Mapping[str, Any], wanted: Action, vm: Vm, reason: str) -> Refused:
    label = next((resource[key] for key in ("name", "ems_ref", "id", "href") if resource.get(key)), "nothing")
    return Refused(messages.cannot(wanted, messages.change_of(wanted, str(label), vm.name), reason))
