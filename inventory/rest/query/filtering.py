"""Turning the filters of a request into one condition."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q

from inventory.db.conditions import Condition, all_of, any_of, fixed
from inventory.db.links import links_of
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.query.attributes import Attribute, attribute_of
from inventory.rest.query.comparing import compared, holds_for_null
from inventory.rest.query.grammar import Filter, parse
from inventory.rest.query.related import few
from inventory.rest.resources import Relation, ResourceType, ToOne, Viewer, get_resource_type

#: Maximum number of filters in a request.
MAX_FILTERS = 100


def where(resource_type: ResourceType, filters: Sequence[str], viewer: Viewer) -> Condition:
    """The condition of the filters: all are anded, and those with `or` are ored with the rest.

    Filters ignore what the viewer can't see. Raises `BadInput` for an invalid filter.
    """
    if len(filters) > MAX_FILTERS:
        raise BadInput(messages.too_many_filters(MAX_FILTERS))
    parsed = [parse(text) for text in filters]
    needed = [_where(one, resource_type, viewer) for one in parsed if not one.alternative]
    alternatives = [_where(one, resource_type, viewer) for one in parsed if one.alternative]
    return any_of([*([all_of(needed)] if needed else []), *alternatives])


def _where(parsed: Filter, resource_type: ResourceType, viewer: Viewer) -> Condition:
    *relations, name = parsed.path
    if not relations:
        return compared(_attribute(resource_type, name, viewer), parsed, viewer)
    if len(relations) > 1:
        raise BadInput(messages.TOO_FAR)
    relation = resource_type.relations.get(relations[0])
    if relation is None:
        raise _unknown(resource_type, ".".join(parsed.path))
    target = get_resource_type(relation.collection)
    related, fits = viewer.visible(target), compared(_attribute(target, name, viewer), parsed, viewer)
    # The attributes of a missing resource are null.
    or_none = isinstance(relation, ToOne) and holds_for_null(parsed)
    ids = None if or_none else few(related.filter(fits.q()))
    if ids is not None:
        return _linked_to(relation, target, ids)
    link = {"pk": OuterRef(relation.column)} if isinstance(relation, ToOne) else {relation.lookup: OuterRef("pk")}
    related = related.filter(**link)
    found = fixed(Q(Exists(related.filter(fits.q()))))
    return found | fixed(~Q(Exists(related))) if or_none else found


def _linked_to(relation: Relation, target: ResourceType, related: Sequence[int]) -> Condition:
    """The rows whose relation leads to one of these."""
    if isinstance(relation, ToOne):
        return fixed(Q(**{f"{relation.column}__in": related}))
    links, row, owner = links_of(target.queryset.model, relation.lookup)
    return fixed(Q(pk__in=links.filter(**{f"{row}__in": related}).values(owner).distinct()))


def _attribute(resource_type: ResourceType, name: str, viewer: Viewer) -> Attribute:
    found = attribute_of(resource_type, name, viewer)
    if found is None:
        raise _unknown(resource_type, name)
    return found


def _unknown(resource_type: ResourceType, name: str) -> BadInput:
    return BadInput(messages.unknown_attribute(resource_type.label, name))
