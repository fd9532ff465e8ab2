"""JSON Schema of what ManageIQ's clients may send instead of a provider's attributes."""

from __future__ import annotations

from typing import get_args

from inventory.api.connections import DEFAULT
from inventory.drivers.values import AuthType
from inventory.models import Provider
from inventory.rest.shapes import ANY_ID, ENDPOINT, FILLED, TEXT, Schema, any_of, closed, listed

_ROLE: Schema = TEXT | {"description": f"{DEFAULT}, or nothing, is the cloud. Other roles are not stored."}
_HOST: Schema = {"type": "string", "pattern": "^[A-Za-z0-9._:-]*$"}
_ENDPOINT = closed(
    {
        "role": _ROLE,
        "url": ENDPOINT,
        "hostname": _HOST,
        "ipaddress": _HOST,
        "port": {"type": "integer", "minimum": 0, "maximum": 65535},
        "path": {"type": "string", "pattern": "^/[a-z]*$"},
        "security_protocol": {"enum": Provider.SecurityProtocol.values},
        "verify_ssl": {"type": "boolean"},
        "certificate_authority": TEXT,
    }
)
_AUTHENTICATION = closed(
    {
        "userid": FILLED,
        "password": FILLED,
        "auth_type": {"enum": [*get_args(AuthType), DEFAULT]},
        "authtype": _ROLE,
    },
    "userid",
    "password",
)
_CONNECTION: Schema = {
    "type": "object",
    "properties": {"endpoint": _ENDPOINT, "authentication": _AUTHENTICATION},
    "required": ["authentication"],
}
_CREDENTIALS = closed({name: _AUTHENTICATION["properties"][name] for name in ("userid", "password", "auth_type")})
_CREDENTIALS["required"] = ["userid", "password"]
_NAMED_ZONE = closed({"id": ANY_ID, "name": TEXT, "href": TEXT}, minProperties=1, maxProperties=1)
_ZONE = any_of([ANY_ID, _NAMED_ZONE])
_SWITCH: Schema = {"type": ["boolean", "null"]}


def _of_roles(schema: Schema) -> Schema:
    """A list whose entries have a role, or an object with the roles as keys."""
    # What other roles have is not looked at.
    by_role: Schema = {
        "type": "object",
        "properties": {DEFAULT: schema},
        "additionalProperties": {"type": "object"},
        "minProperties": 1,
    }
    return any_of([listed(schema) | {"minItems": 1}, by_role])


#: Each with the attribute that it replaces, or with itself.
STAND_INS: dict[str, tuple[str, Schema]] = {
    "credentials": ("credentials", any_of([_CREDENTIALS, listed(_AUTHENTICATION) | {"minItems": 1}])),
    "connection_configurations": ("credentials", listed(_CONNECTION) | {"minItems": 1}),
    "authentications": ("credentials", _of_roles(_AUTHENTICATION)),
    "endpoints": ("url", _of_roles(_ENDPOINT)),
    "ipaddress": ("hostname", _HOST | {"minLength": 1}),
    "zone": ("zone", _ZONE),
    "zone_id": ("zone", _ZONE),
    "api_version": ("api_version", {"const": "v3"}),
    "tenant_mapping_enabled": ("tenant_mapping_enabled", _SWITCH),
    "event_stream_selection": ("event_stream_selection", {"type": ["string", "null"]}),
    "ddf": ("ddf", _SWITCH),
}
