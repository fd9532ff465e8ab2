from __future__ import annotations

from typing import Any, get_args

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import drivers
from inventory.api.tasks import task_links
from inventory.drivers.base import AuthType
from inventory.models import Provider
from inventory.rest.acting import DeleteMixin, EditMixin
from inventory.rest.actions import Answer, result
from inventory.rest.collections import Subcollection, ToMany
from inventory.rest.reading import total
from inventory.rest.schema.shapes import ENDPOINT, FILLED, TEXT, closed
from inventory.rest.serializers import ResourceSerializer, StrictSerializer
from inventory.rest.viewsets import CollectionViewSet
from inventory.services import connect_provider, delete_provider, edit_provider, request_refresh


class ProviderSerializer(ResourceSerializer):
    class Meta:
        model = Provider
        fields = [
            "name",
            "type",
            "guid",
            "provider_region",
            "hostname",
            "port",
            "url",
            "security_protocol",
            "verify_ssl",
            "project",
            "uid_ems",
            "enabled",
            "last_refresh_date",
            "last_refresh_error",
            "created_on",
            "updated_on",
        ]


class CredentialsSerializer(StrictSerializer):
    userid = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False, style={"input_type": "password"})
    auth_type = serializers.ChoiceField(
        get_args(AuthType),
        required=False,
        help_text="application_credential (OpenStack): userid is its id and password its secret.",
    )

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """Both also in an edit, which would otherwise take the half that it is given for the whole."""
        if missing := {"userid", "password"} - attrs.keys():
            raise serializers.ValidationError(dict.fromkeys(sorted(missing), "This field is required."))
        return attrs


@extend_schema_field({"type": "string", "enum": drivers.known_types()})
class TypeField(serializers.CharField):
    """A kind of cloud, by the full or the short name of its provider type."""

    def to_internal_value(self, data: Any) -> str:
        named = super().to_internal_value(data)
        known = drivers.provider_type(named)
        if known is None:
            raise serializers.ValidationError(f"{named} is none of {', '.join(settings.DRIVERS)}.")
        return known


#: What `connection_configurations` has; of several the first counts.
CONNECTIONS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {
            "endpoint": closed(
                {
                    "role": TEXT,
                    "url": ENDPOINT,
                    "hostname": TEXT,
                    "port": {"type": "integer", "minimum": 0, "maximum": 65535},
                    "security_protocol": {"enum": Provider.SecurityProtocol.values},
                    "verify_ssl": {"type": "boolean"},
                    "certificate_authority": TEXT,
                }
            ),
            "authentication": {
                "type": "object",
                "properties": {
                    "userid": FILLED,
                    "password": FILLED,
                    "auth_type": {"enum": list(get_args(AuthType))},
                },
                "required": ["userid", "password"],
            },
        },
        "required": ["authentication"],
    },
}


class ProviderInput(StrictSerializer, serializers.ModelSerializer[Provider]):
    """A provider as clients describe it."""

    type = TypeField()
    credentials = CredentialsSerializer()
    stand_ins = {"connection_configurations": ("credentials", CONNECTIONS)}

    class Meta:
        model = Provider
        fields = [
            "name",
            "type",
            "provider_region",
            "url",
            "hostname",
            "port",
            "security_protocol",
            "verify_ssl",
            "certificate_authority",
            "project",
            "uid_ems",
            "enabled",
            "credentials",
        ]
        extra_kwargs = {"verify_ssl": {"initial": True}, "enabled": {"initial": True}}

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(_with_connection(data))


class ProviderEdit(ProviderInput):
    """What can be changed of a provider: everything but the kind of its cloud."""

    credentials = CredentialsSerializer(required=False)

    def validate_type(self, value: str) -> str:
        if self.instance and value != self.instance.type:
            raise serializers.ValidationError(f"{self.instance.name} is connected as {self.instance.type}.")
        return value


