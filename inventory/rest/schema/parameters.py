"""The parameters of requests, as the collections declare them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter

from inventory.rest.http import idempotency
from inventory.rest.query.attributes import comparable
from inventory.rest.query.sorting import DESCENDING, OPTIONS
from inventory.rest.reading.selection import attributes_of
from inventory.rest.resources import ResourceType, ToOne, get_resource_type
from inventory.rest.shapes import ID, TEXT, Schema


def parameter(name: str, schema: Schema, description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, description=description, **more)


def _names(name: str, names: list[str], description: str) -> OpenApiParameter:
    """A comma-separated list of these names."""
    schema = {"type": "array", "items": {"type": "string", "enum": names}}
    return parameter(name, schema, description, style="form", explode=False)


def selecting(resource_type: ResourceType) -> list[OpenApiParameter]:
    """What to show of each resource."""
    relations = [
        f"{name}.{attribute}"
        for name, relation in resource_type.relations.items()
        if isinstance(relation, ToOne)
        for attribute in attributes_of(get_resource_type(relation.collection))
    ]
    attributes = [
        *_attributes(resource_type),
        *sorted(resource_type.computed_names),
        *resource_type.relations,
        *relations,
    ]
    return [
        _names(
            "expand",
            ["resources", *resource_type.subcollections],
            "`resources` shows the attributes of a list's resources; a subcollection is put into each resource.",
        ),
        _names(
            "attributes",
            [*attributes, "all", "actions"],
            "Only these, beside `href` and `id`; computed ones and relations are shown only when named here.",
        ),
    ]


def _attributes(resource_type: ResourceType) -> list[str]:
    return ["href", "id", *resource_type.columns]


def listing(resource_type: ResourceType) -> list[OpenApiParameter]:
    """Which resources to list, in which order, and on which page."""
    most = settings.API_PAGE_LIMIT
    return [
        parameter(
            "limit", {"type": "integer", "minimum": 1, "default": most}, f"Resources in a page; {most} at most."
        ),
        parameter("offset", {"type": "integer", "minimum": 0, "default": 0}, "Resources before the page."),
        parameter(
            "after",
            {"type": "integer", "minimum": 0},
            "The id before the page, in the order by id; then `offset` counts for the links alone.",
        ),
        _names("hide", ["resources"], "`resources` leaves the list out, and the counts remain."),
        parameter(
            "filter[]",
            {"type": "array", "items": TEXT},
            "`attribute op value`, such as `name='web*'`; all of them hold, or one that begins with `or `.",
            style="form",
            explode=True,
        ),
        parameter(
            "collection_class",
            {"type": "string", "enum": list(resource_type.classes)},
            "Those of this class alone.",
        ),
        _names("sort_by", comparable(resource_type), "Attributes to sort by; id without."),
        _names("sort_order", list(DESCENDING), "For each of `sort_by`."),
        _names("sort_options", sorted(OPTIONS), "How text is compared."),
    ]


def path_id(name: str) -> OpenApiParameter:
    return parameter(name, ID, "", location=OpenApiParameter.PATH, required=True)


GROUP = parameter(
    "X-MIQ-Group",
    TEXT,
    "Act as a member of this one of the caller's groups alone.",
    location=OpenApiParameter.HEADER,
)
SKIP_RENEWAL = parameter(
    "X-Auth-Skip-Token-Renewal",
    TEXT,
    "`true` does not extend the token's lifetime.",
    location=OpenApiParameter.HEADER,
)
IDEMPOTENCY_KEY = parameter(
    idempotency.HEADER,
    {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_KEY_LENGTH, "pattern": "^[!-~]+$"},
    "A request with the same key returns the original response and is not executed again.",
    location=OpenApiParameter.HEADER,
)
REPLAYED = parameter(
    idempotency.REPLAYED,
    {"const": "true"},
    "That this is the answer to the first request with the Idempotency-Key.",
    location=OpenApiParameter.HEADER,
    response=[200, 400],
)
IF_NONE_MATCH = parameter(
    "If-None-Match",
    TEXT,
    "The ETag of an answer that the caller has already.",
    location=OpenApiParameter.HEADER,
)
IF_MATCH = parameter(
    "If-Match",
    TEXT,
    "The ETag that the resource, read without parameters, must still have.",
    location=OpenApiParameter.HEADER,
)
ETAG = parameter(
    "ETag",
    TEXT,
    "Changes with what the answer shows.",
    location=OpenApiParameter.HEADER,
    response=[200, 304],
)
