"""Embeds related resources: at most a page in each resource, and `API_EMBEDDED_LIMIT` in one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery

from inventory.db.links import links_of
from inventory.db.lookups import Numbers
from inventory.rest.reading.projection import Projection, Resource
from inventory.rest.reading.selection import Selection
from inventory.rest.resources import ResourceType, Subcollection, ToMany

#: For each owner with more than a page of rows, the id of the first row after that page.
Ends = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Resources to embed under a name. Each owner gets a page of the rows whose `link` leads to it.

    `prefix` takes an owner and returns the beginning of the addresses of its rows. `every` takes an owner and
    returns the address that lists all of its rows, ready for more parameters.
    """

    name: str
    target: ResourceType
    rows: QuerySet[Any]
    link: Subcollection | ToMany
    prefix: Callable[[Any], str]
    every: Callable[[Any], str]

    def put_into(self, resources: Mapping[int, Resource], ends: Ends, limit: int) -> int:
        """Embed each row once in each of its owners, `limit` in all. Returns the number of rows read."""
        projection = Projection.of(self.target, Selection(tuple(self.target.columns)))
        children: dict[int, dict[str, Resource]] = {pk: {} for pk in resources}
        pairs = list(projection.owned(self._pages(resources, ends)[: limit + 1], self.link.lookup, self.prefix))
        # The rows are in the order of lists, so each owner keeps its first ones.
        end = pairs[-1][1]["id"] if len(pairs) > limit else None
        for owner, child in pairs:
            if child["id"] == end:
                break
            children[owner][child["id"]] = child
        for pk, resource in resources.items():
            resource[self.name] = list(children[pk].values())
        cut = ends.keys() | (self._owners_behind(resources, int(end)) if end else set())
        if cut or max(map(len, children.values()), default=0) > settings.API_PAGE_LIMIT:
            self._cut(resources, cut)
        return len(pairs)

    def _cut(self, resources: Mapping[int, Resource], cut: set[int]) -> None:
        """Leave a page in each resource, and link to the rest. Resources in `cut` always get a link."""
        for pk, resource in resources.items():
            children = resource[self.name]
            resource[self.name] = shown = children[: settings.API_PAGE_LIMIT]
            if pk in cut or len(shown) < len(children):
                resource.setdefault("more", {})[self.name] = f"{self.every(pk)}offset={len(shown)}"

    def _owners_behind(self, owners: Iterable[int], end: int) -> set[int]:
        """The owners that have this row or later ones."""
        behind = {f"{self.target.behind}e": end}
        rows = self.rows.filter(**{f"{self.link.lookup}__among": Numbers(owners)}, **behind).order_by()
        return set(rows.values_list(self.link.lookup, flat=True).distinct())

    def _pages(self, owners: Iterable[int], ends: Ends) -> QuerySet[Any]:
        whole = Q(**{f"{self.link.lookup}__among": Numbers({pk for pk in owners if pk not in ends})})
        before = "pk__gt" if self.target.newest_first else "pk__lt"
        begun = (Q(**{self.link.lookup: pk, before: end}) for pk, end in ends.items())
        return self.rows.filter(reduce(or_, begun, whole)).order_by(*self.target.order)

    def behind_a_page(self) -> Subquery:
        """The id of the first row after the page, for a query of the owners."""
        links, row, owner = links_of(self.rows.model, self.link.lookup)
        if row == "pk":
            owned = self.rows.filter(**{owner: OuterRef("pk")})
        else:
            linked = links.filter(**{owner: OuterRef(OuterRef("pk"))}).values(row).distinct()
            owned = self.rows.filter(pk__in=linked)
        limit = settings.API_PAGE_LIMIT
        return Subquery(owned.order_by(*self.target.order).values("pk")[limit : limit + 1])


def embed(rows: QuerySet[Any], resources: Mapping[int, Resource], embedded: Sequence[Embedded]) -> None:
    """Embed all of these in resources, which were read from `rows`.

    One query finds the owners with more than a page of anything. Links with `few` are left out of it, because
    reading a few rows too many is faster.
    """
    many = [entry for entry in embedded if not entry.link.few]
    columns = {f"_behind_{number}": entry.behind_a_page() for number, entry in enumerate(many)}
    ends: list[dict[int, int]] = [{} for _ in many]
    if many:
        owners = rows.filter(pk__among=Numbers(resources)).order_by()
        for pk, *behind in owners.annotate(**columns).values_list("pk", *columns):
            for by_owner, end in zip(ends, behind, strict=True):
                if end is not None:
                    by_owner[pk] = end
    remaining, left = iter(ends), settings.API_EMBEDDED_LIMIT
    for entry in embedded:
        left -= entry.put_into(resources, {} if entry.link.few else next(remaining), left)
        left = max(left, 0)
