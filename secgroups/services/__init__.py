"""The services of this app, called by the API and the admin."""

from secgroups.services.answers import Accepted, Refused
from secgroups.services.bulk import InstanceReference, decide_for_many, request_for_many
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
from secgroups.services.endings import duration_of, ending_of, require_ending
from secgroups.services.expirations import (
    EndNow,
    TooLate,
    decide_end,
    extend_expiration,
    keep_expiration,
    may_change_ends,
    request_ends,
)
from secgroups.services.group_work import GroupWork
from secgroups.services.groups_in_use import detached_deletion, group_replacement
from secgroups.services.refused_changes import keep_refused_change
from secgroups.services.reverts import MembershipRevert, decide_revert, may_revert, request_reverts

__all__ = [
    "MAY_CHANGE",
    "Accepted",
    "Edit",
    "EndNow",
    "GroupReference",
    "GroupWork",
    "InstanceReference",
    "MembershipRevert",
    "Refused",
    "TooLate",
    "decide_changes",
    "decide_end",
    "decide_for_many",
    "decide_revert",
    "detached_deletion",
    "duration_of",
    "ending_of",
    "extend_expiration",
    "group_creation",
    "group_deletion",
    "group_edit",
    "group_replacement",
    "keep_expiration",
    "keep_refused_change",
    "may_change_ends",
    "may_revert",
    "queue_due_endings",
    "request_changes",
    "request_edits",
    "request_ends",
    "request_for_many",
    "request_reverts",
    "require_ending",
    "rule_creation",
    "rule_deletion",
]
