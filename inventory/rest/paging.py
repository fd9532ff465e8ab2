"""Pages of a collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.http import QueryDict

from inventory.rest.errors import BadInput


@dataclass(frozen=True, slots=True)
class Page:
    limit: int
    offset: int

    @classmethod
    def asked_by(cls, query: QueryDict) -> Self:
        limit = digits(query, "limit", default=settings.API_PAGE_LIMIT)
        if limit == 0:
            raise BadInput("The parameter limit must be at least 1")
        return cls(min(limit, settings.API_PAGE_LIMIT), digits(query, "offset", default=0))

    def pages(self, total: int) -> int:
        return -(-total // self.limit)

    def links(self, href: str, query: QueryDict, total: int) -> dict[str, str]:
        """Where to go from here; every link keeps the other parameters of the query."""
        last = max(self.pages(total) - 1, 0) * self.limit
        offsets = {"self": self.offset, "first": 0, "last": last}
        if self.offset + self.limit < total:
            offsets["next"] = self.offset + self.limit
        if self.offset > 0:
            offsets["previous"] = max(min(self.offset - self.limit, last), 0)
        return {name: f"{href}?{self._query(query, offset)}" for name, offset in offsets.items()}

    def _query(self, query: QueryDict, offset: int) -> str:
        changed = query.copy()
        changed["offset"], changed["limit"] = str(offset), str(self.limit)
        return changed.urlencode(safe="[],*'")


def digits(query: QueryDict, name: str, *, default: int) -> int:
    """A parameter that is a whole number; `BadInput` for anything but digits, a sign included."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise BadInput(f"Non numeric parameter: {name}")
    return min(int(text[:19]), 2**62)
