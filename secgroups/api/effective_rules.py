"""The computed attribute `effective_rules`: what a resource's groups let through together, with the reasons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer
from secgroups.analysis.effective_rules import EffectiveRules
from secgroups.analysis.links import Links
from secgroups.analysis.shown_lines import EffectiveRule, shown

Shown = Mapping[int, Mapping[str, list[EffectiveRule]]]


def of_ports(ports: Sequence[int], viewer: Viewer, hrefs: Hrefs) -> Shown:
    return _shown(EffectiveRules.of_ports, ports, viewer, hrefs)


def of_vms(vms: Sequence[int], viewer: Viewer, hrefs: Hrefs) -> Shown:
    return _shown(EffectiveRules.of_vms, vms, viewer, hrefs)


def of_groups(groups: Sequence[int], viewer: Viewer, hrefs: Hrefs) -> Shown:
    return _shown(EffectiveRules.of_groups, groups, viewer, hrefs)


def _shown(
    compute: Callable[[Collection[int], Viewer], EffectiveRules], pks: Sequence[int], viewer: Viewer, hrefs: Hrefs
) -> Shown:
    rules = compute(pks, viewer)
    links = Links(rules.rulebook, hrefs)
    return {pk: {"effective_rules": [shown(line, links) for line in rules.lines.get(pk, ())]} for pk in pks}
