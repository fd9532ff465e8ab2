"""The writes of this app that have effects: what the API and the admin call."""

from secgroups.services.answers import Accepted, Refused
from secgroups.services.changes import Asked, request_changes
from secgroups.services.edits import (
    Edit,
    group_creation,
    group_deletion,
    group_edit,
    request_edits,
    rule_creation,
    rule_deletion,
)

__all__ = [
    "Accepted",
    "Asked",
    "Edit",
    "Refused",
    "group_creation",
    "group_deletion",
    "group_edit",
    "request_changes",
    "request_edits",
    "rule_creation",
    "rule_deletion",
]