def _with_connection(data: Any) -> Any:
    """The attributes with `connection_configurations`, ManageIQ's other form, taken apart."""
    configurations = data.get("connection_configurations") if isinstance(data, dict) else None
    if not isinstance(configurations, list) or not configurations or not isinstance(configurations[0], dict):
        return data
    rest = {key: value for key, value in data.items() if key != "connection_configurations"}
    endpoint, authentication = configurations[0].get("endpoint"), configurations[0].get("authentication")
    named = {key: value for key, value in endpoint.items() if key != "role"} if isinstance(endpoint, dict) else {}
    if isinstance(authentication, dict):
        named["credentials"] = {
            key: value for key, value in authentication.items() if key in {"userid", "password", "auth_type"}
        }
    return named | rest


class RefreshInput(StrictSerializer):
    force = serializers.BooleanField(
        default=False, help_text="Also where it removes more than half of what is known."
    )


class ProviderViewSet(EditMixin, DeleteMixin, CollectionViewSet):
    """Connected cloud accounts and endpoints."""

    collection = "providers"
    queryset = Provider.objects.all()
    serializer_class = ProviderSerializer
    computed = {
        "total_vms": total(Provider, "vms"),
        "total_security_groups": total(Provider, "security_groups"),
        "supports_security_groups": ExpressionWrapper(
            Q(type__in=[name for name in settings.DRIVERS if drivers.driver_class(name).supports_security_groups]),
            output_field=BooleanField(),
        ),
    }
    relations = {
        "cloud_tenants": ToMany("cloud_tenants", "provider"),
        "cloud_networks": ToMany("cloud_networks", "provider"),
        "instances": ToMany("instances", "provider"),
        "vms": ToMany("vms", "provider"),
        "security_groups": ToMany("security_groups", "provider"),
    }
    subcollections = {
        "cloud_tenants": Subcollection("inventory.api.CloudTenantViewSet", "provider"),
        "cloud_networks": Subcollection("inventory.api.CloudNetworkViewSet", "provider"),
        "instances": Subcollection("inventory.api.InstanceViewSet", "provider"),
        "vms": Subcollection("inventory.api.VmViewSet", "provider"),
        "security_groups": Subcollection("secgroups.api.ProviderSecurityGroupViewSet", "provider"),
    }

    @action(
        detail=False,
        methods=["post"],
        permission="inventory.add_provider",
        serializer_class=ProviderInput,
        shows=True,
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Connect a provider; its inventory is read at once."""
        return self.for_each(
            lambda given: self.shown(connect_provider(user=self.user, **ProviderInput.validated(given)))
        )

    @action(
        detail=True,
        methods=["post"],
        url_path="edit",
        permission="inventory.change_provider",
        serializer_class=ProviderEdit,
        shows=True,
    )
    def edit_provider(self, request: Request, **kwargs: Any) -> Response:
        """Change the attributes that are given."""
        return self.on_each(self._edit)

    @action(detail=True, methods=["post"], url_path="delete", permission="inventory.delete_provider")
    def delete_provider(self, request: Request, **kwargs: Any) -> Response:
        """Disconnect it: its inventory goes, its cloud stays as it is."""
        return self.on_each(self._delete)

    @action(detail=True, methods=["post"], permission="inventory.refresh_provider", serializer_class=RefreshInput)
    def refresh(self, request: Request, **kwargs: Any) -> Response:
        """Read the whole inventory from the cloud."""
        return self.on_each(self._refresh)

    def _edit(self, provider: Provider, given: dict[str, Any]) -> Answer:
        edit_provider(provider=provider, user=self.user, **ProviderEdit.validated(given, provider))
        return self.shown(provider)

    def _delete(self, provider: Provider, given: dict[str, Any]) -> Answer:
        href = self.hrefs.resource(self.collection, provider.pk)
        delete_provider(provider=provider)
        return result(True, f"Deleted provider {provider.name}", href=href)

    def _refresh(self, provider: Provider, given: dict[str, Any]) -> Answer:
        force = RefreshInput.validated(given)["force"]
        links = task_links(self.hrefs, request_refresh(provider=provider, user=self.user, force=force))
        tasks = [{"id": links["task_id"], "href": links["task_href"]}]
        href = self.hrefs.resource(self.collection, provider.pk)
        return result(True, f"Refreshing provider {provider.name}", **links, tasks=tasks, href=href)
