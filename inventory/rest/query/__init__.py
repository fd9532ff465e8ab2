"""The query language of lists, `filter[]` and `sort_by`; `docs/filter.md` explains it."""

from inventory.rest.query.filtering import filtered
from inventory.rest.query.sorting import ordered

__all__ = ["filtered", "ordered"]
