"""Finds the table that links the rows of two models."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Model, QuerySet
from django.db.models.constants import LOOKUP_SEP


class Links(NamedTuple):
    """The table with a relation's links, and its columns with the ids of the row and of the owner."""

    rows: QuerySet[Any]
    row: str
    owner: str


def links_of(model: type[Model], lookup: str) -> Links:
    """The links from rows of a model to their owners by a lookup.

    A query of the links alone is fast. Django's own lookups would also join the tables at both ends. A lookup
    may go on behind the first relation; the owners are then at its end.
    """
    first, separator, further = lookup.partition(LOOKUP_SEP)
    relation: Any = model._meta.get_field(first)
    if not relation.many_to_many:
        return Links(model._default_manager.all(), "pk", lookup)
    field = relation.field if relation.auto_created else relation
    ends = field.m2m_field_name(), field.m2m_reverse_field_name()
    row, owner = reversed(ends) if relation.auto_created else ends
    return Links(field.remote_field.through._default_manager.all(), row, f"{owner}{separator}{further}")
