"""The services of this app, called by the API and the admin."""

from secgroups.services.answers import Accepted, Refused
from secgroups.services.changes import MAY_CHANGE, GroupReference, decide_changes, request_changes
from secgroups.services.due import queue_due_endings
from secgroups.services.edits import (
    Edit,
    group_creation,
    group_deletion,
    group_edit,
    request_edits,
    rule_creation,
    rule_deletion,
)
from secgroups.services.endings import ending_of, require_ending
from secgroups.services.refused_changes import keep_refused_change
from secgroups.services.reverts import MembershipRevert, decide_revert, may_revert, request_reverts

__all__ = [
    "MAY_CHANGE",
    "Accepted",
    "Edit",
    "GroupReference",
    "MembershipRevert",
    "Refused",
    "decide_changes",
    "decide_revert",
    "ending_of",
    "group_creation",
    "group_deletion",
    "group_edit",
    "keep_refused_change",
    "may_revert",
    "queue_due_endings",
    "request_changes",
    "request_edits",
    "request_reverts",
    "require_ending",
    "rule_creation",
    "rule_deletion",
]
