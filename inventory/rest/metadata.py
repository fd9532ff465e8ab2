"""What OPTIONS answers."""

from __future__ import annotations

from typing import Any

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request


class CollectionMetadata(BaseMetadata):
    """The names that a collection declares, sorted."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        if not hasattr(view, "columns"):
            return {}
        return {
            "attributes": sorted({"href", "id", *view.columns()}),
            "virtual_attributes": sorted(view.computed_names()),
            "relationships": sorted(view.relations),
            "subcollections": sorted(view.subcollections),
            "data": view.metadata(),
        }
