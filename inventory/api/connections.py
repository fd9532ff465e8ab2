"""Translates a provider as ManageIQ's clients describe it into our own attributes.

They give each connection a role, an endpoint and an authentication. These come together
(`connection_configurations`) or apart (`endpoints` and `authentications`, as in the forms of ManageIQ's UI). Only
the role `default` is the cloud. The others are services that Portcullis does not use (message buses, metrics,
keys). They are accepted, but not stored, so that they can't replace the cloud's values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple, get_args

from rest_framework.serializers import ValidationError

from inventory.drivers.values import AuthType

DEFAULT = "default"
TOGETHER, ENDPOINTS, AUTHENTICATIONS = "connection_configurations", "endpoints", "authentications"
CREDENTIALS = "credentials"
#: The keys of an endpoint beside its role; `ipaddress` is a host without a name.
ENDPOINT = frozenset(
    {
        "certificate_authority",
        "hostname",
        "ipaddress",
        "path",
        "port",
        "security_protocol",
        "url",
        "verify_ssl",
    }
)
#: The keys that may have the kind of credentials; `default`, or nothing, is a user and a password.
KINDS = ("auth_type", "authtype", "role")
#: What a form of ManageIQ's UI stores about its own test.
_REMEMBERED = frozenset({"role", "valid"})


class Part(NamedTuple):
    """An endpoint or an authentication, with its role."""

    role: str
    values: Mapping[str, Any]


def flattened(data: Mapping[str, Any], *, whole: bool, host: str | None = None) -> dict[str, Any]:
    """A provider's attributes, including those of its cloud's connection.

    `whole` says that it is a new provider. `host` is the current hostname.
    """
    attributes = {
        name: value for name, value in data.items() if name not in {TOGETHER, ENDPOINTS, AUTHENTICATIONS}
    }
    flat = _addressed({name: value for name, value in attributes.items() if name != CREDENTIALS}, host)
    flat |= _credentials_of_cloud(attributes)
    parts = [*_together(data), (_by_role(data, ENDPOINTS), _by_role(data, AUTHENTICATIONS))]
    endpoints = [part for pair in parts for part in pair[0]]
    authentications = [part for pair in parts for part in pair[1]]
    if whole and (endpoints or authentications) and not _has_cloud([*endpoints, *authentications], attributes):
        raise ValidationError({TOGETHER: f"One connection must have the role {DEFAULT}, which is the cloud."})
    connection = _addressed(_endpoint(_only(endpoints, ENDPOINTS)), host)
    if credentials := _authentication(_only(authentications, AUTHENTICATIONS)):
        connection[CREDENTIALS] = credentials
    for name in connection.keys() & flat.keys():
        if connection[name] != flat[name] and str(connection[name]) != str(flat[name]):
            raise ValidationError({name: "It is given twice, with different values."})
    return connection | flat


def _has_cloud(parts: Iterable[Part], attributes: Mapping[str, Any]) -> bool:
    """Whether something has the cloud's address or credentials."""
    return any(part.role == DEFAULT for part in parts) or not (ENDPOINT | {CREDENTIALS}).isdisjoint(attributes)


def _only(parts: Iterable[Part], name: str) -> Mapping[str, Any]:
    """The cloud's values; empty if there are none."""
    clouds = [part.values for part in parts if part.role == DEFAULT]
    if len(clouds) > 1:
        raise ValidationError({name: f"Only one may have the role {DEFAULT}."})
    return clouds[0] if clouds else {}


# --- Input formats ---


def _together(data: Mapping[str, Any]) -> Iterable[tuple[list[Part], list[Part]]]:
    for item in _objects(data.get(TOGETHER), TOGETHER):
        if unknown := sorted(item.keys() - {"endpoint", "authentication"}):
            raise ValidationError({TOGETHER: f"Invalid attributes specified: {', '.join(unknown)}"})
        [endpoint] = _objects([item.get("endpoint") or {}], TOGETHER)
        [authentication] = _objects([item.get("authentication") or {}], TOGETHER)
        role = _role(endpoint) or _role_of(authentication)
        yield [Part(role, endpoint)], [Part(role, authentication)]


