"""Reverting what a task changed: what that was, and what is in the way."""

from secgroups.reverting.history import Changed, changes_of, reach_back_to
from secgroups.reverting.obstacles import changed_at_cloud, found_changed, in_the_way

__all__ = ["Changed", "changed_at_cloud", "changes_of", "found_changed", "in_the_way", "reach_back_to"]
