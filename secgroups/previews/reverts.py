"""Previews of reverts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inventory.models import CloudNetwork
from inventory.rest.resources import Viewer
from secgroups.analysis.networks import UNKNOWN
from secgroups.analysis.rulebook import Rulebook, RuleRow
from secgroups.arguments import GroupRestoration
from secgroups.models import AddressList, SecurityGroup
from secgroups.previews.edits import preview_edits
from secgroups.previews.many import ManyPreview, preview_decided
from secgroups.previews.memberships import preview_decisions
from secgroups.previews.values import Preview, Previews
from secgroups.previews.warnings import effect_of
from secgroups.services import Edit, MembershipRevert, Refused
from secgroups.services.bulk_reverts import ManyReverts
from secgroups.services.reverts import Decision
from secgroups.traffic.difference import Openings
from secgroups.traffic.effective import effective
from secgroups.traffic.services import Service


def preview_reverts(
    decisions: Sequence[Decision], *, viewer: Viewer, ask_cloud: bool = False
) -> list[Previews | ManyPreview]:
    """What `request_reverts` would answer, and what its tasks would do, one preview each.

    `ask_cloud` asks the clouds for what they have now, but not about many instances. Don't call that inside a
    transaction.
    """
    return [_preview(decision, viewer, ask_cloud) for decision in decisions]


def _preview(decision: Decision, viewer: Viewer, ask_cloud: bool) -> Previews | ManyPreview:
    match decision:
        case Refused():
            return Previews([Preview.refused(decision.message, None)], Rulebook((), viewer))
        case ManyReverts(task, group, action, decisions):
            return preview_decided(group, action, decisions, viewer=viewer, reverts=task)
        case MembershipRevert(vm, action, spec):
            return preview_decisions(vm, action, [spec], viewer=viewer, ask_cloud=ask_cloud)
        case Edit(_, spec):
            previews = preview_edits([decision], viewer=viewer, ask_cloud=ask_cloud)
            if isinstance(spec.arguments, GroupRestoration) and previews.changes[0].status == "Ok":
                return _with_rules(previews.changes[0], decision, spec.arguments, viewer)
            return previews


def _with_rules(preview: Preview, edit: Edit, arguments: GroupRestoration, viewer: Viewer) -> Previews:
    """With the lines of the rules that a new group gets. Its own members, of which it has none, are left out."""
    provider = edit.provider
    refs = {rule.source_group_ref for rule in arguments.rules} - {None}
    groups = dict(SecurityGroup.objects.filter(provider=provider, ems_ref__in=refs).values_list("ems_ref", "pk"))
    ranges = {rule.address_list_ref for rule in arguments.rules} - {None}
    lists = dict(AddressList.objects.filter(provider=provider, ems_ref__in=ranges).values_list("ems_ref", "pk"))
    rows = [
        RuleRow(
            -number,
            0,
            rule.direction,
            rule.network_protocol,  # type: ignore[arg-type]
            Service(rule.host_protocol, rule.port, rule.end_port),
            rule.source_ip_range,
            groups.get(rule.source_group_ref or ""),
            lists.get(rule.address_list_ref or ""),
        )
        for number, rule in enumerate(arguments.rules, 1)
        if rule.source_group_ref != arguments.was
    ]
    network = None
    if provider.confines_groups:
        place = CloudNetwork.objects.filter(provider=provider, ems_ref=arguments.group.network_ref or "")
        network = place.values_list("pk", flat=True).first() or UNKNOWN
    rulebook = Rulebook((), viewer, rows)
    lines = [replace(rulebook.line(row, frozenset(), network), because_of=frozenset()) for row in rows]
    shown = effective(lines)
    effect = effect_of(shown, after=Openings(lines))
    changed = replace(preview, appear=effect.appear, disappear=(), warnings=effect.warnings)
    return Previews([changed], rulebook)
