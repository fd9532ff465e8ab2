"""The effective rules of groups while their rules are created and deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from django.db.models import Exists, OuterRef

from inventory.db.lookups import Numbers
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.networks import UNKNOWN
from secgroups.analysis.rulebook import Rulebook, RuleRow
from secgroups.models import FirewallRule, Membership, SecurityGroup
from secgroups.previews import messages
from secgroups.previews.values import LineEffect, Warned
from secgroups.previews.warnings import effect_of
from secgroups.traffic.difference import GrowingRules, difference

#: How many members of a group are looked at for whether they are locked out.
MEMBERS = 1_000
#: How many of them are named.
NAMED = 10
_NO_PORTS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class RuleStep:
    """What one edit does to a group (its id).

    It gets a rule that does not exist yet, or loses the rule of an id. With neither, the group itself goes.
    """

    group: int
    new: RuleRow | None = None
    lost: int | None = None


class GroupRules:
    """The lines of groups that appear and disappear step by step, by the keys of the steps.

    The steps of one request are alike, so a group either only gets rules or only loses them.
    """

    def __init__(self, steps: Mapping[int, RuleStep], viewer: Viewer) -> None:
        self._viewer = viewer
        groups = {step.group for step in steps.values()}
        rows = SecurityGroup.objects.filter(pk__among=Numbers(groups)).select_related("provider")
        self._seen_from = {
            row.pk: (row.cloud_network_id or UNKNOWN) if row.provider.confines_groups else None
            for row in rows.only("cloud_network", "provider__vendor")
        }
        members = Membership.objects.filter(security_group=OuterRef("pk"))
        #: Those of the groups that a port has.
        self._attached = set(rows.filter(Exists(members)).values_list("pk", flat=True))
        self.rulebook = Rulebook(groups, viewer, [step.new for step in steps.values() if step.new])
        self._lines = {
            group: list(self.rulebook.lines(group, _NO_PORTS, self._seen_from[group])) for group in groups
        }
        self._growing: dict[int, GrowingRules] = {}
        self.effects = dict(self._gained(steps)) | dict(self._lost(steps)) | dict(self._gone(steps))

    def _gained(self, steps: Mapping[int, RuleStep]) -> Iterator[tuple[int, LineEffect]]:
        for key, step in steps.items():
            if step.new:
                rules = self._rules_of(step.group)
                line = self.rulebook.line(step.new, _NO_PORTS, self._seen_from[step.group])
                appear = rules.grow([line])
                yield key, effect_of(appear, after=rules.openings)

    def _lost(self, steps: Mapping[int, RuleStep]) -> Iterator[tuple[int, LineEffect]]:
        """What disappears with each rule is what appears when it comes back, from the last to the first."""
        lost = {step.lost for step in steps.values() if step.lost}
        for key in reversed(tuple(steps)):
            step = steps[key]
            if step.lost:
                rules = self._rules_of(step.group, lost)
                lets_in = rules.openings.lets("inbound")
                disappear = rules.grow(line for line in self._lines[step.group] if step.lost in line.because_of)
                is_attached = step.group in self._attached
                effect = effect_of(disappear=disappear, has_connections=is_attached)
                if is_attached and not lets_in and rules.openings.lets("inbound"):
                    effect = replace(effect, warnings=[*effect.warnings, *self._locked_out(step.group)])
                yield key, effect

    def _gone(self, steps: Mapping[int, RuleStep]) -> Iterator[tuple[int, LineEffect]]:
        for key, step in steps.items():
            if not (step.new or step.lost):
                disappear = difference(self._lines[step.group], ()).disappear
                yield key, effect_of(disappear=disappear, has_connections=step.group in self._attached)

    def _rules_of(self, group: int, without: Collection[int] = ()) -> GrowingRules:
        """The rules of a group, as they are after the steps so far. At first, those of some ids are missing."""
        if group not in self._growing:
            kept = (line for line in self._lines[group] if line.because_of.isdisjoint(without))
            self._growing[group] = GrowingRules(kept)
        return self._growing[group]

    def _locked_out(self, group: int) -> list[Warned]:
        """Warn of ports of which no other group lets anything in."""
        members = Membership.objects.filter(security_group=group).order_by("vm")
        ports = set(members.values_list("network_port", flat=True)[:MEMBERS])
        inbound = FirewallRule.objects.filter(security_group=OuterRef("security_group"), direction="inbound")
        others = Membership.objects.filter(Exists(inbound), network_port__among=Numbers(ports))
        ports -= set(others.exclude(security_group=group).values_list("network_port", flat=True))
        visible = self._viewer.visible(get_resource_type("network_ports")).filter(pk__among=Numbers(ports))
        refs = visible.filter(port_security_enabled=True).order_by("pk").values_list("ems_ref", flat=True)[:NAMED]
        return [Warned("locked_out", messages.locked_out(refs))] if refs else []
