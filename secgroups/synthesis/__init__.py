"""Made-up inventories of any size; the same seed gives the same inventory."""

from secgroups.synthesis.company import FEWEST_GROUPS, Size
from secgroups.synthesis.loading import AlreadyThere, settle, synthesize

__all__ = ["FEWEST_GROUPS", "AlreadyThere", "Size", "settle", "synthesize"]
