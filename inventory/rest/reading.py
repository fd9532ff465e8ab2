"""From querysets to the resources of an answer: rows straight into dictionaries, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.expressions import Combinable
from rest_framework import serializers

from inventory.rest.collections import Relation, ToOne, viewset_at, viewset_of
from inventory.rest.hrefs import Hrefs
from inventory.rest.selection import Selection
from inventory.rest.serializers import IdField

if TYPE_CHECKING:
    from inventory.rest.viewsets import CollectionViewSet

Resource = dict[str, Any]
#: Makes computed attributes of a page's ids: what each has by name. Attributes that share one share its query.
Load = Callable[[Sequence[int]], Mapping[int, Mapping[str, Any]]]
#: A computed attribute: an expression in the page's own query, or what a function makes of the page.
Computed = Combinable | Load


@dataclass(frozen=True, slots=True)
class Column:
    """Where a plain attribute comes from; an id is shown as text."""

    source: str
    is_id: bool


def columns_of(serializer: serializers.Serializer[Any]) -> dict[str, Column]:
    """The plain attributes that a serializer declares."""
    return {
        name: Column(str(field.source).replace(".", "__"), isinstance(field, IdField))
        for name, field in serializer.fields.items()
    }


def total(model: type[Model], relation: str) -> Combinable:
    """How many different rows a relation of this model leads to."""
    rows = model._default_manager.filter(pk=OuterRef("pk")).order_by().values("pk")
    return Subquery(rows.annotate(total=Count(relation, distinct=True)).values("total"))


class Reader:
    """Reads resources for one user, with addresses under one root."""

    def __init__(self, user: Any, hrefs: Hrefs) -> None:
        self.user = user
        self.hrefs = hrefs

    def visible(self, viewset: type[CollectionViewSet]) -> QuerySet[Any]:
        """The rows of a collection that the user may see: none without the permission that it asks."""
        rows: QuerySet[Any] = viewset.queryset.visible_to(self.user)
        return rows if self.user.has_perms(viewset.view_permissions()) else rows.none()

    def read(
        self,
        viewset: type[CollectionViewSet],
        rows: QuerySet[Any],
        selection: Selection,
        hrefs: Hrefs | None = None,
    ) -> list[Resource]:
        """The resources of these rows, in their order; `hrefs` where they do not stand at the root."""
        resources = dict(self._plain(viewset, rows, selection, lambda pk: hrefs or self.hrefs, owner="pk"))
        for load, names in _loads(viewset, selection).items():
            values = load(list(resources))
            for pk, resource in resources.items():
                resource |= {name: values[pk][name] for name in names}
        for name, attributes in selection.relations.items():
            self._relate(resources, name, viewset.relations[name], attributes)
        for name in selection.embedded:
            self._embed(resources, viewset, name)
        return list(resources.values())

    def _plain(
        self,
        viewset: type[CollectionViewSet],
        rows: QuerySet[Any],
        selection: Selection,
        hrefs_for: Callable[[Any], Hrefs],
        *,
        owner: str,
    ) -> Iterator[tuple[Any, Resource]]:
        """Each row, after its value of `owner`, with what one query gives: of a to-one relation only the id."""
        sources, ids = _sources(viewset, selection)
        for owned_by, pk, *values in rows.values_list(owner, "pk", *sources.values()):
            href = hrefs_for(owned_by).resource(viewset.collection, pk)
            resource = {"href": href, "id": str(pk), **dict(zip(sources, values, strict=True))}
            for name in ids:
                if resource[name] is not None:
                    resource[name] = str(resource[name])
            if "href_slug" in selection.computed:
                resource["href_slug"] = f"{viewset.collection}/{pk}"
            yield owned_by, resource

    def _relate(
        self, resources: dict[int, Resource], name: str, relation: Relation, attributes: tuple[str, ...] | None
    ) -> None:
        target = viewset_of(relation.collection)
        selection = Selection(attributes or tuple(target.columns()))
        if not isinstance(relation, ToOne):
            found = self._of_owners(target, relation.lookup, list(resources), selection, lambda pk: self.hrefs)
            for pk, resource in resources.items():
                resource[name] = found.get(pk, [])
            return
        rows = self.visible(target).filter(pk__in={resource[name] for resource in resources.values()})
        ones = dict(self._plain(target, rows, selection, lambda pk: self.hrefs, owner="pk"))
        for resource in resources.values():
            one = ones.get(resource[name])
            resource[name] = {key: one[key] for key in attributes} if one and attributes else one

    def _embed(self, resources: dict[int, Resource], viewset: type[CollectionViewSet], name: str) -> None:
        """Put a subcollection into each resource, with the addresses that it has below it."""
        below = viewset.subcollections[name]
        target = viewset_at(below.viewset)
        found = self._of_owners(
            target,
            below.lookup,
            list(resources),
            Selection(tuple(target.columns())),
            lambda pk: self.hrefs.within(viewset.collection, pk),
        )
        for pk, resource in resources.items():
            resource[name] = found.get(pk, [])

    def _of_owners(
        self,
        target: type[CollectionViewSet],
        lookup: str,
        owners: Sequence[int],
        selection: Selection,
        hrefs_for: Callable[[Any], Hrefs],
    ) -> dict[int, list[Resource]]:
        """The resources of each of these owners, by id; one that is there by several ways is there once."""
        rows = self.visible(target).filter(**{f"{lookup}__in": owners}).order_by("pk")
        found: dict[int, dict[str, Resource]] = {}
        for owner, resource in self._plain(target, rows, selection, hrefs_for, owner=lookup):
            found.setdefault(owner, {})[resource["id"]] = resource
        return {owner: list(owned.values()) for owner, owned in found.items()}


def _loads(viewset: type[CollectionViewSet], selection: Selection) -> dict[Load, list[str]]:
    """The functions that make computed attributes, and which of those that are wanted each makes."""
    found: dict[Load, list[str]] = {}
    for name in selection.computed:
        if callable(load := viewset.computed.get(name)):
            found.setdefault(load, []).append(name)
    return found


def _sources(viewset: type[CollectionViewSet], selection: Selection) -> tuple[dict[str, Any], list[str]]:
    """What the query selects for each name of the answer, and which of these are ids to be shown as text."""
    columns = {name: viewset.columns()[name] for name in selection.plain}
    sources: dict[str, Any] = {name: column.source for name, column in columns.items()}
    for name in selection.computed:
        if isinstance(expression := viewset.computed.get(name), Combinable):
            sources[name] = expression
    for name in selection.relations:
        if isinstance(relation := viewset.relations[name], ToOne):
            sources[name] = relation.column
    return sources, [name for name, column in columns.items() if column.is_id]
