"""Grants: roles of groups on tenants, on providers and on everything."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import messages
from inventory.models import Grant
from inventory.rest.actions.command import Answer, result
from inventory.rest.actions.viewset import DeleteMixin, EditMixin
from inventory.rest.resources import ToOne
from inventory.rest.serializers import IdField, ResourceSerializer, StrictSerializer
from inventory.rest.viewsets import CollectionViewSet
from inventory.services import edit_grant, give_grant, take_grant

#: What an input names by its id, with the collection and the name in services.
_NAMED = {
    "group_id": ("groups", "group"),
    "ems_id": ("providers", "provider"),
    "cloud_tenant_id": ("cloud_tenants", "cloud_tenant"),
}


class GrantSerializer(ResourceSerializer):
    ems_id = IdField(source="provider_id", allow_null=True)

    class Meta:
        model = Grant
        fields = ["group_id", "role", "ems_id", "cloud_tenant_id"]


class GrantInput(StrictSerializer):
    """A role for a group: on a tenant, on a provider (`ems_id`), or without both on everything."""

    group_id = serializers.CharField()
    role = serializers.ChoiceField(list(settings.ROLES))
    ems_id = serializers.CharField(required=False, allow_null=True)
    cloud_tenant_id = serializers.CharField(required=False, allow_null=True)


class GrantEdit(GrantInput):
    """What changes of a grant. A new `ems_id` or `cloud_tenant_id` replaces its whole scope."""


class GrantViewSet(EditMixin, DeleteMixin, CollectionViewSet):
    """What the members of groups may do, and where. Who has a grant is limited to what their grants reach."""

    collection = "grants"
    queryset = Grant.objects.all()
    serializer_class = GrantSerializer
    relations = {
        "group": ToOne("groups", "group_id"),
        "ext_management_system": ToOne("providers", "provider_id"),
        "cloud_tenant": ToOne("cloud_tenants", "cloud_tenant_id"),
    }

    @action(
        detail=False,
        methods=["post"],
        permission="inventory.add_grant",
        serializer_class=GrantInput,
        shows=True,
        checks_reach=True,
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Give a group a role."""
        return self.answer(self._create)

    @action(
        detail=True,
        methods=["post"],
        url_path="edit",
        permission="inventory.change_grant",
        serializer_class=GrantEdit,
        shows=True,
    )
    def edit_grant(self, request: Request, **kwargs: Any) -> Response:
        """Change the role, the group or the scope."""
        return self.answer(self._edit)

    @action(detail=True, methods=["post"], url_path="delete", permission="inventory.delete_grant")
    def delete_grant(self, request: Request, **kwargs: Any) -> Response:
        """Take the grant from its group."""
        return self.answer(self._delete)

    def _create(self, row: None, payload: dict[str, Any]) -> Answer:
        return self.shown(give_grant(user=self.user, **self._named(GrantInput.validated(payload))))

    def _edit(self, grant: Grant, payload: dict[str, Any]) -> Answer:
        changes = self._named(GrantEdit.validated(payload, grant))
        if not changes.keys().isdisjoint({"provider", "cloud_tenant"}):
            changes = {"provider": None, "cloud_tenant": None, **changes}
        return self.shown(edit_grant(user=self.user, grant=grant, **changes))

    def _delete(self, grant: Grant, payload: dict[str, Any]) -> Answer:
        href, pk = self.hrefs.resource(self.collection, grant.pk), grant.pk
        take_grant(user=self.user, grant=grant)
        return result(True, messages.grant_deleted(pk), href=href)

    def _named(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """The attributes with rows in place of ids. Raises `BadInput` for what the caller can't see."""
        named = {name: value for name, value in attributes.items() if name not in _NAMED}
        for name, (collection, key) in _NAMED.items():
            if name in attributes:
                named[key] = self.referenced(collection, attributes[name], name)
        return named
