"""Which query parameters a request may have. One that is not understood is refused: its author meant something."""

from __future__ import annotations

from collections.abc import Collection

from django.http import QueryDict

from inventory.rest.errors import BadInput

#: What clients of the dialect send along and no answer depends on; `format` has chosen the renderer already.
IGNORED = frozenset({"_", "format", "provider_class", "format_attributes", "decorators", "search_options"})
#: Those of which each is one more; of any other the last alone would count.
REPEATED = frozenset({"filter[]"})

#: What says how resources are shown, and which of a collection.
SELECTING = frozenset({"attributes", "expand"})
LISTING = SELECTING | {
    "after",
    "collection_class",
    "filter[]",
    "hide",
    "limit",
    "offset",
    "sort_by",
    "sort_options",
    "sort_order",
}


def check_parameters(query: QueryDict, understood: Collection[str]) -> None:
    """`BadInput` names what is not `understood`, and what is given several times."""
    asked = [(name, values) for name, values in query.lists() if name not in IGNORED]
    if unknown := [name for name, _ in asked if name not in understood]:
        raise BadInput(f"Unknown parameter: {', '.join(sorted(unknown))}")
    if repeated := [name for name, values in asked if len(values) > 1 and name not in REPEATED]:
        raise BadInput(f"Parameter given several times: {', '.join(sorted(repeated))}")
