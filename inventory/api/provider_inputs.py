"""A provider as clients describe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from inventory import drivers
from inventory.drivers.values import AuthType
from inventory.models import Provider
from inventory.models.provider import ENTER_AGAIN
from inventory.rest.schema.shapes import ENDPOINT, FILLED, TEXT, closed
from inventory.rest.serializers import StrictSerializer

#: Of a constraint with a condition REST framework makes no validator.
NAME_TAKEN = "provider with this name already exists."


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


#: What ManageIQ's clients say of an authentication beside its values; there is one.
_ROLE = frozenset({"role", "authtype"})

#: What `connection_configurations` has.
CONNECTIONS = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1,
    "items": closed(
        {
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
            "authentication": closed(
                {
                    "role": TEXT,
                    "authtype": TEXT,
                    "userid": FILLED,
                    "password": FILLED,
                    "auth_type": {"enum": list(get_args(AuthType))},
                },
                "userid",
                "password",
            ),
        },
        "authentication",
    ),
}


class ProviderInput(StrictSerializer, serializers.ModelSerializer[Provider]):
    """A provider as clients describe it."""

    type = TypeField()
    credentials = CredentialsSerializer()
    stand_ins = {"connection_configurations": ("credentials", CONNECTIONS)}
    without = [{"properties": {"type": {"enum": drivers.types_without_credentials()}}}]

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
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "name": {"validators": [UniqueValidator(Provider.objects.connected(), NAME_TAKEN)]},
            "verify_ssl": {"initial": True},
            "enabled": {"initial": True},
        }

    def to_internal_value(self, data: Any) -> Any:
        given = _with_connection(data)
        if isinstance(given, Mapping) and given.get("type") in drivers.types_without_credentials():
            self.fields["credentials"].required = False
        return super().to_internal_value(given)


class ProviderEdit(ProviderInput):
    """What can be changed of a provider: everything but the kind of its cloud."""

    credentials = CredentialsSerializer(required=False)

    def validate_type(self, value: str) -> str:
        if self.instance and value != self.instance.type:
            raise serializers.ValidationError(f"{self.instance.name} is connected as {self.instance.type}.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Who may edit a provider need not know its credentials, and must not learn them by sending them away."""
        if self.instance and "credentials" not in attrs and self.instance.sends_elsewhere(attrs):
            raise serializers.ValidationError({"credentials": ENTER_AGAIN})
        return attrs


class ProviderTest(ProviderInput):
    """A provider that need not be saved, nor have a name."""

    class Meta(ProviderInput.Meta):
        extra_kwargs: ClassVar[dict[str, Any]] = ProviderInput.Meta.extra_kwargs | {
            "name": {"required": False, "validators": []}
        }


def _with_connection(data: Any) -> Any:
    """The attributes with `connection_configurations`, ManageIQ's other form, taken apart.

    Nothing of it is lost: there is one connection, and it doesn't say again what the provider's attributes say.
    """
    if not isinstance(data, dict) or "connection_configurations" not in data:
        return data
    attributes = dict(data)
    configurations = attributes.pop("connection_configurations")
    match configurations:
        case [dict(connection)] if connection.keys() <= {"endpoint", "authentication"}:
            endpoint, authentication = connection.get("endpoint", {}), connection.get("authentication")
        case _:
            raise _no_connection("There must be one connection, with an endpoint and an authentication.")
    if not (isinstance(endpoint, dict) and isinstance(authentication, dict | None)):
        raise _no_connection("An endpoint and an authentication are JSON objects.")
    said = {name: value for name, value in endpoint.items() if name != "role"}
    if authentication is not None:
        said["credentials"] = {name: value for name, value in authentication.items() if name not in _ROLE}
    if twice := sorted(said.keys() & attributes.keys()):
        raise _no_connection(f"It says again what stands beside it: {', '.join(twice)}.")
    return attributes | said


def _no_connection(message: str) -> serializers.ValidationError:
    return serializers.ValidationError({"connection_configurations": message})
