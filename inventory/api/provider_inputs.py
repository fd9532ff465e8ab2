"""The input of the actions on providers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, get_args

from django.conf import settings
from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from inventory import drivers
from inventory.api.connection_shapes import STAND_INS
from inventory.api.connections import flattened
from inventory.drivers.values import AuthType
from inventory.messages import ENTER_AGAIN, NAME_TAKEN
from inventory.models import Provider, Zone
from inventory.rest.classes import ClassNames
from inventory.rest.hrefs import id_in
from inventory.rest.serializers import StrictSerializer

CLASS_NAMES = ClassNames("CloudManager")
#: ManageIQ's name for TLS with a given `certificate_authority`.
CUSTOM_CA = "ssl-with-validation-custom-ca"
#: An address of Keystone's API before v3.
KEYSTONE_V2 = re.compile(r"/v2(\.0)?/*$")


class CredentialsSerializer(StrictSerializer):
    userid = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False, style={"input_type": "password"})
    auth_type = serializers.ChoiceField(
        get_args(AuthType),
        required=False,
        help_text="application_credential (OpenStack): userid is its id and password its secret.",
    )

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """Require both, even in an edit, because credentials are replaced as a whole."""
        if missing := {"userid", "password"} - attrs.keys():
            raise serializers.ValidationError(dict.fromkeys(sorted(missing), "This field is required."))
        return attrs


def types_of(vendors: Iterable[str]) -> list[str]:
    """The names that clients may use for the types of these vendors' providers."""
    return [name for vendor in vendors for name in (CLASS_NAMES[vendor], vendor)]


def vendor_of(name: str) -> str | None:
    """The vendor with this class name or vendor name; None if no driver knows it."""
    vendor = CLASS_NAMES.vendors().get(name, name)
    return vendor if vendor in settings.DRIVERS else None


#: The types of providers without credentials.
_WITHOUT_CREDENTIALS = types_of(
    vendor for vendor in settings.DRIVERS if not drivers.driver_class(vendor).needs_credentials
)


