"""From conditions to rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from inventory.rest.collections import Relation, ToOne, links_of, viewset_of
from inventory.rest.errors import BadInput
from inventory.rest.query.attributes import Attribute, attribute_of
from inventory.rest.query.comparing import compared, holds_for_null
from inventory.rest.query.grammar import Condition, parse
from inventory.rest.query.related import few

if TYPE_CHECKING:
    from inventory.rest.viewsets import CollectionViewSet

#: Most filters of one request.
MOST = 100

ViewSet = type["CollectionViewSet"]
Visible = Callable[[ViewSet], QuerySet[Any]]


def where(viewset: ViewSet, filters: Sequence[str], visible: Visible) -> Q:
    """What the filters ask of the rows of a collection: all are anded, those with `or` are ored with the rest.

    `visible` gives the rows of a related collection that the caller may see: what they can't see is not there for
    their filters either. `BadInput` names what is wrong with a filter.
    """
    if len(filters) > MOST:
        raise BadInput(f"Too many filters specified: at most {MOST}")
    conditions = [parse(text) for text in filters]
    needed = [_where(condition, viewset, visible) for condition in conditions if not condition.alternative]
    alternatives = [_where(condition, viewset, visible) for condition in conditions if condition.alternative]
    both = [reduce(and_, needed)] if needed else []
    return reduce(or_, [*both, *alternatives])


def _where(condition: Condition, viewset: ViewSet, visible: Visible) -> Q:
    *relations, name = condition.path
    if not relations:
        return compared(_attribute(viewset, name), condition)
    if len(relations) > 1:
        raise BadInput("Filtering of attributes with more than one association away is not supported")
    relation = viewset.relations.get(relations[0])
    if relation is None:
        raise _unknown(viewset, ".".join(condition.path))
    target = viewset_of(relation.collection)
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


def _linked_to(relation: Relation, target: ViewSet, related: Sequence[int]) -> Q:
    """The rows that a relation leads from to one of these."""
    if isinstance(relation, ToOne):
        return Q(**{f"{relation.column}__in": related})
    links, row, owner = links_of(target.queryset.model, relation.lookup)
    return Q(pk__in=links.filter(**{f"{row}__in": related}).values(owner).distinct())


def _attribute(viewset: ViewSet, name: str) -> Attribute:
    found = attribute_of(viewset, name)
    if found is None:
        raise _unknown(viewset, name)
    return found


def _unknown(viewset: ViewSet, name: str) -> BadInput:
    return BadInput(f"attribute {viewset.model_name()}-{name} does not exist")
