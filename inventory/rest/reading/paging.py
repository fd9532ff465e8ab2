"""Pages of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote, urlencode

from django.conf import settings
from django.http import QueryDict

from inventory.db.conditions import compare
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.parameters import comma_list, digits
from inventory.rest.reading.rows import RowQuery

_PLACE = {"limit", "offset", "after"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of `limit` resources that starts at `offset`.

    In the order of the type, it can start after the id `after` instead. Then a client that follows the links sees
    each resource once, even if others are created and deleted in between, and the database needs to skip no rows.
    """

    limit: int
    offset: int
    after: int | None = None
    by_id: bool = True

    @classmethod
    def of_request(cls, query: QueryDict) -> Self:
        limit = digits(query, "limit", default=settings.API_PAGE_LIMIT)
        if limit == 0:
            raise BadInput(messages.LIMIT_TOO_SMALL)
        after = digits(query, "after", default=0) if "after" in query else None
        by_id = not comma_list(query, "sort_by")
        if after is not None and not by_id:
            raise BadInput(messages.AFTER_WITH_SORT)
        return cls(min(limit, settings.API_PAGE_LIMIT), digits(query, "offset", default=0), after, by_id)

    def pages(self, total: int) -> int:
        return -(-total // self.limit)

    def of(self, rows: RowQuery) -> RowQuery:
        """The rows on this page.

        After an id, this includes one more row if there is one, to tell whether there is a next page. `offset`
        can't tell, because rows before it may have been created or deleted.
        """
        if self.after is not None:
            return replace(rows.filter(compare(rows.resource_type.behind, self.after)), limit=self.limit + 1)
        return replace(rows, offset=self.offset, limit=self.limit)

    def total(self, ids: Sequence[int]) -> int | None:
        """The number of rows on all pages, if this page shows that it is the last; otherwise None."""
        has_the_last = self.after is None and len(ids) < self.limit and (ids or not self.offset)
        return self.offset + len(ids) if has_the_last else None

    def following(self, ids: Sequence[int], total: int) -> Self | None:
        """The next page, if there is one. `ids` are the ids that were read for this page, of `total` rows."""
        goes_on = self.offset + self.limit < total if self.after is None else len(ids) > self.limit
        if not goes_on:
            return None
        last = ids[: self.limit][-1] if ids and self.by_id else None
        return replace(self, offset=self.offset + self.limit, after=last)

    def links(self, href: str, query: QueryDict, total: int, following: Self | None) -> dict[str, str]:
        """The links to other pages. They keep the other parameters of the query."""
        last = max(self.pages(total) - 1, 0) * self.limit
        pages = {"self": self, "first": self._at(0), "last": self._at(last)}
        if following:
            pages["next"] = following
        if self.offset > 0:
            pages["previous"] = self._at(max(min(self.offset - self.limit, last), 0))
        others = [(name, text) for name, texts in query.lists() if name not in _PLACE for text in texts]
        parameters = urlencode([*others, ("limit", self.limit)], quote_via=quote, safe="[],*'")
        return {name: f"{href}?{parameters}&{page._place}" for name, page in pages.items()}

    def _at(self, offset: int) -> Self:
        return replace(self, offset=offset, after=None)

    @property
    def _place(self) -> str:
        return f"offset={self.offset}" if self.after is None else f"offset={self.offset}&after={self.after}"
