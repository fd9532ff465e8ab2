"""Query parameters: which a request may have, and how their values are written.

One that is not understood is refused: its author meant something.
"""

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


def comma_list(query: QueryDict, parameter: str) -> list[str]:
    """The comma-separated words of a parameter; spaces around them mean nothing, other blanks are part of them."""
    words = (word.strip(" ") for word in query.get(parameter, "").split(","))
    return [word for word in words if word]


def names_in(query: QueryDict, parameter: str, known: Collection[str] | None = None) -> list[str]:
    """The comma-separated names of a parameter, each once; `BadInput` for one that is not among those `known`."""
    names = list(dict.fromkeys(comma_list(query, parameter)))
    if known is not None and (unknown := [name for name in names if name not in known]):
        raise BadInput(f"Invalid {parameter} specified: {', '.join(unknown)}")
    return names


def digits(query: QueryDict, name: str, *, default: int) -> int:
    """A parameter that is a whole number; `BadInput` for anything but digits, a sign included."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise BadInput(f"Non numeric parameter: {name}")
    return min(int(text[:19]), 2**62)
