"""From conditions to rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from inventory.rest.errors import BadInput
from inventory.rest.query.attributes import Attribute, attribute_of
from inventory.rest.query.comparing import compared, holds_for_null
from inventory.rest.query.grammar import Condition, parse
from inventory.rest.query.related import few
from inventory.rest.resources import Relation, ResourceType, ToOne, get_resource_type, links_of

#: Most filters of one request.
MOST = 100

Visible = Callable[[ResourceType], QuerySet[Any]]


def where(resource_type: ResourceType, filters: Sequence[str], visible: Visible) -> Q:
    """What the filters ask of the rows of a collection: all are anded, those with `or` are ored with the rest.

    `visible` gives the rows of a related collection that the caller may see: what they can't see is not there for
    their filters either. `BadInput` names what is wrong with a filter.
    """
    if len(filters) > MOST:
        raise BadInput(f"Too many filters specified: at most {MOST}")
    conditions = [parse(text) for text in filters]
    needed = [_where(condition, resource_type, visible) for condition in conditions if not condition.alternative]
    alternatives = [_where(condition, resource_type, visible) for condition in conditions if condition.alternative]
    both = [reduce(and_, needed)] if needed else []
    return reduce(or_, [*both, *alternatives])


def _where(condition: Condition, resource_type: ResourceType, visible: Visible) -> Q:
    *relations, name = condition.path
    if not relations:
        return compared(_attribute(resource_type, name), condition)
    if len(relations) > 1:
        raise BadInput("Filtering of attributes with more than one association away is not supported")
    relation = resource_type.relations.get(relations[0])
    if relation is None:
        raise _unknown(resource_type, ".".join(condition.path))
    target = get_resource_type(relation.collection)
    related, fits = visible(target), compared(_attribute(target, name), condition)
    # Of nothing, every attribute is null.
    or_none = isinstance(relation, ToOne) and holds_for_null(condition)
    ids = None if or_none else few(related.filter(fits))
    if ids is not None:
        return _linked_to(relation, target, ids)
    link = {"pk": OuterRef(relation.column)} if isinstance(relation, ToOne) else {relation.lookup: OuterRef("pk")}
    related = related.filter(**link)
    found = Q(Exists(related.filter(fits)))
    return found | ~Q(Exists(related)) if or_none else found


def _linked_to(relation: Relation, target: ResourceType, related: Sequence[int]) -> Q:
    """The rows that a relation leads from to one of these."""
    if isinstance(relation, ToOne):
        return Q(**{f"{relation.column}__in": related})
    links, row, owner = links_of(target.queryset.model, relation.lookup)
    return Q(pk__in=links.filter(**{f"{row}__in": related}).values(owner).distinct())


def _attribute(resource_type: ResourceType, name: str) -> Attribute:
    found = attribute_of(resource_type, name)
    if found is None:
        raise _unknown(resource_type, name)
    return found


def _unknown(resource_type: ResourceType, name: str) -> BadInput:
    return BadInput(f"attribute {resource_type.label}-{name} does not exist")
