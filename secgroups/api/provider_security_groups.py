"""Security groups, which can be created, edited and deleted on the cloud."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.refreshable import RefreshMixin
from inventory.querysets import reaches
from inventory.rest.actions.viewset import DeleteMixin
from inventory.rest.errors import BadInput
from inventory.rest.messages import BEYOND_GRANTS
from inventory.rest.serializers import StrictSerializer
from secgroups.api.edits import EditingViewSet, ReferenceInput
from secgroups.api.previews import PreviewOfChange
from secgroups.api.previews_of_many import PreviewOfMany
from secgroups.api.security_groups import SecurityGroupViewSet
from secgroups.messages import ONLY_FROM_INVENTORY
from secgroups.models import SecurityGroup
from secgroups.services import (
    Edit,
    GroupWork,
    Refused,
    detached_deletion,
    group_creation,
    group_deletion,
    group_edit,
    group_replacement,
)

KIND = "security group"
MAY_CREATE = "secgroups.add_securitygroup"


class NewGroupInput(StrictSerializer):
    """A new security group. Without a tenant or network, the cloud chooses."""

    name = serializers.CharField(max_length=255)
    description = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    cloud_tenant = ReferenceInput(required=False, allow_null=True)
    cloud_network = ReferenceInput(required=False, allow_null=True)


class GroupEditInput(StrictSerializer):
    """The attributes of a security group that can be changed."""

    name = serializers.CharField(max_length=255, required=False)
    description = serializers.CharField(max_length=255, required=False, allow_blank=True)


class DeletionInput(StrictSerializer):
    """With `detach`, the group is first removed from every port, and from every rule of other groups."""

    detach = serializers.BooleanField(required=False, default=False)


class ReplacementInput(StrictSerializer):
    """The security group that takes the place of the other one."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return super().get_fields() | {"with": ReferenceInput()}


class DeletableSecurityGroupViewSet(RefreshMixin, DeleteMixin, EditingViewSet, SecurityGroupViewSet):
    """Security groups of every provider."""

    kind = "security_group"

    queryset = SecurityGroup.objects.connected().select_related("provider").defer("provider__credentials")

    @action(
        detail=True,
        methods=["post"],
        url_path="delete",
        permission="secgroups.delete_securitygroup",
        serializer_class=DeletionInput,
        previews=(PreviewOfChange, PreviewOfMany),
    )
    def delete_group(self, request: Request, **kwargs: Any) -> Response:
        """Delete the security group on the cloud. With `detach`, remove it from everything that uses it first."""
        return self.edits("delete", KIND, self._deletion, self._address)

    @action(
        detail=True,
        methods=["post"],
        permission="secgroups.change_securitygroup",
        serializer_class=ReplacementInput,
        previews=(PreviewOfMany, PreviewOfChange),
    )
    def replace(self, request: Request, **kwargs: Any) -> Response:
        """Let another group take the place of the security group on every port and in every rule."""
        return self.edits("replace", KIND, self._replacement, self._address)

    def _deletion(self, group: SecurityGroup, payload: dict[str, Any]) -> Edit | GroupWork | Refused:
        if not DeletionInput.validated(payload)["detach"]:
            return group_deletion(group)
        self._require_inventory()
        return detached_deletion(group, user=self.user)

    def _replacement(self, group: SecurityGroup, payload: dict[str, Any]) -> GroupWork | Refused:
        other = self.referenced(self.collection, ReplacementInput.validated(payload)["with"], "with")
        self._require_inventory()
        return group_replacement(group, other, user=self.user)

    def _require_inventory(self) -> None:
        """Raise `BadInput` for a preview that asks the cloud."""
        if self.asks_cloud:
            raise BadInput(ONLY_FROM_INVENTORY)

    def _address(self, group: SecurityGroup | None) -> str | None:
        return self.resource_hrefs.resource(self.collection, group.pk) if group else None


class ProviderSecurityGroupViewSet(DeletableSecurityGroupViewSet):
    """The security groups of a provider."""

    @action(
        detail=False,
        methods=["post"],
        permission=MAY_CREATE,
        serializer_class=NewGroupInput,
        previews=(PreviewOfChange,),
        checks_reach=True,
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Create a security group on the cloud."""
        href = self.hrefs.resource("providers", self.parent_row.pk)
        return self.edits("create", KIND, self._creation, lambda _: href)

    @action(
        detail=True,
        methods=["post"],
        url_path="edit",
        permission="secgroups.change_securitygroup",
        serializer_class=GroupEditInput,
        previews=(PreviewOfChange,),
    )
    def edit_group(self, request: Request, **kwargs: Any) -> Response:
        """Change the name or description, if the cloud supports it."""
        return self.edits("edit", KIND, _edited, self._address)

    def _creation(self, row: None, payload: dict[str, Any]) -> Edit | Refused:
        attributes = NewGroupInput.validated(payload)
        provider = self.parent_row
        for name, collection in (("cloud_tenant", "cloud_tenants"), ("cloud_network", "cloud_networks")):
            attributes[name] = place = self.referenced(collection, attributes.get(name), name)
            if place and place.provider_id != provider.pk:
                raise BadInput(f"{name}: {place.name} does not belong to {provider.name}")
        # Without a tenant the cloud chooses, which takes a grant on the provider.
        place = attributes["cloud_tenant"] or provider
        if not reaches(self.user, MAY_CREATE, type(place), place.pk):
            raise PermissionDenied(BEYOND_GRANTS)
        return group_creation(provider, **attributes | {"description": attributes.get("description") or None})


def _edited(group: SecurityGroup, payload: dict[str, Any]) -> Edit | Refused:
    return group_edit(group, **GroupEditInput.validated(payload, group))
