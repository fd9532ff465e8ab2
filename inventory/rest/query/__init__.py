"""The query language of lists, `filter[]` and `sort_by`, which docs/filter.md describes."""

from inventory.rest.query.filtering import where
from inventory.rest.query.sorting import order

__all__ = ["order", "where"]
