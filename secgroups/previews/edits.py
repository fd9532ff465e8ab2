"""Previews of edits of groups and rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from inventory.drivers.values import Rule
from inventory.rest.resources import Viewer
from inventory.services import waiting_for_clouds
from secgroups.analysis.rulebook import RuleRow
from secgroups.arguments import GroupCreation, GroupDeletion, RuleCreation, RuleDeletion
from secgroups.previews.asking import driver_class_of
from secgroups.previews.cloud_sites import CloudSite
from secgroups.previews.edit_outcomes import EditOutcome, foresee
from secgroups.previews.ends import remark_of_rule
from secgroups.previews.group_rules import GroupRules, RuleStep
from secgroups.previews.sites import Site
from secgroups.previews.values import LineEffect, Preview, Previews
from secgroups.previews.warnings import effect_of
from secgroups.services import Edit, Refused
from secgroups.traffic.addresses import networks
from secgroups.traffic.difference import Openings
from secgroups.traffic.effective import Line, OtherSide
from secgroups.traffic.services import Service

#: What is known for an edit, its outcome by that, and as of when.
Foreseen = tuple[Site, EditOutcome, datetime | None]


def preview_edits(decisions: Sequence[Edit | Refused], *, viewer: Viewer, ask_cloud: bool = False) -> Previews:
    """What `request_edits` would answer, and what its tasks would do, each after those before it.

    `ask_cloud` asks the clouds for what they have now. Don't call that inside a transaction.
    """
    edits = {key: decision for key, decision in enumerate(decisions) if isinstance(decision, Edit)}
    with waiting_for_clouds() if ask_cloud and edits else nullcontext():
        foreseen = _foresee_all(edits, viewer, ask_cloud)
    steps = {key: step for key, edit in edits.items() if (step := _step(key, edit, foreseen[key][1]))}
    rules = GroupRules(steps, viewer)
    previews = [
        Preview.refused(decision.message, None)
        if isinstance(decision, Refused)
        else _preview(decision, *foreseen[key], rules.effects.get(key))
        for key, decision in enumerate(decisions)
    ]
    return Previews(previews, rules.rulebook)


def _foresee_all(edits: Mapping[int, Edit], viewer: Viewer, ask_cloud: bool) -> dict[int, Foreseen]:
    """Each edit after those of its provider before it."""
    foreseen: dict[int, Foreseen] = {}
    for provider in dict.fromkeys(edit.provider for edit in edits.values()):
        keys = [key for key, edit in edits.items() if edit.provider == provider]
        own: dict[int, Any] = {key: edits[key].spec.arguments for key in keys}
        refs, names = ({*filter(None, map(of, own.values()))} for of in (_group_of, _name_of))
        site = (CloudSite if ask_cloud and provider.enabled else Site)(provider, refs, names, viewer)
        for key, arguments in own.items():
            outcome = foresee(arguments, site, viewer.user)
            foreseen[key] = site, outcome, site.as_of(_group_of(arguments))
    return foreseen


def _preview(
    edit: Edit, site: Site, outcome: EditOutcome, as_of: datetime | None, effect: LineEffect | None
) -> Preview:
    if outcome.changes and isinstance(edit.spec.arguments, GroupCreation):
        effect = _of_new_group(site)
    lines = effect or effect_of()
    return Preview(
        accepted=True,
        answer=edit.spec.message,
        status=outcome.status,
        message=outcome.message + remark_of_rule(edit.provider, edit.spec.arguments, outcome),
        as_of=as_of,
        appear=lines.appear,
        disappear=lines.disappear,
        warnings=(*lines.warnings, *outcome.warnings),
    )


def _group_of(arguments: Any) -> str:
    """The group (ref) that an edit changes; empty for a new one."""
    match arguments:
        case RuleCreation() | RuleDeletion():
            return str(arguments.rule.group_ref)
        case GroupCreation():
            return ""
    return str(arguments.group.ems_ref)


def _name_of(arguments: Any) -> str:
    """The name of the group that an edit creates; empty if it creates none."""
    return arguments.group.name if isinstance(arguments, GroupCreation) else ""


def _step(key: int, edit: Edit, outcome: EditOutcome) -> RuleStep | None:
    """What an edit does to the rules of a group. Rules that don't exist yet have ids below zero."""
    arguments, context = edit.spec.arguments, edit.spec.context
    if not outcome.changes or not isinstance(arguments, RuleCreation | RuleDeletion | GroupDeletion):
        return None
    group = int(context["security_group"]["id"])
    if outcome.new_rule:
        shown = context["firewall_rule"]
        sources = (shown[name] for name in ("source_security_group", "source_address_list"))
        source, addresses = (int(source["id"]) if source else None for source in sources)
        return RuleStep(group, new=_row(outcome.new_rule, -1 - key, group, source, addresses))
    lost = int(context["firewall_rule"]["id"]) if isinstance(arguments, RuleDeletion) else None
    return RuleStep(group, lost=lost)


def _row(rule: Rule, pk: int, group: int, source: int | None, addresses: int | None) -> RuleRow:
    service, there = Service(rule.host_protocol, rule.port, rule.end_port), rule.source_ip_range
    return RuleRow(pk, group, rule.direction, rule.network_protocol, service, there, source, addresses)


def _of_new_group(site: Site) -> LineEffect:
    """The lines of the rules that the cloud usually gives a new group."""
    lines = [
        Line(
            rule.direction,
            rule.network_protocol,
            Service(rule.host_protocol, rule.port, rule.end_port),
            OtherSide(source_ip_range=rule.source_ip_range or ""),
            networks(rule.source_ip_range or ""),
        )
        for rule in driver_class_of(site.provider).rules_of_new_groups
    ]
    return effect_of(lines, after=Openings(lines))
