"""JSON Schemas that all collections share (2020-12, which OpenAPI 3.1 uses)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from drf_spectacular.plumbing import resolve_type_hint

from inventory.drivers.endpoints import FILE_URL
from inventory.rest import messages
from inventory.rest.errors import KINDS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
#: A text that is not blank.
FILLED: Schema = {"type": "string", "pattern": r"\S"}
#: What `validate_endpoint` takes, except IPv6 addresses.
ENDPOINT: Schema = {
    "type": "string",
    "pattern": rf"^(https?://[A-Za-z0-9._-]+(:[1-9][0-9]{{0,3}})?([/?#][!-~]*)?|{FILE_URL.pattern})$",
    "maxLength": 2048,
}
WHOLE: Schema = {"type": "integer", "minimum": 0}
HREF: Schema = {"type": "string", "format": "uri"}
#: An id in an answer.
ID: Schema = {"type": "string", "pattern": "^[0-9]+$"}
#: An id in a request.
ANY_ID: Schema = {"type": ["string", "integer"]}
NAMES: Schema = {"type": "array", "items": TEXT}
DRY_RUN: Schema = {"enum": [False, True, "cloud"], "description": messages.DRY_RUN}


def schema_of(hint: Any) -> Schema:
    """The schema of a type, such as a `TypedDict`."""
    schema: Schema = _with_null(resolve_type_hint(hint))  # type: ignore[no-untyped-call]
    return schema


def _with_null(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 in the words of 3.1, which has no `nullable`."""
    if isinstance(schema, list):
        return list(map(_with_null, schema))
    if not isinstance(schema, dict):
        return schema
    converted = {key: _with_null(value) for key, value in schema.items() if key != "nullable"}
    return any_of([converted, {"type": "null"}]) if schema.get("nullable") is True else converted


def closed(properties: dict[str, Schema], *required: str, **extra: Any) -> Schema:
    """An object with these properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
        **extra,
    }


def whole(properties: dict[str, Schema], **extra: Any) -> Schema:
    """An object with all of these properties and no other."""
    return closed(properties, *properties, **extra)


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def any_of(schemas: list[Schema]) -> Schema:
    """Any of these schemas, without duplicates."""
    different = [schema for n, schema in enumerate(schemas) if schema not in schemas[:n]]
    return different[0] if len(different) == 1 else {"anyOf": different}


ERROR = whole(
    {
        "error": whole(
            {
                "kind": {"type": "string", "enum": sorted(KINDS.values())},
                "message": TEXT,
                "klass": {"type": "string", "pattern": "^Api::[A-Za-z]+Error$"},
            }
        )
    }
)

RESULT = closed(
    {
        "success": {"type": "boolean"},
        "message": TEXT,
        "task_id": ID,
        "task_href": HREF,
        "tasks": listed(whole({"id": ID, "href": HREF})),
        "checks": listed(
            whole(
                {
                    "name": TEXT,
                    "allowed": {"type": ["boolean", "null"]},
                    "needed": {"type": "boolean"},
                    "message": TEXT,
                }
            )
        ),
        "auth_token": TEXT | {"description": "A new token, which is shown only once."},
        "href": HREF,
    },
    "success",
    "message",
    description="The result of an action on one resource, with its task, if any.",
)


def previewed(preview: Schema) -> Schema:
    """The result of an action that is only previewed."""
    return closed(
        {"success": {"type": "boolean"}, "message": TEXT, "href": HREF, "preview": preview},
        "success",
        "message",
        "preview",
        description="What the result of an action would be, and what it would do.",
    )


OFFERED = whole({"name": TEXT, "method": TEXT, "href": HREF})

LINKS = closed(
    dict.fromkeys(["self", "first", "last", "next", "previous"], TEXT),
    "self",
    "first",
    "last",
    description="Links to other pages. `next` is absent on the last page, `previous` on the first.",
)

METADATA = whole(
    {
        "attributes": NAMES,
        "virtual_attributes": NAMES,
        "relationships": NAMES,
        "subcollections": NAMES,
        "data": {"type": "object"},
    }
)

_OR_NONE: Schema = {"type": ["string", "null"]}
ENTRY_POINT = whole(
    {
        "name": {"const": "API"},
        "description": {"const": "REST API"},
        "version": {"const": settings.REST_FRAMEWORK["DEFAULT_VERSION"]},
        "versions": listed(whole({"name": TEXT, "href": HREF})),
        "settings": {"type": "object"},
        "identity": whole(
            {
                "userid": TEXT,
                "name": TEXT,
                "user_href": HREF,
                "group": _OR_NONE,
                "group_href": _OR_NONE | {"format": "uri"},
                "role": _OR_NONE,
                "groups": NAMES,
                "miq_groups": listed(whole({"href": HREF, "id": ID, "description": TEXT})),
            },
        ),
        "server_info": {"type": "object"},
        "product_info": {"type": "object"},
        "collections": listed(whole({"name": TEXT, "href": HREF, "description": TEXT})),
    }
)
ENTRY_POINT["properties"]["authorization"] = whole({"product_features": {"type": "object"}})  # if it is asked for
TOKEN = whole(
    {
        "auth_token": TEXT,
        "token_ttl": WHOLE | {"description": "Seconds."},
        "expires_on": {"type": "string", "format": "date-time"},
    }
)

#: The meaning of each error status.
REASONS = {
    HTTPStatus.BAD_REQUEST: "The request is invalid or refused",
    HTTPStatus.UNAUTHORIZED: "No valid login",
    HTTPStatus.FORBIDDEN: "The user lacks the permission",
    HTTPStatus.NOT_FOUND: "No resource that the user may see has this address",
    HTTPStatus.CONFLICT: "A request with this Idempotency-Key is still in progress",
    HTTPStatus.PRECONDITION_FAILED: "The resource has changed since it was read (If-Match)",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many tasks or keys are waiting. Retry after Retry-After",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Accept allows neither JSON nor HTML",
}

#: The ways to authenticate; each is enough.
SECURITY = {
    "basic": {"type": "http", "scheme": "basic"},
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
    "session": {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
}
