"""Turns rows into resources. The columns to select are determined once for each selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import Any

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat

from inventory.db.conditions import EVERYTHING
from inventory.rest.classes import ClassNames
from inventory.rest.disclosure import Disclosure, disclosed_to_nobody
from inventory.rest.hrefs import Hrefs
from inventory.rest.reading.rows import RowQuery, Sources
from inventory.rest.reading.selection import Selection
from inventory.rest.resources import RelatedCount, ResourceType, ToOne, Viewer

Resource = dict[str, Any]
#: Rows per fetch; a page has no more.
CHUNK = 1000


class Projection:
    """The names of a resource's attributes, and the columns to select for them: for a to-one relation, its id.

    `class_names` has the attributes that show the vendor as a class name. `with_parts` are those with parts that
    `disclose` shows or leaves out.
    """

    disclose: Callable[[Any], Any] = staticmethod(disclosed_to_nobody)

    def __init__(
        self,
        sources: Mapping[str, str | Combinable],
        class_names: Sequence[tuple[str, ClassNames]] = (),
        with_parts: Sequence[str] = (),
    ) -> None:
        self.names = ("href", "id", *sources)
        self.sources: Sources = (Cast(F("pk"), TextField()), *sources.values())
        self.class_names = class_names
        self.with_parts = with_parts
        self.has_counts = RelatedCount in {*map(type, self.sources)}

    @classmethod
    def of(cls, resource_type: ResourceType, selection: Selection) -> Projection:
        return _projection(resource_type, selection.plain, selection.computed, tuple(selection.relations))

    def visible_to(self, viewer: Viewer, resource_type: ResourceType, hrefs: Hrefs) -> Projection:
        """The same projection, with what its attributes and their parts show to this viewer."""
        whole = viewer.whole(resource_type)
        has_counts = self.has_counts or not resource_type.scoped.keys().isdisjoint(self.names)
        if not (has_counts or self.with_parts) and whole is EVERYTHING:
            return self
        visible = copy(self)
        if self.with_parts:
            visible.disclose = Disclosure(viewer, hrefs)
        if has_counts or whole is not EVERYTHING:
            # The address and the id have one source, the id.
            named = zip(self.names[1:], self.sources, strict=True)
            visible.sources = tuple(viewer.source(resource_type, name, source, whole) for name, source in named)
        return visible

    def resources(self, rows: RowQuery | QuerySet[Any], prefix: str) -> list[Resource]:
        """The resources of these rows, in their order. Each address is `prefix` and the id."""
        names = self.names
        resources = [dict(zip(names, (prefix + row[0], *row), strict=False)) for row in self._read(rows)]
        for name, class_names in self.class_names:
            for resource in resources:
                resource[name] = class_names[resource[name]]
        for name in self.with_parts:
            for resource in resources:
                resource[name] = self.disclose(resource[name])
        return resources

    def owned(
        self, rows: QuerySet[Any], owner: str, prefix: Callable[[Any], str]
    ) -> Iterator[tuple[Any, Resource]]:
        """Pairs of the value of `owner` and a resource. `prefix` takes that value."""
        names = self.names
        for value, *row in rows.values_list(owner, *self.sources).iterator(CHUNK):
            resource = dict(zip(names, (prefix(value) + row[0], *row), strict=True))
            for name, class_names in self.class_names:
                resource[name] = class_names[resource[name]]
            for name in self.with_parts:
                resource[name] = self.disclose(resource[name])
            yield value, resource

    def _read(self, rows: RowQuery | QuerySet[Any]) -> Iterable[Sequence[Any]]:
        """Rows of the id as text and the values in the order of `names`. A page's may end with the total."""
        if isinstance(rows, RowQuery):
            values = rows.values(self.sources)
            return rows.rows().values_list(*self.sources) if values is None else values
        return rows.values_list(*self.sources)


@lru_cache(maxsize=1000)  # bounded, because clients choose the attributes
def _projection(
    resource_type: ResourceType, plain: tuple[str, ...], computed: tuple[str, ...], relations: tuple[str, ...]
) -> Projection:
    columns = resource_type.columns
    sources: dict[str, str | Combinable] = {name: columns[name].selected for name in plain}
    for name in computed:
        if isinstance(expression := resource_type.computed.get(name), Combinable):
            sources[name] = expression
    for name in relations:
        if isinstance(relation := resource_type.relations[name], ToOne):
            sources[name] = relation.column
    if "href_slug" in computed:
        sources["href_slug"] = Concat(
            Value(f"{resource_type.name}/"), Cast(F("pk"), TextField()), output_field=TextField()
        )
    class_names = [(name, names) for name in plain if (names := columns[name].class_names) is not None]
    return Projection(sources, class_names, [name for name in plain if columns[name].has_parts])
