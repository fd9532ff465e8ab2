"""The collections of the API, as `settings.COLLECTIONS` lists them, and how they hang together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from inventory.rest.viewsets import CollectionViewSet


@dataclass(frozen=True, slots=True)
class ToOne:
    """A relation to one resource of `collection`; `column` of the own model holds its id."""

    collection: str
    column: str


@dataclass(frozen=True, slots=True)
class ToMany:
    """A relation to many resources of `collection`; `lookup` leads from their model back to the own one.

    Where no subcollection of its name lists them all, `back` does: the relation from their collection to this one.
    `few` as of a `Subcollection`.
    """

    collection: str
    lookup: str
    back: str | None = None
    few: bool = False


@dataclass(frozen=True, slots=True)
class Subcollection:
    """What stands below a resource: its viewset, by dotted path, and the `lookup` from its model to the parent.

    `few` if no parent has many, so that those of one are read like those of another.
    """

    viewset: str
    lookup: str
    few: bool = False

    def of(self, rows: QuerySet[Any], parent: int) -> QuerySet[Any]:
        """Those of these rows that belong to one parent; once also what several ports of a VM have."""
        links, row, owner = links_of(rows.model, self.lookup)
        if row == "pk":
            return rows.filter(**{owner: parent})
        # Distinct, so that PostgreSQL goes by the links, which are in the order of pages, not by the rows.
        return rows.filter(pk__in=links.filter(**{owner: parent}).values(row).distinct())


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


Relation = ToOne | ToMany


@cache
def viewset_at(path: str) -> type[CollectionViewSet]:
    loaded: type[CollectionViewSet] = import_string(path)
    return loaded


def viewset_of(collection: str) -> type[CollectionViewSet]:
    """The viewset that declares a collection; `KeyError` if there is none of that name."""
    return viewset_at(settings.COLLECTIONS[collection])
