"""The answer to OPTIONS."""

from __future__ import annotations

from typing import Any

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request


class CollectionMetadata(BaseMetadata):
    """The names that a collection declares, sorted."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        if not hasattr(view, "resource_type"):
            return {}
        resource_type = view.resource_type
        return {
            "attributes": sorted({"href", "id", *resource_type.columns}),
            "virtual_attributes": sorted(resource_type.computed_names),
            "relationships": sorted(resource_type.relations),
            "subcollections": sorted(resource_type.subcollections),
            "data": view.metadata(),
        }
