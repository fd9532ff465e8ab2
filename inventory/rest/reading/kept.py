"""Queries of what a viewer may see that are compiled once for all viewers whose scopes have the same shape."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet

from inventory.db.conditions import Condition, Params
from inventory.db.statements import CompiledQuery, Param
from inventory.rest.resources import Viewer, get_resource_type

#: Takes the rows of each collection, then what is a part of the query, and values by name. Returns a
#: `values_list()` without `flat`.
Make = Callable[..., QuerySet[Any, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class KeptQuery:
    """A query of the rows of collections that a viewer may see. `planned` is as in `CompiledQuery`."""

    make: Make
    collections: tuple[str, ...]
    planned: bool

    def __call__(self, viewer: Viewer, *parts: Hashable, **values: Any) -> Iterable[Sequence[Any]]:
        """The rows as tuples. Each combination of `parts` is compiled for itself; `values` can be any."""
        scopes = tuple(viewer.scope(get_resource_type(collection)) for collection in self.collections)
        if not all(scope.recurs for scope in scopes):
            return self.rows(scopes, parts, values)
        params = Params()
        compiled = _compiled(self, tuple(map(params.of, scopes)), parts, tuple(values))
        return compiled(**values, **params.values)

    def rows(
        self, scopes: Sequence[Condition], parts: Iterable[Hashable], values: dict[str, Any]
    ) -> QuerySet[Any, Any]:
        visible = (
            get_resource_type(collection).queryset.filter(scope.q())
            for collection, scope in zip(self.collections, scopes, strict=True)
        )
        return self.make(*visible, *parts, **values)


def kept(*collections: str, planned: bool = True) -> Callable[[Make], KeptQuery]:
    """Make a `KeptQuery` of a function."""
    return lambda make: KeptQuery(make, collections, planned)


@lru_cache(maxsize=1000)  # bounded, because grants decide about the shapes
def _compiled(
    query: KeptQuery, scopes: tuple[Condition, ...], parts: tuple[Hashable, ...], names: tuple[str, ...]
) -> CompiledQuery:
    params = {name: Param(name) for name in names}
    return CompiledQuery(lambda: query.rows(scopes, parts, params), planned=query.planned)
