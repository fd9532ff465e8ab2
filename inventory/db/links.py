"""Where the links between the rows of two tables stand."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Model, QuerySet


class Links(NamedTuple):
    """The table in which a lookup's links stand, with the names in it of the ids of the row and of its owner."""

    rows: QuerySet[Any]
    row: str
    owner: str


def links_of(model: type[Model], lookup: str) -> Links:
    """Where it says which rows of a model a lookup leads to which owners from.

    To ask it alone is quick; Django's own lookups would join the tables at both of its ends once more.
    """
    relation: Any = model._meta.get_field(lookup)
    if not relation.many_to_many:
        return Links(model._default_manager.all(), "pk", lookup)
    field = relation.field if relation.auto_created else relation
    ends = field.m2m_field_name(), field.m2m_reverse_field_name()
    row, owner = reversed(ends) if relation.auto_created else ends
    return Links(field.remote_field.through._default_manager.all(), row, owner)
