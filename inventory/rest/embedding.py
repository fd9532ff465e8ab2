"""What is embedded in resources: of each at most a page."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from inventory.lookups import Numbers
from inventory.rest.collections import Subcollection, ToMany, links_of

if TYPE_CHECKING:
    from inventory.rest.viewsets import CollectionViewSet


@dataclass(frozen=True, slots=True)
class EmbeddedPage:
    """The first `limit` of these rows that belong to each of a viewset's resources, by a link from them to it."""

    viewset: type[CollectionViewSet]
    rows: QuerySet[Any]
    link: Subcollection | ToMany
    limit: int

    def of(self, owners: Iterable[int]) -> tuple[QuerySet[Any], Collection[int]]:
        """The rows of these owners by id, and those owners that have more.

        Where none has many it is not asked who has more: then there may be some rows too many, which is quicker.
        """
        ends = {} if self.link.few else self._ends(owners)
        whole = Q(**{f"{self.link.lookup}__among": Numbers({pk for pk in owners if pk not in ends})})
        begun = (Q(**{self.link.lookup: pk}, pk__lt=end) for pk, end in ends.items())
        return self.rows.filter(reduce(or_, begun, whole)).order_by("pk"), ends

    def _ends(self, owners: Iterable[int]) -> dict[int, int]:
        """Of each owner that has more than a page the id of the first behind it."""
        links, row, owner = links_of(self.rows.model, self.link.lookup)
        if row == "pk":
            of_one = self.rows.filter(**{owner: OuterRef("pk")})
        else:
            linked = links.filter(**{owner: OuterRef(OuterRef("pk"))}).values(row).distinct()
            of_one = self.rows.filter(pk__in=linked)
        behind = of_one.order_by("pk").values("pk")[self.limit : self.limit + 1]
        every = self.viewset.queryset.model._default_manager.filter(pk__among=Numbers(owners)).order_by()
        ends = every.annotate(_end=Subquery(behind)).filter(_end__isnull=False).values_list("pk", "_end")
        return dict(ends)
