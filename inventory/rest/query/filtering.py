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
    needed = [_where(filter_, resource_type, viewer) for filter_ in parsed if not filter_.alternative]
    alternatives = [_where(filter_, resource_type, viewer) for filter_ in parsed if filter_.alternative]
    return any_of([*([all_of(needed)] if needed else []), *alternatives])


def _where(filter_: Filter, resource_type: ResourceType, viewer: Viewer) -> Condition:
    *relations, name = filter_.path
    if not relations:
        return compared(_attribute(resource_type, name, viewer), filter_, viewer)
    if len(relations) > 1:
        raise BadInput(messages.TOO_FAR)
    relation = resource_type.relations.get(relations[0])
    if relation is None:
        raise _unknown(resource_type, ".".join(filter_.path))
    target = get_resource_type(relation.collection)
    related, condition = viewer.visible(target), compared(_attribute(target, name, viewer), filter_, viewer)
    # The attributes of a missing resource are null.
    or_none = isinstance(relation, ToOne) and holds_for_null(filter_)
    ids = None if or_none else few(related.filter(condition.q()))
    if ids is not None:
        return _linked_to(relation, target, ids)
    link = {"pk": OuterRef(relation.column)} if isinstance(relation, ToOne) else {relation.lookup: OuterRef("pk")}
    related = related.filter(**link)
    exists = fixed(Q(Exists(related.filter(condition.q()))))
    return exists | fixed(~Q(Exists(related))) if or_none else exists


def _linked_to(relation: Relation, target: ResourceType, ids: Sequence[int]) -> Condition:
    """The rows whose relation leads to one of these."""
    if isinstance(relation, ToOne):
        return fixed(Q(**{f"{relation.column}__in": ids}))
    links, row, owner = links_of(target.queryset.model, relation.lookup)
    return fixed(Q(pk__in=links.filter(**{f"{row}__in": ids}).values(owner).distinct()))


def _attribute(resource_type: ResourceType, name: str, viewer: Viewer) -> Attribute:
    attribute = attribute_of(resource_type, name, viewer)
    if attribute is None:
        raise _unknown(resource_type, name)
    return attribute


def _unknown(resource_type: ResourceType, name: str) -> BadInput:
    return BadInput(messages.unknown_attribute(resource_type.label, name))
