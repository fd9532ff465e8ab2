"""Inventories that no cloud has: as large as wanted, and the same for the same seed."""

from secgroups.synthesis.company import FEWEST_GROUPS, Size
from secgroups.synthesis.loading import AlreadyThere, settle, synthesize

__all__ = ["FEWEST_GROUPS", "AlreadyThere", "Size", "settle", "synthesize"]
