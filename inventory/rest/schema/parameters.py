"""The parameters of requests, as the collections declare them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter

from inventory.rest.http import idempotency
from inventory.rest.parameters import AS_OF
from inventory.rest.query.attributes import comparable
from inventory.rest.query.sorting import DESCENDING, OPTIONS
from inventory.rest.reading.selection import attributes_of
from inventory.rest.resources import ResourceType, ToOne, get_resource_type
from inventory.rest.shapes import ID, TEXT, Schema


def parameter(name: str, schema: Schema, description: str, **kwargs: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, description=description, **kwargs)


def _names(name: str, names: list[str], description: str) -> OpenApiParameter:
    """A comma-separated list of these names."""
    schema = {"type": "array", "items": {"type": "string", "enum": names}}
    return parameter(name, schema, description, style="form", explode=False)


def selecting(resource_type: ResourceType) -> list[OpenApiParameter]:
    """The parameters that choose what to show of each resource."""
    relations = [
        f"{name}.{attribute}"
        for name, relation in resource_type.relations.items()
        if isinstance(relation, ToOne)
        for attribute in attributes_of(get_resource_type(relation.collection))
    ]
    attributes = [*attributes_of(resource_type), *resource_type.relations, *relations]
    return [
        _names(
            "expand",
            ["resources", *resource_type.subcollections],
            "`resources` shows whole resources in a list. A subcollection is embedded in each resource.",
        ),
        _names(
            "attributes",
            [*attributes, "all", "actions"],
            "Shows only these, `href` and `id`. Computed attributes and relations must be named to be shown.",
        ),
    ]


def listing(resource_type: ResourceType) -> list[OpenApiParameter]:
    """The parameters that choose resources, their order and the page."""
    max_limit = settings.API_PAGE_LIMIT
    return [
        parameter(
            "limit",
            {"type": "integer", "minimum": 1, "default": max_limit},
            f"Resources in a page, at most {max_limit}.",
        ),
        parameter("offset", {"type": "integer", "minimum": 0, "default": 0}, "Resources to skip."),
        parameter(
            "after",
            {"type": "integer", "minimum": 0},
            "The id before the page, in the order by id. `offset` then only affects the links.",
        ),
        _names("hide", ["resources"], "`resources` omits the list, but keeps the counts."),
        parameter(
            "filter[]",
            {"type": "array", "items": TEXT},
            "`attribute op value`, such as `name='web*'`. All must match, or one that begins with `or `.",
            style="form",
            explode=True,
        ),
        parameter(
            "collection_class",
            {"type": "string", "enum": list(resource_type.classes)},
            "Only resources of this class.",
        ),
        _names("sort_by", comparable(resource_type), "Attributes to sort by. The default is the id."),
        _names("sort_order", list(DESCENDING), "The direction for each attribute in `sort_by`."),
        _names("sort_options", sorted(OPTIONS), "How text is compared."),
    ]


PAST = parameter(
    AS_OF,
    {"type": "string", "format": "date-time"},
    "What was below the parent at this time. It goes with `expand=resources`, plain `attributes` and pages alone.",
)


def path_id(name: str) -> OpenApiParameter:
    return parameter(name, ID, "", location=OpenApiParameter.PATH, required=True)


GROUP = parameter(
    "X-MIQ-Group",
    TEXT,
    "Limits the request to this one of the caller's groups.",
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
    "Repeating a request with the same key returns the original response without executing it again.",
    location=OpenApiParameter.HEADER,
)
REPLAYED = parameter(
    idempotency.REPLAYED,
    {"const": "true"},
    "The response is the original response to this Idempotency-Key.",
    location=OpenApiParameter.HEADER,
    response=[200, 400],
)
IF_NONE_MATCH = parameter(
    "If-None-Match",
    TEXT,
    "The ETag of a response that the caller already has.",
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
    "Changes whenever the response changes.",
    location=OpenApiParameter.HEADER,
    response=[200, 304],
)
