"""Making and parsing addresses of resources. They are joined as text, because a list has a thousand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.http import HttpRequest
from django.urls import get_script_prefix
from rest_framework.request import Request

#: The keys of a body that name a resource.
ADDRESS = ("id", "href")

_RESOURCE = re.compile(r"(?:^|/)(?P<collection>[a-z_]+)/(?P<id>[0-9]{1,18})/*$")


@dataclass(frozen=True, slots=True)
class Hrefs:
    """Makes addresses below `root`, the API's address with the version segment of the request.

    Below a resource, `parent` is its id.
    """

    root: str
    parent: Any = None

    @classmethod
    def of(cls, request: Request | HttpRequest, version: str | None) -> Self:
        root = request.build_absolute_uri(f"{get_script_prefix()}api")
        return cls(f"{root}/v{version}" if version else root)

    def collection(self, name: str) -> str:
        return f"{self.root}/{name}"

    def resource(self, collection: str, pk: Any) -> str:
        return f"{self.root}/{collection}/{pk}"

    def within(self, parent: str, pk: Any) -> Self:
        """Makes addresses below one resource, for its subcollections."""
        return type(self)(self.resource(parent, pk), pk)


def id_in(value: object, collection: str) -> int | None:
    """The id in an `id` (number or text) or an `href` (URL, path or slug) of this collection, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 2**63 else None
    if not isinstance(value, str):
        return None
    if value.isascii() and value.isdigit():
        return int(value) if len(value) < 19 else None
    match = _RESOURCE.search(value.partition("?")[0])
    return int(match["id"]) if match and match["collection"] == collection else None


def ids_in(resource: Mapping[str, Any], collection: str) -> set[int | None]:
    """The ids in `id` and `href`: several if they name different resources."""
    return {id_in(resource[name], collection) for name in ADDRESS if name in resource}


def parse_uuid(value: object) -> UUID | None:
    """The UUID in a text, or None."""
    try:
        return UUID(str(value))
    except ValueError:
        return None
