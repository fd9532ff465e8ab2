"""What a resource is: a value that query language, reading, schema and routers share, and that knows no view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import F, Model, QuerySet, TextField
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast
from django.utils.module_loading import import_string

from inventory.db.conditions import Condition
from inventory.db.expressions import UuidAsText

#: Makes computed attributes of a page's ids: what each has by name. Attributes that share one share its query.
Load = Callable[[Sequence[int]], Mapping[int, Mapping[str, Any]]]
#: A computed attribute: an expression in the page's own query, or what a function makes of the page.
Computed = Combinable | Load


@dataclass(frozen=True, slots=True)
class Column:
    """Where a plain attribute comes from, and how its value is shown."""

    source: str
    is_id: bool
    is_uuid: bool

    @property
    def selected(self) -> str | Combinable:
        """What a query selects for it: the database makes text of an id faster than a loop over the rows."""
        if self.is_id:
            return Cast(F(self.source), TextField())
        return UuidAsText(F(self.source)) if self.is_uuid else self.source


@dataclass(frozen=True, slots=True)
class ToOne:
    """A relation to one resource of `collection`, whose id is in `column`."""

    collection: str
    column: str


@dataclass(frozen=True, slots=True)
class ToMany:
    """A relation to many resources of `collection`. `lookup` leads from their model back to this one.

    If no subcollection with this name lists them all, `back` does: the relation from their collection to this one.
    `few` is as in `Subcollection`.
    """

    collection: str
    lookup: str
    back: str | None = None
    few: bool = False


Relation = ToOne | ToMany


@dataclass(frozen=True, slots=True)
class TextList:
    """A list of texts from a column that has an array, or one text per row.

    The column belongs to the resource's own rows, or to a `model` whose foreign key `owner` leads to them.
    """

    column: str
    model: type[Model] | None = None
    owner: str = "pk"


@dataclass(frozen=True, slots=True)
class Subcollection:
    """A collection below a resource: its viewset (dotted path), and the `lookup` from its model to the parent.

    `few` says that no parent has many, so one query plan suits all parents.
    """

    viewset: str
    lookup: str
    few: bool = False

    @property
    def resource_type(self) -> ResourceType:
        return _declared_by(self.viewset)

    def of(self, rows: QuerySet[Any], parent: int) -> QuerySet[Any]:
        """The rows that belong to one parent, without duplicates."""
        links, row, owner = links_of(rows.model, self.lookup)
        if row == "pk":
            return rows.filter(**{owner: parent})
        # Distinct makes PostgreSQL start from the links, which are in the order of pages.
        return rows.filter(pk__in=links.filter(**{owner: parent}).values(row).distinct())


class Links(NamedTuple):
    """The table with the links of a lookup, and its columns for the row and the owner."""

    rows: QuerySet[Any]
    row: str
    owner: str


def links_of(model: type[Model], lookup: str) -> Links:
    """The table that links rows of a model to the owners of a lookup.

    Querying only this table is quick. Django's lookups would also join the tables at both ends.
    """
    relation: Any = model._meta.get_field(lookup)
    if not relation.many_to_many:
        return Links(model._default_manager.all(), "pk", lookup)
    field = relation.field if relation.auto_created else relation
    ends = field.m2m_field_name(), field.m2m_reverse_field_name()
    row, owner = reversed(ends) if relation.auto_created else ends
    return Links(field.remote_field.through._default_manager.all(), row, owner)


@dataclass(frozen=True, eq=False)
class ResourceType:
    """The type of a collection's resources. `label` is what messages call a resource.

    `columns` are the plain attributes, which answers show by default. `computed` attributes and relations are
    shown if they are named. `lists` are the computed attributes that are lists of texts, for filters. A body can
    name a resource by `identified_by`, beside its id and address. `classes` has the condition for each of
    ManageIQ's classes. `view_permissions` are the permissions to see any of these resources.
    """

    name: str
    label: str
    description: str
    queryset: Any
    serializer_class: Any
    columns: Mapping[str, Column]
    computed: Mapping[str, Computed]
    lists: Mapping[str, TextList]
    relations: Mapping[str, Relation]
    subcollections: Mapping[str, Subcollection]
    identified_by: tuple[str, ...]
    classes: Mapping[str, Condition]
    view_permissions: tuple[str, ...]

    @cached_property
    def computed_names(self) -> frozenset[str]:
        """The computed attributes, including `href_slug`."""
        return frozenset({*self.computed, "href_slug"})


def get_resource_type(collection: str) -> ResourceType:
    """The type of a collection in `settings.COLLECTIONS`. Raises `KeyError` for an unknown name."""
    return _declared_by(settings.COLLECTIONS[collection])


@cache
def _declared_by(viewset: str) -> ResourceType:
    declared: ResourceType = import_string(viewset).resource_type
    return declared
