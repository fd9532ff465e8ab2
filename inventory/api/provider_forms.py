"""The forms for connecting providers, as lists of components for ManageIQ's UI."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from inventory import drivers
from inventory.api.connections import DEFAULT, ENDPOINT
from inventory.api.provider_inputs import CLASS_NAMES, CredentialsSerializer, ProviderInput, vendor_of
from inventory.rest.errors import BadInput

_COMPONENTS = {serializers.BooleanField: "switch", serializers.ChoiceField: "select"}


def provider_forms(requested: str | None) -> dict[str, Any]:
    """The types that can be connected, and the fields of the form of the `requested` type."""
    forms = {
        "supported_providers": [
            {"title": drivers.driver_class(vendor).title, "type": name, "kind": "cloud"}
            for name, vendor in CLASS_NAMES.vendors().items()
        ]
    }
    if requested is None:
        return forms
    vendor = vendor_of(requested)
    if vendor is None:
        raise BadInput(f"Invalid provider - {requested}: it must be one of {', '.join(CLASS_NAMES.vendors())}")
    return forms | {"provider_form_schema": {"fields": _fields(vendor)}}


def _fields(vendor: str) -> list[dict[str, Any]]:
    """The fields of the provider, and those of its connection under the default role."""
    driver_class, inputs = drivers.driver_class(vendor), ProviderInput().fields
    fields = [_component("name", inputs["name"], required=True)]
    for name, required in driver_class.asked_for.items():
        place = f"endpoints.{DEFAULT}.{name}" if name in ENDPOINT else name
        fields.append(_component(place, inputs[name], required=required))
    if driver_class.needs_credentials:
        credentials = CredentialsSerializer().fields
        fields += [
            _component(f"authentications.{DEFAULT}.{name}", credentials[name], required=True)
            for name in ("userid", "password")
        ]
    return fields


def _component(name: str, field: serializers.Field[Any, Any, Any, Any], *, required: bool) -> dict[str, Any]:
    component = next((widget for kind, widget in _COMPONENTS.items() if isinstance(field, kind)), "text-field")
    if field.style.get("input_type") == "password":
        component = "password-field"
    definition: dict[str, Any] = {
        "component": component,
        "id": name,
        "name": name,
        "label": field.label or name.rpartition(".")[2].capitalize(),
        "isRequired": required,
    }
    if required:
        definition["validate"] = [{"type": "required"}]
    if isinstance(field, serializers.ChoiceField):
        definition["options"] = [{"label": label, "value": value} for value, label in field.choices.items()]
    return definition