@extend_schema_field({"type": "string", "enum": types_of(settings.DRIVERS)})
class TypeField(serializers.CharField):
    """A vendor, by its name or the name of its class."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        vendor = vendor_of(name)
        if vendor is None:
            raise serializers.ValidationError(f"{name} is not one of {', '.join(CLASS_NAMES.vendors())}.")
        return vendor


class SecurityProtocolField(serializers.ChoiceField):
    """Also takes the names that ManageIQ's clients use."""

    others: ClassVar[dict[str, str]] = {
        "ssl-no-validation": Provider.SecurityProtocol.TLS.value,
        "ssl-without-validation": Provider.SecurityProtocol.TLS.value,
        CUSTOM_CA: Provider.SecurityProtocol.VERIFIED_TLS.value,
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[*Provider.SecurityProtocol.values, *self.others], **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        name = super().to_internal_value(data)
        return self.others.get(name, name)


class ZoneField(serializers.Field):  # type: ignore[type-arg]
    """The only zone, by name, id or address, or by an object with one of these."""

    def to_internal_value(self, data: Any) -> Zone:
        if isinstance(data, Mapping) and (len(data) != 1 or data.keys().isdisjoint(("id", "href", "name"))):
            raise serializers.ValidationError("A zone must have exactly one of id, href and name.")
        identifier = next(iter(data.values())) if isinstance(data, Mapping) else data
        zone: Zone | None = Zone.objects.filter(pk=id_in(identifier, "zones") or 0).first()
        zone = zone or Zone.objects.filter(name=identifier if isinstance(identifier, str) else "").first()
        if zone is None:
            raise serializers.ValidationError(f"There is no zone {identifier}. The only zone is {Zone.DEFAULT}.")
        return zone


class ManageIQSerializer(serializers.Serializer[Any]):
    """What ManageIQ's clients send beside a provider's attributes. It is checked, but not stored.

    Either there is only one choice (one zone, one version of Keystone's API), or Portcullis lacks the feature: it
    has no tenants of its own to map those of a cloud to, and listens to no events.
    """

    zone = ZoneField(required=False, allow_null=True)
    zone_id = ZoneField(required=False, allow_null=True)
    api_version = serializers.ChoiceField(["v3"], required=False, allow_null=True)
    tenant_mapping_enabled = serializers.BooleanField(required=False, allow_null=True)
    event_stream_selection = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    ddf = serializers.BooleanField(required=False, allow_null=True)


class ProviderInput(StrictSerializer, serializers.ModelSerializer[Provider]):
    """A provider as clients describe it."""

    type = TypeField(source="vendor")
    credentials = CredentialsSerializer()
    security_protocol = SecurityProtocolField(required=False, allow_null=True, allow_blank=True)
    stand_ins = STAND_INS
    without = [{"properties": {"type": {"enum": _WITHOUT_CREDENTIALS}}}]

    class Meta:
        model = Provider
        fields = [
            "name",
            "type",
            "provider_region",
            "url",
            "hostname",
            "port",
            "path",
            "security_protocol",
            "verify_ssl",
            "certificate_authority",
            "project",
            "uid_ems",
            "interface",
            "enabled",
            "credentials",
        ]
        extra_kwargs: ClassVar[dict[str, Any]] = {
            # DRF makes no validator from the constraint, because it has a condition.
            "name": {"validators": [UniqueValidator(Provider.objects.connected(), message=NAME_TAKEN)]},
            "verify_ssl": {"initial": True},
            "enabled": {"initial": True},
        }

    def to_internal_value(self, data: Any) -> Any:
        raw = self._of_manageiq(data) if isinstance(data, Mapping) and not isinstance(data, QueryDict) else data
        if isinstance(raw, Mapping) and raw.get("type") in _WITHOUT_CREDENTIALS:
            self.fields["credentials"].required = False
        value = super().to_internal_value(raw)
        if raw.get("security_protocol") == CUSTOM_CA and not self._resulting(value, "certificate_authority"):
            raise serializers.ValidationError({"certificate_authority": f"{CUSTOM_CA} requires one."})
        return value

    def _of_manageiq(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes, translated from what ManageIQ's clients send."""
        serializer = ManageIQSerializer(data=data)
        serializer.is_valid(raise_exception=True)
        rest = {name: value for name, value in data.items() if name not in serializer.fields}
        return flattened(rest, whole=not self.partial, host=self._resulting({}, "hostname"))

    def _resulting(self, attrs: Mapping[str, Any], name: str) -> Any:
        """The value that an attribute will have."""
        return attrs[name] if name in attrs else getattr(self.instance, name, None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """An address is a `url`, or a `hostname` with `port` and `path`. Setting the latter removes the former."""
        provided = [name for name in ("hostname", "port", "path") if attrs.get(name)]
        changed = [name for name in provided if attrs[name] != getattr(self.instance, name, None)]
        if self.instance and changed and "url" not in attrs and self.instance.url:
            if not self._resulting(attrs, "hostname"):
                raise serializers.ValidationError({changed[0]: "It requires a hostname instead of a url."})
            attrs["url"] = None
        url, path = self._resulting(attrs, "url"), self._resulting(attrs, "path")
        if "path" in provided and url:
            raise serializers.ValidationError({"path": "It requires a hostname. A url has its own path."})
        openstack = self._resulting(attrs, "vendor") == "openstack"
        for name, address in (("url", url), ("path", path)):
            if openstack and KEYSTONE_V2.search(address or ""):
                raise serializers.ValidationError({name: "Only version 3 of Keystone's API is supported."})
        return attrs


class ProviderEdit(ProviderInput):
    """The attributes of a provider that can be changed: all but its type."""

    credentials = CredentialsSerializer(required=False)

    def validate_type(self, value: str) -> str:
        if self.instance and value != self.instance.vendor:
            connected = CLASS_NAMES[self.instance.vendor]
            raise serializers.ValidationError(f"{self.instance.name} is connected as {connected}.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require the credentials for a new address: an editor must not learn them by redirecting them."""
        attrs = super().validate(attrs)
        if self.instance and "credentials" not in attrs and self.instance.sends_elsewhere(attrs):
            raise serializers.ValidationError({"credentials": ENTER_AGAIN})
        return attrs


class ProviderTest(ProviderInput):
    """A provider to be tested. It need not be saved, nor have a name."""

    class Meta(ProviderInput.Meta):
        extra_kwargs: ClassVar[dict[str, Any]] = ProviderInput.Meta.extra_kwargs | {
            "name": {"required": False, "validators": []}
        }
