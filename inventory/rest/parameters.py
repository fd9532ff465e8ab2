"""Query parameters: which ones a request may have, and how to parse them.

Unknown ones are refused instead of ignored, because they are probably mistakes.
"""

from __future__ import annotations

from collections.abc import Collection

from django.http import QueryDict

from inventory.rest import messages
from inventory.rest.errors import BadInput

#: Parameters that clients send and that have no effect; `format` has already chosen the renderer.
IGNORED = frozenset({"_", "format", "provider_class", "format_attributes", "decorators", "search_options"})
#: Parameters that may be repeated; of any other, only the last would count.
REPEATED = frozenset({"filter[]"})

#: Parameters that choose what to show, and which resources to list.
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
#: Where the past of a subcollection is known, and what a list of it can be asked for.
AS_OF = "as_of"
PAST = SELECTING | {AS_OF, "hide", "limit", "offset"}


def check_parameters(query: QueryDict, allowed: Collection[str]) -> None:
    """Raises `BadInput` for unknown and repeated parameters."""
    parameters = [(name, values) for name, values in query.lists() if name not in IGNORED]
    if unknown := [name for name, _ in parameters if name not in allowed]:
        raise BadInput(messages.unknown_parameters(unknown))
    if repeated := [name for name, values in parameters if len(values) > 1 and name not in REPEATED]:
        raise BadInput(messages.repeated_parameters(repeated))


def comma_list(query: QueryDict, parameter: str) -> list[str]:
    """The comma-separated words of a parameter, without surrounding spaces (but with other whitespace)."""
    words = (word.strip(" ") for word in query.get(parameter, "").split(","))
    return [word for word in words if word]


def names_in(query: QueryDict, parameter: str, known: Collection[str] | None = None) -> list[str]:
    """The comma-separated names of a parameter, each once; `BadInput` for one that is not among those `known`."""
    names = list(dict.fromkeys(comma_list(query, parameter)))
    if known is not None and (unknown := [name for name in names if name not in known]):
        raise BadInput(messages.invalid_values(parameter, unknown))
    return names


def digits(query: QueryDict, name: str, *, default: int) -> int:
    """A whole number. Raises `BadInput` for anything but digits, even a sign."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise BadInput(messages.not_a_whole_number(name))
    return min(int(text[:19]), 2**62)