def _by_role(data: Mapping[str, Any], name: str) -> list[Part]:
    """From a list with roles, an object with the roles as keys, or a single one, which is the cloud's."""
    value = data.get(name)
    if not isinstance(value, Mapping):
        role_of = (lambda item: _role(item) or DEFAULT) if name == ENDPOINTS else _role_of
        return [Part(role_of(item), item) for item in _objects(value, name)]
    if value and all(isinstance(item, Mapping) for item in value.values()):
        return [Part(role, values) for role, values in value.items()]
    return [Part(DEFAULT, value)]


def _objects(value: Any, name: str) -> list[Mapping[str, Any]]:
    items = [] if value is None else value
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise ValidationError({name: "It must be a list of objects."})
    return items


def _role(endpoint: Mapping[str, Any]) -> str | None:
    role = endpoint.get("role")
    if role is not None and not isinstance(role, str):
        raise ValidationError({ENDPOINTS: "A role must be a string."})
    return role or None


def _role_of(authentication: Mapping[str, Any]) -> str:
    """The role of an authentication, from its kind."""
    kinds = _kinds(authentication)
    return DEFAULT if not kinds or kinds[0] in get_args(AuthType) else str(kinds[0])


# --- Values ---


def _addressed(attributes: Mapping[str, Any], host: str | None) -> dict[str, Any]:
    """Use an `ipaddress` as the host if there is no host name."""
    rest = {name: value for name, value in attributes.items() if name != "ipaddress"}
    if attributes.get("ipaddress") and not rest.get("hostname") and ("hostname" in rest or not _is_name(host)):
        rest["hostname"] = attributes["ipaddress"]
    return rest


def _is_name(host: str | None) -> bool:
    try:
        ip_address(host or "")
    except ValueError:
        return bool(host)
    return False


def _endpoint(attributes: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in attributes.items() if name not in _REMEMBERED}
    if unknown := sorted(name for name in rest.keys() - ENDPOINT if rest[name] is not None):
        raise ValidationError({ENDPOINTS: f"Invalid attributes specified: {', '.join(unknown)}"})
    return {name: value for name, value in rest.items() if name in ENDPOINT}


def _authentication(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Credentials; empty if only their kind is given, as in an edit that keeps them."""
    credentials = _of_kind(
        {name: value for name, value in attributes.items() if name != "valid" and value is not None}
    )
    return credentials if credentials.keys() - {"auth_type"} else {}


def _credentials_of_cloud(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """`credentials`, which are an object or a list with kinds."""
    match attributes.get(CREDENTIALS):
        case Mapping() as credentials:
            return {CREDENTIALS: _of_kind(credentials)}
        case [_, *_] as items:
            parts = [Part(_role_of(credentials), credentials) for credentials in _objects(items, CREDENTIALS)]
            cloud = _only(parts, CREDENTIALS)
            return {CREDENTIALS: _of_kind(cloud)} if any(part.role == DEFAULT for part in parts) else {}
    return {CREDENTIALS: attributes[CREDENTIALS]} if CREDENTIALS in attributes else {}


def _of_kind(credentials: Mapping[str, Any]) -> dict[str, Any]:
    """The credentials with their kind as `auth_type`, which is omitted for the default kind."""
    kinds = _kinds(credentials)
    if any(kind != kinds[0] for kind in kinds):
        raise ValidationError({CREDENTIALS: "They have several kinds."})
    rest = {name: value for name, value in credentials.items() if name not in KINDS}
    return rest | ({"auth_type": kinds[0]} if kinds else {})


def _kinds(credentials: Mapping[str, Any]) -> list[Any]:
    return [kind for name in KINDS if (kind := credentials.get(name)) not in (None, "", DEFAULT)]
