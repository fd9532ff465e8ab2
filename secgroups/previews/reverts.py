"""Previews of reverts."""

from __future__ import annotations

from collections.abc import Sequence

from inventory.rest.resources import Viewer
from secgroups.analysis.rulebook import Rulebook
from secgroups.previews.memberships import preview_decisions
from secgroups.previews.values import Preview, Previews
from secgroups.services import Refused
from secgroups.services.reverts import Decision


def preview_reverts(decisions: Sequence[Decision], *, viewer: Viewer, ask_cloud: bool = False) -> list[Previews]:
    """What `request_reverts` would answer, and what its tasks would do, one preview each.

    `ask_cloud` asks the clouds for what they have now. Don't call that inside a transaction.
    """
    return [_preview(decision, viewer, ask_cloud) for decision in decisions]


def _preview(decision: Decision, viewer: Viewer, ask_cloud: bool) -> Previews:
    if isinstance(decision, Refused):
        return Previews([Preview.refused(decision.message, None)], Rulebook((), viewer))
    return preview_decisions(decision.vm, decision.action, [decision.spec], viewer=viewer, ask_cloud=ask_cloud)
