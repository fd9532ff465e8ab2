"""Previews of ending something now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inventory.models import Vm
from inventory.rest.resources import Viewer
from secgroups.analysis.rulebook import Rulebook
from secgroups.messages import ALREADY_ENDED, TAKEN_BACK
from secgroups.previews.edits import preview_edits
from secgroups.previews.memberships import preview_decisions
from secgroups.previews.values import Preview, Previews
from secgroups.services import EndNow, Refused, rule_deletion


def preview_ends(
    decisions: Sequence[EndNow | Refused], *, viewer: Viewer, ask_cloud: bool = False
) -> list[Previews]:
    """What `request_ends` would answer, and what its tasks would do, one preview each.

    `ask_cloud` asks the clouds for what they have now. Don't call that inside a transaction.
    """
    return [_preview(decision, viewer, ask_cloud) for decision in decisions]


def _preview(decision: EndNow | Refused, viewer: Viewer, ask_cloud: bool) -> Previews:
    if isinstance(decision, Refused):
        return Previews([Preview.refused(decision.message, None)], Rulebook((), viewer))
    spec, rule = decision.foreseen, decision.expiration.firewall_rule
    if decision.removal.vm is not None:
        vm = Vm.objects.select_related("provider").get(pk=decision.removal.vm)
        return preview_decisions(vm, "remove", [spec], viewer=viewer, ask_cloud=ask_cloud)
    if rule is None:  # it was never recorded, so nobody knows whether it is there
        return Previews([Preview(True, spec.message, "Ok", ALREADY_ENDED, None)], Rulebook((), viewer))
    edit = rule_deletion(rule, viewer.user)
    previews = preview_edits([edit], viewer=viewer, ask_cloud=ask_cloud)
    [preview] = previews.changes
    remark = TAKEN_BACK if preview.status == "Ok" and preview.disappear else ""
    shown = replace(preview, answer=spec.message, message=preview.message + remark)
    return replace(previews, changes=[shown])
