"""Resource types, which the query language, reading, schema and routers share. They know no views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self

from django.conf import settings
from django.db.models import BigIntegerField, Case, ExpressionWrapper, F, Model, QuerySet, TextField, When
from django.db.models.expressions import Combinable, Expression
from django.db.models.functions import Cast
from django.utils.module_loading import import_string

from inventory.db.conditions import EVERYTHING, NOTHING, Condition
from inventory.db.expressions import UuidAsText
from inventory.db.links import links_of
from inventory.querysets import scope_of
from inventory.rest.classes import ClassNames
from inventory.rest.hrefs import Hrefs
from inventory.restrictions import User

#: Computes attributes for the ids of a page, on behalf of a viewer; they may have links. Returns the values
#: by id and name. Attributes with the same function share its query.
Load = Callable[[Sequence[int], "Viewer", Hrefs], Mapping[int, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Costly:
    """A `Load` by its dotted path, which may be in the app above, for at most so many resources on a page."""

    path: str
    page: int = 100

    @property
    def load(self) -> Load:
        load: Load = import_string(self.path)
        return load


@dataclass(frozen=True, slots=True)
class BelowParent:
    """Computes an attribute of resources that are shown below a parent, whose id it takes before the rest."""

    load: Callable[[Any, Sequence[int], Viewer, Hrefs], Mapping[int, Mapping[str, Any]]]


#: A computed attribute: an expression in the page's own query, or a function that computes it for the page.
Computed = Combinable | Load | Costly | BelowParent


class ForViewer(ExpressionWrapper):  # type: ignore[type-arg]
    """An expression for one viewer. Statements with it are not kept, because it has their scope inside."""


#: Makes the value of an attribute for a user; None if its column has it.
Scoped = Callable[[User], Combinable | None]


class RelatedCount(Expression):
    """The number of distinct rows in a scope that a model's relation leads to."""

    def __init__(self, model: type[Model], relation: str, scope: Condition = EVERYTHING) -> None:
        super().__init__(output_field=BigIntegerField())
        self.model, self.relation, self.scope = model, relation, scope

    def visible_to(self, user: User) -> Self:
        """Count only rows that this user may see."""
        return self.within(scope_of(user, self._target))

    def within(self, scope: Condition) -> Self:
        return self if scope is self.scope else type(self)(self.model, self.relation, scope)

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
    """The source of a plain attribute and the form of its value.

    `class_names` are set if it shows a vendor. `has_parts` says that it is JSON with parts that not everybody may
    see (`inventory.rest.disclosure`).
    """

    source: str
    is_id: bool
    is_uuid: bool
    class_names: ClassNames | None = None
    has_parts: bool = False

    @property
    def selected(self) -> str | Combinable:
        """The expression to select. The database converts ids to text faster than a loop over the rows."""
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

    `few` says that no parent has many, so one query plan suits all parents. `history` (dotted path) reads what was
    below a parent at a time (`inventory.rest.reading.past`), if that is known.
    """

    viewset: str
    lookup: str
    few: bool = False
    history: str | None = None

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


@dataclass(frozen=True, eq=False)
class ResourceType:
    """The type of a collection's resources. `label` is what messages call a resource.

    `columns` are the plain attributes, which answers show by default. `computed` attributes and relations are
    shown if they are named. `lists` are the computed attributes that are lists of texts, for filters. A body can
    name a resource by `identified_by`, beside its id and address. `classes` has the condition for each of
    ManageIQ's classes. `view_permissions` are the permissions to see any of these resources. `shown_if_named`
    is what is shown of a resource that a restriction only names; None if there are no such resources.
    `scoped` are columns that count everything, for users who see only some of it.
    `newest_first` is the order unless a request asks for another one; otherwise it is that of the ids.
    `schema_name` is what the API's description calls a resource: those of one name have the same attributes.
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
    shown_if_named: frozenset[str] | None
    scoped: Mapping[str, Scoped]
    newest_first: bool = False
    schema_name: str = ""

    @property
    def order(self) -> tuple[str]:
        """The order of lists unless a request asks for another one."""
        return ("-pk",) if self.newest_first else ("pk",)

    @property
    def behind(self) -> str:
        """The lookup for rows that come after an id in this order."""
        return "pk__lt" if self.newest_first else "pk__gt"

    def hides(self, name: str) -> bool:
        """Whether an attribute is hidden of a resource that a restriction only names."""
        return self.shown_if_named is not None and name not in self.shown_if_named

    @cached_property
    def computed_names(self) -> frozenset[str]:
        """The computed attributes, including `href_slug`."""
        return frozenset({*self.computed, "href_slug"})


def get_resource_type(collection: str) -> ResourceType:
    """The type of a collection in `settings.COLLECTIONS`. Raises `KeyError` for an unknown name."""
    return _declared_by(settings.COLLECTIONS[collection])


@cache
def _declared_by(viewset: str) -> ResourceType:
    resource_type: ResourceType = import_string(viewset).resource_type
    return resource_type


class Viewer:
    """Decides which resources a user may see."""

    def __init__(self, user: Any) -> None:
        self.user = user

    def scope(self, resource_type: ResourceType) -> Condition:
        """The condition for resources that the user may see. Without the type's permissions, there are none."""
        if not self.user.has_perms(resource_type.view_permissions):
            return NOTHING
        scope: Condition = resource_type.queryset.scope_of(self.user)
        return scope

    def visible(self, resource_type: ResourceType) -> QuerySet[Any]:
        """The rows of the resources that the user may see."""
        rows: QuerySet[Any] = resource_type.queryset.filter(self.scope(resource_type).q())
        return rows

    def whole(self, resource_type: ResourceType) -> Condition:
        """The condition for those of the visible resources of which the user may see all attributes."""
        if resource_type.shown_if_named is None:
            return EVERYTHING
        [permission] = resource_type.view_permissions
        whole: Condition = resource_type.queryset.scope_of(self.user, permission)
        return EVERYTHING if whole == self.scope(resource_type) else whole

    def source(self, resource_type: ResourceType, name: str, source: Any, whole: Condition) -> Any:
        """What an attribute shows to the user: numbers only of what they may see, and null where it is hidden.

        `whole` is as in the method.
        """
        if isinstance(source, RelatedCount):
            source = source.visible_to(self.user)
        if name in resource_type.scoped:
            source = resource_type.scoped[name](self.user) or source
        if whole is EVERYTHING or not resource_type.hides(name):
            return source
        return Case(When(whole.q(), then=F(source) if isinstance(source, str) else source), default=None)
