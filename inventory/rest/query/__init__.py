"""The query language of lists, `filter[]` and `sort_by`; `docs/filter.md` explains it."""

from inventory.rest.query.filtering import where
from inventory.rest.query.sorting import order

__all__ = ["order", "where"]
