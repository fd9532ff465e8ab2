"""Previews of adding security groups to an instance and removing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inventory.models import Vm
from inventory.rest.resources import Viewer
from inventory.services import TaskSpec
from secgroups.plan import Action
from secgroups.previews.effects import Effects
from secgroups.previews.ends import Ends
from secgroups.previews.foreseeing import Foreseen
from secgroups.previews.values import Preview, Previews
from secgroups.services import GroupReference, Refused, decide_changes


def preview_changes(
    *,
    vm: Vm,
    action: Action,
    references: Sequence[GroupReference | Refused],
    viewer: Viewer,
    ask_cloud: bool = False,
) -> Previews:
    """What `request_changes` would answer, and what its tasks would do, each after those before it.

    `ask_cloud` reads the ports at the cloud first. Don't call that inside a transaction.
    """
    decisions = decide_changes(vm=vm, action=action, references=references, user=viewer.user)
    return preview_decisions(vm, action, decisions, viewer=viewer, ask_cloud=ask_cloud)


def preview_decisions(
    vm: Vm, action: Action, decisions: Sequence[TaskSpec | Refused], *, viewer: Viewer, ask_cloud: bool
) -> Previews:
    """The same for changes that are decided."""
    asked: dict[int, Any] = {
        key: decision.arguments for key, decision in enumerate(decisions) if isinstance(decision, TaskSpec)
    }
    foreseen = Foreseen(vm, asked, viewer, ask_cloud=ask_cloud)
    effects = Effects(vm, action, foreseen, viewer)
    as_of, ends = foreseen.ports.as_of, Ends(vm)
    previews = {
        key: Preview.refused(decision.message, as_of)
        for key, decision in enumerate(decisions)
        if isinstance(decision, Refused)
    }
    for key, effect in effects.by_key():
        outcome = foreseen.outcomes[key]
        previews[key] = Preview(
            True,
            decisions[key].message,
            outcome.status,
            outcome.message + ends.remark(asked[key], foreseen.refs.get(key, ""), outcome),
            as_of,
            effect.ports,
            effect.lines.appear,
            effect.lines.disappear,
            (*effect.lines.warnings, *effect.warnings, *foreseen.warnings[key]),
        )
    return Previews([previews[key] for key in range(len(decisions))], effects.rulebook, effects.ids)
