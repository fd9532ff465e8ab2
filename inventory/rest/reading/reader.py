"""Reads the resources of an answer, from rows straight to dictionaries, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.db.models import QuerySet

from inventory.db.lookups import Numbers
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.hrefs import Hrefs
from inventory.rest.reading.embedding import Embedded, embed
from inventory.rest.reading.projection import Projection, Resource
from inventory.rest.reading.rows import Parent, RowQuery
from inventory.rest.reading.selection import Selection
from inventory.rest.resources import (
    BelowParent,
    Costly,
    Load,
    ResourceType,
    ToMany,
    ToOne,
    Viewer,
    get_resource_type,
)


class Reader(Viewer):
    """Reads resources for one user. `hrefs` makes their addresses."""

    def __init__(self, user: Any, hrefs: Hrefs) -> None:
        super().__init__(user)
        self.hrefs = hrefs

    def row_query(self, resource_type: ResourceType, parent: Parent | None = None) -> RowQuery:
        """All rows that the user may see; below a parent, only those that belong to it."""
        return RowQuery(resource_type, self.scope(resource_type), parent)

    def read(
        self,
        resource_type: ResourceType,
        rows: RowQuery | QuerySet[Any],
        selection: Selection,
        hrefs: Hrefs | None = None,
    ) -> list[Resource]:
        """The resources of these rows, in their order. Pass `hrefs` if their addresses are below a parent."""
        prefix = (hrefs or self.hrefs).resource(resource_type.name, "")
        projection = Projection.of(resource_type, selection).visible_to(self, resource_type, self.hrefs)
        resources = projection.resources(rows, prefix)
        if not (selection.computed or selection.relations or selection.embedded):
            return resources
        by_id = {int(resource["id"]): resource for resource in resources}
        for load, names in _loads(resource_type, selection, len(by_id), hrefs or self.hrefs).items():
            values = load(list(by_id), self, self.hrefs)
            for pk, resource in by_id.items():
                resource |= {name: values[pk][name] for name in names}
        for name, attributes in selection.relations.items():
            if isinstance(relation := resource_type.relations[name], ToOne):
                self._relate(by_id, name, relation, attributes)
        if embedded := [*self._related(resource_type, selection), *self._below(resource_type, selection)]:
            embed(self.visible(resource_type), by_id, embedded)
        return resources

    def _relate(
        self, resources: dict[int, Resource], name: str, relation: ToOne, attributes: tuple[str, ...] | None
    ) -> None:
        target = get_resource_type(relation.collection)
        ids = {resource[name] for resource in resources.values()} - {None}
        rows = self.visible(target).filter(pk__among=Numbers(ids))
        related_resources = self.read(target, rows, Selection.of_related(target, attributes))
        by_id = {int(related["id"]): related for related in related_resources}
        for resource in resources.values():
            related = by_id.get(resource[name])
            resource[name] = {key: related[key] for key in attributes} if related and attributes else related

    def _related(self, resource_type: ResourceType, selection: Selection) -> Iterator[Embedded]:
        """The selected to-many relations."""
        for name in selection.relations:
            if isinstance(relation := resource_type.relations[name], ToMany):
                target = get_resource_type(relation.collection)
                prefix = self.hrefs.resource(target.name, "")
                every = self._listing(resource_type, name, relation)
                yield Embedded(name, target, self.visible(target), relation, partial(_same, prefix), every)

    def _below(self, resource_type: ResourceType, selection: Selection) -> Iterator[Embedded]:
        """The selected subcollections, whose resources have addresses below their owner."""
        for name in selection.embedded:
            subcollection = resource_type.subcollections[name]
            target = subcollection.resource_type
            every = self._listing(resource_type, name)
            yield Embedded(
                name, target, self.visible(target), subcollection, self._prefix(resource_type, target), every
            )

    def _prefix(self, resource_type: ResourceType, target: ResourceType) -> Callable[[Any], str]:
        before, after = self.hrefs.resource(resource_type.name, ""), f"/{target.name}/"
        return lambda pk: f"{before}{pk}{after}"

    def _listing(
        self, resource_type: ResourceType, name: str, relation: ToMany | None = None
    ) -> Callable[[Any], str]:
        """Returns the address that lists everything under this name for a resource, ready for more parameters."""
        if relation is None or name in resource_type.subcollections:
            return lambda pk: f"{self.hrefs.resource(resource_type.name, pk)}/{name}?"
        every, back = f"{self.hrefs.collection(relation.collection)}?", relation.back
        return lambda pk: f"{every}filter[]={back}.id={pk}&" if back else every


def _same(prefix: str, pk: Any) -> str:
    """The prefix, whatever the owner is."""
    return prefix


def _loads(resource_type: ResourceType, selection: Selection, count: int, hrefs: Hrefs) -> dict[Load, list[str]]:
    """The functions that compute the selected attributes, each with the names that it computes.

    Raises `BadInput` for an attribute that costs too much for so many resources.
    """
    by_load: dict[Load, list[str]] = {}
    for name in selection.computed:
        computed = resource_type.computed.get(name)
        if isinstance(computed, Costly):
            if count > computed.page:
                raise BadInput(messages.too_many_for(name, computed.page))
            computed = computed.load
        if isinstance(computed, BelowParent):
            computed = partial(computed.load, hrefs.parent)
        if callable(computed):
            by_load.setdefault(computed, []).append(name)
    return by_load
