from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, Q
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import drivers
from inventory.api.provider_forms import provider_forms
from inventory.api.provider_inputs import CLASS_NAMES, ProviderEdit, ProviderInput, ProviderTest
from inventory.api.refreshable import RefreshMixin
from inventory.api.tasks import task_links
from inventory.drivers.values import Check
from inventory.models import Provider, Task
from inventory.rest.actions.command import Answer, result
from inventory.rest.actions.viewset import DeleteMixin, EditMixin
from inventory.rest.classes import Classes
from inventory.rest.resources import RelatedCount, Subcollection, ToMany
from inventory.rest.serializers import ClassNameField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet
from inventory.services import (
    Verdict,
    connect_provider,
    delete_provider,
    edit_provider,
    request_refresh,
    verify_credentials,
)


class ProviderSerializer(ResourceSerializer):
    type = ClassNameField(CLASS_NAMES.ending)

    class Meta:
        model = Provider
        fields = [
            "name",
            "type",
            "guid",
            "provider_region",
            "hostname",
            "port",
            "path",
            "url",
            "security_protocol",
            "verify_ssl",
            "project",
            "uid_ems",
            "interface",
            "enabled",
            "last_refresh_date",
            "last_refresh_error",
            "created_on",
            "updated_on",
        ]


def _told(check: Check) -> dict[str, Any]:
    return {"name": check.name, "allowed": check.allowed, "needed": check.needed, "message": check.message}


def _answer(verdict: Verdict) -> Answer:
    return result(verdict.success, verdict.message, checks=[_told(check) for check in verdict.checks])


class ProviderViewSet(RefreshMixin, EditMixin, DeleteMixin, CollectionViewSet):
    """Connected cloud accounts and endpoints."""

    collection = "providers"
    parameters = CollectionViewSet.parameters | {"metadata": {"type"}}
    identified_by = ("guid",)
    shown_if_named = ("name", "type")
    queryset = Provider.objects.connected()
    serializer_class = ProviderSerializer
    classes = Classes(
        ("ExtManagementSystem", "ManageIQ::Providers::BaseManager", "ManageIQ::Providers::CloudManager")
    )
    computed = {
        "total_vms": RelatedCount(Provider, "vms"),
        "total_security_groups": RelatedCount(Provider, "security_groups"),
        "supports_security_groups": ExpressionWrapper(
            Q(
                vendor__in=[
                    vendor for vendor in settings.DRIVERS if drivers.driver_class(vendor).supports_security_groups
                ]
            ),
            output_field=BooleanField(),
        ),
    }
    relations = {
        "cloud_tenants": ToMany("cloud_tenants", "provider"),
        "cloud_networks": ToMany("cloud_networks", "provider"),
        "instances": ToMany("instances", "provider"),
        "vms": ToMany("vms", "provider"),
        "security_groups": ToMany("security_groups", "provider"),
        "exposures": ToMany("exposures", "provider"),
    }
    subcollections = {
        "cloud_tenants": Subcollection("inventory.api.CloudTenantViewSet", "provider"),
        "cloud_networks": Subcollection("inventory.api.CloudNetworkViewSet", "provider"),
        "instances": Subcollection("inventory.api.InstanceViewSet", "provider"),
        "vms": Subcollection("inventory.api.VmViewSet", "provider"),
        "security_groups": Subcollection("secgroups.api.ProviderSecurityGroupViewSet", "provider"),
        "exposures": Subcollection("secgroups.api.ExposureViewSet", "provider"),
        "event_streams": Subcollection("inventory.api.EventStreamViewSet", "ems_id"),
    }

    def metadata(self) -> dict[str, Any]:
        """The types that can be connected. With `type`, also the fields of its form."""
        return provider_forms(self.request.query_params.get("type"))

    @action(
        detail=False,
        methods=["post"],
        permission="inventory.add_provider",
        serializer_class=ProviderInput,
        shows=True,
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Connect a provider and read its inventory."""
        return self.answer(self._create)

    @action(
        detail=True,
        methods=["post"],
        url_path="edit",
        permission="inventory.change_provider",
        serializer_class=ProviderEdit,
        shows=True,
    )
    def edit_provider(self, request: Request, **kwargs: Any) -> Response:
        """Change the given attributes."""
        return self.answer(self._edit)

    @action(detail=True, methods=["post"], url_path="delete", permission="inventory.delete_provider")
    def delete_provider(self, request: Request, **kwargs: Any) -> Response:
        """Disconnect the provider and delete its inventory. The cloud stays as it is."""
        return self.answer(self._delete)

    @action(
        detail=False,
        methods=["post"],
        permission="inventory.add_provider",
        serializer_class=ProviderTest,
        aliases=("verify",),
        writes=False,
    )
    def verify_credentials(self, request: Request, **kwargs: Any) -> Response:
        """Test a connection and its credentials. Nothing is saved."""
        return self.answer(lambda _, payload: Provider(**ProviderTest.validated(payload)), finish=self._verify)

    def _create(self, row: None, given: dict[str, Any]) -> Answer:
        return self.shown(connect_provider(user=self.user, **ProviderInput.validated(given)))

    def _verify(self, tested: list[Provider | Answer]) -> list[Answer]:
        """The results for providers, and for resources that are none the answers that they already have."""
        providers = [provider for provider in tested if isinstance(provider, Provider)]
        verdicts = iter(verify_credentials(providers=providers, user=self.user))
        return [_answer(next(verdicts)) if isinstance(item, Provider) else item for item in tested]

    def _edit(self, provider: Provider, payload: dict[str, Any]) -> Answer:
        edit_provider(provider=provider, user=self.user, **ProviderEdit.validated(payload, provider))
        return self.shown(provider)

    def _delete(self, provider: Provider, payload: dict[str, Any]) -> Answer:
        href = self.hrefs.resource(self.collection, provider.pk)
        task = delete_provider(provider=provider, user=self.user)
        return result(True, task.message, **task_links(self.hrefs, task), href=href)

    def request_refresh(self, row: Provider, force: bool) -> Task:
        return request_refresh(provider=row, user=self.user, force=force)
