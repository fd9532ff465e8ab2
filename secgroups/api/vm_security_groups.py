"""The security groups of an instance or VM, and the actions that add and remove them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.tasks import task_links
from inventory.models import Vm
from inventory.rest.actions import Answer, result
from inventory.rest.errors import message_of
from inventory.rest.hrefs import id_in
from secgroups.api.security_groups import SecurityGroupViewSet
from secgroups.plan import Action, cannot
from secgroups.services import Accepted, Asked, Refused, request_changes

MAY_CHANGE = "inventory.change_vm_security_groups"


class GroupInput(serializers.Serializer[Any]):
    """A group by one of its names; `ports` narrows the change to these ports of the instance."""

    name = serializers.CharField(required=False, max_length=255, trim_whitespace=False)
    id = serializers.CharField(required=False)
    ems_ref = serializers.CharField(required=False, max_length=255)
    ports = serializers.ListField(child=serializers.CharField(max_length=255), required=False, max_length=1000)


@cache
def _form() -> GroupInput:
    """One for all requests: making its fields takes longer than what they do, which keeps nothing."""
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
        asked = [one for one in understood if isinstance(one, Asked)]
        answers = iter(request_changes(vm=vm, action=wanted, asked=asked, user=self.user))
        href = self.hrefs.resource(str(self.parent_collection), vm.pk)
        return self.results(
            self._result(one if isinstance(one, Refused) else next(answers), href) for one in understood
        )

    def _result(self, answer: Accepted | Refused, href: str) -> Answer:
        if isinstance(answer, Refused):
            return result(False, answer.message, href=href)
        return result(True, answer.message, **task_links(self.hrefs, answer.task), href=href)


def _asked(resource: Mapping[str, Any], wanted: Action, vm: Vm) -> Asked | Refused:
    """The group that one resource of the body names, or why it names none."""
    label = str(next((resource[key] for key in ("name", "ems_ref", "id", "href") if resource.get(key)), "nothing"))
    refused = cannot(wanted, label, vm.name)
    try:
        named = _form().run_validation(resource)
    except serializers.ValidationError as error:
        return Refused(f"{refused}: {message_of(error)}")
    address = named.get("id") or resource.get("href")
    pk = id_in(address, "security_groups")
    if address and pk is None:
        return Refused(f"{refused}: {address} is no security group")
    if not (address or named.get("ems_ref") or named.get("name")):
        return Refused(f"{refused}: no name of a security group given")
    return Asked(named.get("name"), pk, named.get("ems_ref"), tuple(named.get("ports", ())))
