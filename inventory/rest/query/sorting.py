"""`sort_by`, `sort_order` and `sort_options`: total orders that are the same on every database."""

from __future__ import annotations

from typing import Any

from django.db.models.expressions import OrderBy
from django.http import QueryDict

from inventory.db.expressions import ByCodePoint, Folded
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.parameters import comma_list
from inventory.rest.query.attributes import Attribute, Kind, attribute_of
from inventory.rest.resources import ResourceType, Viewer

DESCENDING = {"asc": False, "ascending": False, "desc": True, "descending": True}
OPTIONS = {"ignore_case"}
#: What makes every order total.
BY_ID = ("pk",)
PARAMETERS = {"sort_by", "sort_order", "sort_options"}


def order(resource_type: ResourceType, query: QueryDict, viewer: Viewer) -> tuple[str | OrderBy, ...]:
    """The requested order, then by id; without one, that of the type. Raises `BadInput` for an invalid one.

    Null comes last, in descending order first. The default direction is ascending.
    """
    if not PARAMETERS & query.keys():
        return resource_type.order
    attributes = [_attribute(resource_type, name, viewer) for name in comma_list(query, "sort_by")]
    directions = [_one_of(DESCENDING, word, "sort_order") for word in comma_list(query, "sort_order")]
    if len(directions) > len(attributes):
        raise BadInput(messages.TOO_MANY_DIRECTIONS)
    options = [_one_of(OPTIONS, word, "sort_options") for word in comma_list(query, "sort_options")]
    descending = [DESCENDING[word] for word in directions] + [False] * len(attributes)
    orders = [
        _order(attribute, down, bool(options)) for attribute, down in zip(attributes, descending, strict=False)
    ]
    return (*orders, *(BY_ID if orders else resource_type.order))


def _one_of(choices: Any, word: str, parameter: str) -> str:
    if word.lower() not in choices:
        raise BadInput(messages.unsupported_value(parameter, word, choices))
    return word.lower()


def _attribute(resource_type: ResourceType, name: str, viewer: Viewer) -> Attribute:
    attribute = attribute_of(resource_type, name, viewer)
    if attribute is None:
        raise BadInput(messages.invalid_sort(resource_type.label, name))
    if attribute.kind is Kind.LIST:
        raise BadInput(messages.not_sortable(resource_type.label, name))
    return attribute


def _order(attribute: Attribute, descending: bool, ignore_case: bool) -> OrderBy:
    value = attribute.expression
    if attribute.class_names is not None:
        value = attribute.class_names.order(ignore_case=ignore_case)
    elif attribute.kind is Kind.TEXT:
        value = Folded(value) if ignore_case else ByCodePoint(value)
    return OrderBy(value, descending=descending, nulls_first=descending or None, nulls_last=not descending or None)
