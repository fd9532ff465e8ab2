"""What changes would do, before anything is queued or written."""

from secgroups.previews.edits import preview_edits
from secgroups.previews.expirations import preview_ends
from secgroups.previews.many import ManyPreview, preview_for_many, preview_group_work
from secgroups.previews.memberships import preview_changes
from secgroups.previews.reverts import preview_reverts
from secgroups.previews.values import PortPreview, Preview, Previews, Warned

__all__ = [
    "ManyPreview",
    "PortPreview",
    "Preview",
    "Previews",
    "Warned",
    "preview_changes",
    "preview_edits",
    "preview_ends",
    "preview_for_many",
    "preview_group_work",
    "preview_reverts",
]
