"""Pages of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from django.conf import settings
from django.db.models import QuerySet
from django.http import QueryDict

from inventory.rest.errors import BadInput
from inventory.rest.query.values import listed


@dataclass(frozen=True, slots=True)
class Page:
    """`limit` resources from the place `offset` on.

    In the order by id it can begin behind an id instead, `after`, wherever that is by now: whatever is made and
    deleted meanwhile, who goes from page to page sees each resource once, and nothing is skipped again for each.
    """

    limit: int
    offset: int
    after: int | None = None
    by_id: bool = True

    @classmethod
    def asked_by(cls, query: QueryDict) -> Self:
        limit = digits(query, "limit", default=settings.API_PAGE_LIMIT)
        if limit == 0:
            raise BadInput("The parameter limit must be at least 1")
        after = digits(query, "after", default=0) if "after" in query else None
        by_id = not listed(query, "sort_by")
        if after is not None and not by_id:
            raise BadInput("The parameter after is an id, and goes with the order by id: leave sort_by out")
        return cls(min(limit, settings.API_PAGE_LIMIT), digits(query, "offset", default=0), after, by_id)

    def pages(self, total: int) -> int:
        return -(-total // self.limit)

    def of(self, rows: QuerySet[Any], everything: QuerySet[Any]) -> QuerySet[Any]:
        """What is on this page of rows in their order; `everything` is what they were chosen from.

        Behind an id it is one more, if there is one: `offset` tells how far the client has come, not where it is.
        """
        if self.after is not None:
            return rows.filter(pk__gt=self.after)[: self.limit + 1]
        if not self.offset:
            return rows[: self.limit]
        # First the ids alone: what is skipped then costs an entry of an index, and no row.
        ids = rows[self.offset : self.offset + self.limit].values("pk")
        return everything.filter(pk__in=ids).order_by(*rows.query.order_by)

    def following(self, ids: Sequence[int], total: int) -> Self | None:
        """The next page, if there is one: `ids` are those that were found for this one, of `total` rows."""
        goes_on = self.offset + self.limit < total if self.after is None else len(ids) > self.limit
        if not goes_on:
            return None
        last = ids[: self.limit][-1] if ids and self.by_id else None
        return replace(self, offset=self.offset + self.limit, after=last)

    def links(self, href: str, query: QueryDict, total: int, following: Self | None) -> dict[str, str]:
        """Where to go from here; every link keeps the other parameters of the query."""
        last = max(self.pages(total) - 1, 0) * self.limit
        pages = {"self": self, "first": self._at(0), "last": self._at(last)}
        if following:
            pages["next"] = following
        if self.offset > 0:
            pages["previous"] = self._at(max(min(self.offset - self.limit, last), 0))
        return {name: f"{href}?{page._within(query)}" for name, page in pages.items()}

    def _at(self, offset: int) -> Self:
        return replace(self, offset=offset, after=None)

    def _within(self, query: QueryDict) -> str:
        asked = query.copy()
        asked.pop("after", None)
        asked["offset"], asked["limit"] = str(self.offset), str(self.limit)
        if self.after is not None:
            asked["after"] = str(self.after)
        return asked.urlencode(safe="[],*'")


def digits(query: QueryDict, name: str, *, default: int) -> int:
    """A parameter that is a whole number; `BadInput` for anything but digits, a sign included."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise BadInput(f"Non numeric parameter: {name}")
    return min(int(text[:19]), 2**62)
