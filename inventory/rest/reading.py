"""From querysets to the resources of an answer: rows straight into dictionaries, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.expressions import Combinable

from inventory.db.lookups import Numbers
from inventory.rest.choosing import Chosen, Parent
from inventory.rest.collections import ToMany, ToOne, viewset_at, viewset_of
from inventory.rest.embedding import Embedded, embed
from inventory.rest.hrefs import Hrefs
from inventory.rest.plans import Plan, Resource
from inventory.rest.selection import Selection

if TYPE_CHECKING:
    from inventory.rest.viewsets import CollectionViewSet

#: Makes computed attributes of a page's ids: what each has by name. Attributes that share one share its query.
Load = Callable[[Sequence[int]], Mapping[int, Mapping[str, Any]]]
#: A computed attribute: an expression in the page's own query, or what a function makes of the page.
Computed = Combinable | Load


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

    def chosen(self, viewset: type[CollectionViewSet], parent: Parent | None = None) -> Chosen:
        """All of them; below a parent, of that."""
        return Chosen(viewset, self.visible(viewset), parent)

    def read(
        self,
        viewset: type[CollectionViewSet],
        rows: Chosen | QuerySet[Any],
        selection: Selection,
        hrefs: Hrefs | None = None,
    ) -> list[Resource]:
        """The resources of these rows, in their order; `hrefs` where they do not stand at the root."""
        prefix = (hrefs or self.hrefs).resource(viewset.collection, "")
        read = Plan.of(viewset, selection).resources(rows, prefix)
        if not (selection.computed or selection.relations or selection.embedded):
            return read
        resources = {int(resource["id"]): resource for resource in read}
        for load, names in _loads(viewset, selection).items():
            values = load(list(resources))
            for pk, resource in resources.items():
                resource |= {name: values[pk][name] for name in names}
        for name, attributes in selection.relations.items():
            if isinstance(relation := viewset.relations[name], ToOne):
                self._relate(resources, name, relation, attributes)
        if embedded := [*self._related(viewset, selection), *self._below(viewset, selection)]:
            embed(viewset, resources, embedded)
        return read

    def _relate(
        self, resources: dict[int, Resource], name: str, relation: ToOne, attributes: tuple[str, ...] | None
    ) -> None:
        target = viewset_of(relation.collection)
        ids = {resource[name] for resource in resources.values()} - {None}
        rows = self.visible(target).filter(pk__among=Numbers(ids))
        found = self.read(target, rows, Selection.of_related(target, attributes))
        ones = {int(one["id"]): one for one in found}
        for resource in resources.values():
            one = ones.get(resource[name])
            resource[name] = {key: one[key] for key in attributes} if one and attributes else one

    def _related(self, viewset: type[CollectionViewSet], selection: Selection) -> Iterator[Embedded]:
        """The relations to many."""
        for name in selection.relations:
            if isinstance(relation := viewset.relations[name], ToMany):
                target = viewset_of(relation.collection)
                prefix = self.hrefs.resource(target.collection, "")
                every = self._listing(viewset, name, relation)
                yield Embedded(name, target, self.visible(target), relation, partial(_same, prefix), every)

    def _below(self, viewset: type[CollectionViewSet], selection: Selection) -> Iterator[Embedded]:
        """The subcollections, with the addresses that their resources have below each resource."""
        for name in selection.embedded:
            below = viewset.subcollections[name]
            target = viewset_at(below.viewset)
            every = self._listing(viewset, name)
            yield Embedded(name, target, self.visible(target), below, self._prefix(viewset, target), every)

    def _prefix(self, viewset: type[CollectionViewSet], target: type[CollectionViewSet]) -> Callable[[Any], str]:
        before, after = self.hrefs.resource(viewset.collection, ""), f"/{target.collection}/"
        return lambda pk: f"{before}{pk}{after}"

    def _listing(
        self, viewset: type[CollectionViewSet], name: str, relation: ToMany | None = None
    ) -> Callable[[Any], str]:
        """Where all of what a resource has is listed, for more parameters."""
        if relation is None or name in viewset.subcollections:
            return lambda pk: f"{self.hrefs.resource(viewset.collection, pk)}/{name}?"
        every, back = f"{self.hrefs.collection(relation.collection)}?", relation.back
        return lambda pk: f"{every}filter[]={back}.id={pk}&" if back else every


def _same(prefix: str, pk: Any) -> str:
    """The same prefix whatever a resource is embedded in."""
    return prefix


def _loads(viewset: type[CollectionViewSet], selection: Selection) -> dict[Load, list[str]]:
    """The functions that make computed attributes, and which of those that are wanted each makes."""
    found: dict[Load, list[str]] = {}
    for name in selection.computed:
        if callable(load := viewset.computed.get(name)):
            found.setdefault(load, []).append(name)
    return found
