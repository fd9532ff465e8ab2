"""Reverting what a task changed: what that was, and what is in the way."""

from secgroups.reverting.history import OF_RULE, Changed, changes_of, changes_of_each, reach_back_to
from secgroups.reverting.obstacles import changed_at_cloud, found_changed, in_the_way

__all__ = [
    "OF_RULE",
    "Changed",
    "changed_at_cloud",
    "changes_of",
    "changes_of_each",
    "found_changed",
    "in_the_way",
    "reach_back_to",
]
