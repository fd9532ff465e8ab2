"""From querysets to the resources of an answer: rows straight into dictionaries, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.expressions import Combinable

from inventory.lookups import Numbers
from inventory.rest.choosing import Chosen, Parent
from inventory.rest.collections import ToMany, ToOne, viewset_at, viewset_of
from inventory.rest.embedding import EmbeddedPage
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
            self._relate(resources, viewset, name, attributes)
        for name in selection.embedded:
            self._embed(resources, viewset, name)
        return read

    def _relate(
        self,
        resources: dict[int, Resource],
        viewset: type[CollectionViewSet],
        name: str,
        attributes: tuple[str, ...] | None,
    ) -> None:
        relation = viewset.relations[name]
        target = viewset_of(relation.collection)
        prefix = self.hrefs.resource(target.collection, "")
        if not isinstance(relation, ToOne):
            page = EmbeddedPage(viewset, self.visible(target), relation, settings.API_PAGE_LIMIT)
            every = self._address_of_every(viewset, name, relation)
            self._put(resources, name, target, page, lambda pk: prefix, every)
            return
        ids = {resource[name] for resource in resources.values()} - {None}
        plan = Plan.of(target, Selection(attributes or tuple(target.columns())))
        found = plan.resources(self.visible(target).filter(pk__among=Numbers(ids)), prefix)
        ones = {int(one["id"]): one for one in found}
        for resource in resources.values():
            one = ones.get(resource[name])
            resource[name] = {key: one[key] for key in attributes} if one and attributes else one

    def _embed(self, resources: dict[int, Resource], viewset: type[CollectionViewSet], name: str) -> None:
        """Put a subcollection into each resource, with the addresses that it has below it."""
        below = viewset.subcollections[name]
        target = viewset_at(below.viewset)
        before, after = self.hrefs.resource(viewset.collection, ""), f"/{target.collection}/"
        page = EmbeddedPage(viewset, self.visible(target), below, settings.API_PAGE_LIMIT)
        self._put(
            resources, name, target, page, lambda pk: f"{before}{pk}{after}", lambda pk: f"{before}{pk}/{name}?"
        )

    def _address_of_every(
        self, viewset: type[CollectionViewSet], name: str, relation: ToMany
    ) -> Callable[[Any], str]:
        """Where all are listed that a relation leads to, for more parameters."""
        if name in viewset.subcollections:
            return lambda pk: f"{self.hrefs.resource(viewset.collection, pk)}/{name}?"
        every = f"{self.hrefs.collection(relation.collection)}?"
        return lambda pk: f"{every}filter[]={relation.back}.id={pk}&" if relation.back else every

    def _put(
        self,
        resources: dict[int, Resource],
        name: str,
        target: type[CollectionViewSet],
        page: EmbeddedPage,
        prefix: Callable[[Any], str],
        every: Callable[[Any], str],
    ) -> None:
        """Put into each resource, by this name, a page of those that lead back to it, each once.

        Where it is cut, `every` says where the rest is.
        """
        plan = Plan.of(target, Selection(tuple(target.columns())))
        found: dict[int, dict[str, Resource]] = {pk: {} for pk in resources}
        rows, cut = page.of(resources)
        for owner, resource in plan.owned(rows, page.link.lookup, prefix):
            found[owner][resource["id"]] = resource
        for pk, resource in resources.items():
            resource[name] = list(found[pk].values())
        if not cut and max(map(len, found.values()), default=0) <= page.limit:
            return
        for pk, resource in resources.items():
            if pk in cut or len(resource[name]) > page.limit:
                resource[name] = resource[name][: page.limit]
                resource.setdefault("more", {})[name] = f"{every(pk)}offset={page.limit}"


def _loads(viewset: type[CollectionViewSet], selection: Selection) -> dict[Load, list[str]]:
    """The functions that make computed attributes, and which of those that are wanted each makes."""
    found: dict[Load, list[str]] = {}
    for name in selection.computed:
        if callable(load := viewset.computed.get(name)):
            found.setdefault(load, []).append(name)
    return found
