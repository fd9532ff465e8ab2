"""What a resource is: a value that query language, reading, schema and routers share, and that knows no view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self

from django.conf import settings
from django.db.models import BigIntegerField, F, Model, QuerySet, TextField
from django.db.models.expressions import Combinable, Expression
from django.db.models.functions import Cast
from django.utils.module_loading import import_string

from inventory.db.conditions import EVERYTHING, NOTHING, Condition
from inventory.db.expressions import UuidAsText
from inventory.db.links import links_of
from inventory.querysets import scope_of
from inventory.rest.classes import ClassNames
from inventory.restrictions import User

#: Makes computed attributes of a page's ids, for a user: what each has by name. Those of one share its query.
Load = Callable[[Sequence[int], User], Mapping[int, Mapping[str, Any]]]
#: A computed attribute: an expression in the page's own query, or what a function makes of the page.
Computed = Combinable | Load


class RelatedCount(Expression):
    """How many different rows a relation of a model leads to, of those in a scope."""

    def __init__(self, model: type[Model], relation: str, scope: Condition = EVERYTHING) -> None:
        super().__init__(output_field=BigIntegerField())
        self.model, self.relation, self.scope = model, relation, scope

    def visible_to(self, user: User) -> Self:
        """Of those that there are for this user."""
        return self.within(scope_of(user, self._target))

    def within(self, scope: Condition) -> Self:
        return type(self)(self.model, self.relation, scope)

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        relation: Any = self.model._meta.get_field(self.relation)
        rows = self._target._default_manager.filter(self.scope.q())
        return rows.number_of_each(relation.remote_field.name).resolve_expression(*args, **kwargs)  # type: ignore[attr-defined]

    @property
    def _target(self) -> type[Model]:
        target: Any = self.model._meta.get_field(self.relation).related_model
        return target  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Column:
    """Where a plain attribute comes from, and how its value is shown: of a vendor as one of the `class_names`."""

    source: str
    is_id: bool
    is_uuid: bool
    class_names: ClassNames | None = None

    @property
    def selected(self) -> str | Combinable:
        """What a query selects for it: the database makes text of an id faster than a loop over the rows."""
        if self.is_id:
            return Cast(F(self.source), TextField())
        return UuidAsText(F(self.source)) if self.is_uuid else self.source


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


Relation = ToOne | ToMany


@dataclass(frozen=True, slots=True)
class TextList:
    """A list of the texts that stand in a column, each row of which has an array or one of them.

    It is a column of the resource's own rows, or of a `model` whose foreign key `owner` leads to them.
    """

    column: str
    model: type[Model] | None = None
    owner: str = "pk"


@dataclass(frozen=True, slots=True)
class Subcollection:
    """What stands below a resource: its viewset, by dotted path, and the `lookup` from its model to the parent.

    `few` if no parent has many, so that those of one are read like those of another.
    """

    viewset: str
    lookup: str
    few: bool = False

    @property
    def resource_type(self) -> ResourceType:
        return _declared_by(self.viewset)

    def of(self, rows: QuerySet[Any], parent: int) -> QuerySet[Any]:
        """Those of these rows that belong to one parent; once also what several ports of a VM have."""
        links, row, owner = links_of(rows.model, self.lookup)
        if row == "pk":
            return rows.filter(**{owner: parent})
        # Distinct, so that PostgreSQL goes by the links, which are in the order of pages, not by the rows.
        return rows.filter(pk__in=links.filter(**{owner: parent}).values(row).distinct())


@dataclass(frozen=True, eq=False)
class ResourceType:
    """The resources of a collection: `name` is the collection's, `label` what messages call one of them.

    `columns` are the plain attributes, which answers show by themselves; `computed` ones and relations are shown
    where they are named. `lists` are the computed ones that are lists of texts, to be filtered by. A body can
    name a resource by what it is `identified_by`, beside its id and address. `classes` says what holds for those
    of each of ManageIQ's classes. `view_permissions` are those that a user needs to see any.
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
        """`href_slug` comes by itself."""
        return frozenset({*self.computed, "href_slug"})


def get_resource_type(collection: str) -> ResourceType:
    """What a collection of `settings.COLLECTIONS` is of; `KeyError` if there is none of that name."""
    return _declared_by(settings.COLLECTIONS[collection])


@cache
def _declared_by(viewset: str) -> ResourceType:
    declared: ResourceType = import_string(viewset).resource_type
    return declared


class Viewer:
    """A user, as what is read on their behalf asks what they may see."""

    def __init__(self, user: Any) -> None:
        self.user = user

    def scope(self, resource_type: ResourceType) -> Condition:
        """What holds for the resources that the user may see: none without the permission that the type asks."""
        if not self.user.has_perms(resource_type.view_permissions):
            return NOTHING
        scope: Condition = resource_type.queryset.scope_of(self.user)
        return scope

    def visible(self, resource_type: ResourceType) -> QuerySet[Any]:
        """The rows of the resources that the user may see."""
        rows: QuerySet[Any] = resource_type.queryset.filter(self.scope(resource_type).q())
        return rows
