"""A provider as ManageIQ's clients describe it, in our own attributes.

They give each connection a role, with an endpoint and an authentication: together (`connection_configurations`),
or apart (`endpoints` and `authentications`, as the forms of its UI do). Only the role `default` is the cloud. The
others are services that Portcullis does not talk to (message buses, metrics, keys): they are accepted and not
kept, so that nothing of theirs can take the place of what is the cloud's.
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
#: What an endpoint has beside its role; `ipaddress` is a host without a name.
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
#: What may say of what kind credentials are; with `default`, or nothing, they are a user and a password.
KINDS = ("auth_type", "authtype", "role")
#: What a form of ManageIQ's UI remembers of its own test.
_REMEMBERED = frozenset({"role", "valid"})


class Part(NamedTuple):
    """An endpoint or an authentication, and whose it is."""

    role: str
    values: Mapping[str, Any]


def flattened(data: Mapping[str, Any], *, whole: bool, host: str | None = None) -> dict[str, Any]:
    """A provider's attributes with those of its cloud's connection among them; `whole` if none are known yet.

    `host` is the one that it has so far.
    """
    ours = {name: value for name, value in data.items() if name not in {TOGETHER, ENDPOINTS, AUTHENTICATIONS}}
    given = _addressed({name: value for name, value in ours.items() if name != CREDENTIALS}, host)
    given |= _credentials_of_cloud(ours)
    parts = [*_together(data), (_by_role(data, ENDPOINTS), _by_role(data, AUTHENTICATIONS))]
    endpoints = [part for pair in parts for part in pair[0]]
    authentications = [part for pair in parts for part in pair[1]]
    if whole and (endpoints or authentications) and not _has_cloud([*endpoints, *authentications], ours):
        raise ValidationError({TOGETHER: f"One must have the role {DEFAULT}: it is the cloud."})
    connection = _addressed(_endpoint(_only(endpoints, ENDPOINTS)), host)
    if found := _authentication(_only(authentications, AUTHENTICATIONS)):
        connection[CREDENTIALS] = found
    for name in connection.keys() & given.keys():
        if connection[name] != given[name] and str(connection[name]) != str(given[name]):
            raise ValidationError({name: "It is given twice, and not the same."})
    return connection | given


def _has_cloud(parts: Iterable[Part], ours: Mapping[str, Any]) -> bool:
    """Whether something says where the cloud is or who to be there."""
    return any(part.role == DEFAULT for part in parts) or not (ENDPOINT | {CREDENTIALS}).isdisjoint(ours)


def _only(parts: Iterable[Part], name: str) -> Mapping[str, Any]:
    """The one that is the cloud's; empty if there is none."""
    clouds = [part.values for part in parts if part.role == DEFAULT]
    if len(clouds) > 1:
        raise ValidationError({name: f"Only one may have the role {DEFAULT}."})
    return clouds[0] if clouds else {}


# --- The forms in which they come ---


def _together(data: Mapping[str, Any]) -> Iterable[tuple[list[Part], list[Part]]]:
    for one in _objects(data.get(TOGETHER), TOGETHER):
        if unknown := sorted(one.keys() - {"endpoint", "authentication"}):
            raise ValidationError({TOGETHER: f"Invalid attributes specified: {', '.join(unknown)}"})
        [endpoint] = _objects([one.get("endpoint") or {}], TOGETHER)
        [authentication] = _objects([one.get("authentication") or {}], TOGETHER)
        role = _role(endpoint) or _role_of(authentication)
        yield [Part(role, endpoint)], [Part(role, authentication)]


def _by_role(data: Mapping[str, Any], name: str) -> list[Part]:
    """A list in which each says its role, an object that has each under its role, or one alone: the cloud's."""
    given = data.get(name)
    if not isinstance(given, Mapping):
        role_of = (lambda one: _role(one) or DEFAULT) if name == ENDPOINTS else _role_of
        return [Part(role_of(one), one) for one in _objects(given, name)]
    if given and all(isinstance(one, Mapping) for one in given.values()):
        return [Part(role, values) for role, values in given.items()]
    return [Part(DEFAULT, given)]


def _objects(given: Any, name: str) -> list[Mapping[str, Any]]:
    listed = [] if given is None else given
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise ValidationError({name: "It must be a list of objects."})
    return listed


def _role(endpoint: Mapping[str, Any]) -> str | None:
    role = endpoint.get("role")
    if role is not None and not isinstance(role, str):
        raise ValidationError({ENDPOINTS: "A role is a text."})
    return role or None


def _role_of(authentication: Mapping[str, Any]) -> str:
    """The role that an authentication is for by its kind."""
    kinds = _kinds(authentication)
    return DEFAULT if not kinds or kinds[0] in get_args(AuthType) else str(kinds[0])


# --- What they say ---


def _addressed(given: Mapping[str, Any], host: str | None) -> dict[str, Any]:
    """An `ipaddress` is the host where no name of it is given, nor known."""
    rest = {name: value for name, value in given.items() if name != "ipaddress"}
    if given.get("ipaddress") and not rest.get("hostname") and ("hostname" in rest or not _is_name(host)):
        rest["hostname"] = given["ipaddress"]
    return rest


def _is_name(host: str | None) -> bool:
    try:
        ip_address(host or "")
    except ValueError:
        return bool(host)
    return False


def _endpoint(given: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in given.items() if name not in _REMEMBERED}
    if unknown := sorted(name for name in rest.keys() - ENDPOINT if rest[name] is not None):
        raise ValidationError({ENDPOINTS: f"Invalid attributes specified: {', '.join(unknown)}"})
    return {name: value for name, value in rest.items() if name in ENDPOINT}


def _authentication(given: Mapping[str, Any]) -> dict[str, Any]:
    """Credentials; empty where it names only their kind, as in an edit that keeps them."""
    credentials = _of_kind({name: value for name, value in given.items() if name != "valid" and value is not None})
    return credentials if credentials.keys() - {"auth_type"} else {}


def _credentials_of_cloud(ours: Mapping[str, Any]) -> dict[str, Any]:
    """`credentials` as they come: one, or a list in which each says its kind."""
    match ours.get(CREDENTIALS):
        case Mapping() as one:
            return {CREDENTIALS: _of_kind(one)}
        case [_, *_] as several:
            parts = [Part(_role_of(one), one) for one in _objects(several, CREDENTIALS)]
            cloud = _only(parts, CREDENTIALS)
            return {CREDENTIALS: _of_kind(cloud)} if any(part.role == DEFAULT for part in parts) else {}
    return {CREDENTIALS: ours[CREDENTIALS]} if CREDENTIALS in ours else {}


def _of_kind(credentials: Mapping[str, Any]) -> dict[str, Any]:
    """The same with their kind as `auth_type`, which is left out where it is none of their own."""
    kinds = _kinds(credentials)
    if any(kind != kinds[0] for kind in kinds):
        raise ValidationError({CREDENTIALS: "They are said to be of several kinds."})
    rest = {name: value for name, value in credentials.items() if name not in KINDS}
    return rest | ({"auth_type": kinds[0]} if kinds else {})


def _kinds(credentials: Mapping[str, Any]) -> list[Any]:
    return [kind for name in KINDS if (kind := credentials.get(name)) not in (None, "", DEFAULT)]
