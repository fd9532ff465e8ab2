"""The effective rules of an instance while groups are added to its ports or removed from them, with warnings."""

from __future__ import annotations

from collections.abc import Mapping

from secgroups.analysis.port_rules import PortRules, Step
from secgroups.previews.values import LineEffect
from secgroups.previews.warnings import effect_of

__all__ = ["InstanceRules", "Step"]


class InstanceRules(PortRules):
    """The effective rules of an instance, whose ports (refs) have these groups (ids)."""

    def added(self, steps: Mapping[int, Step]) -> dict[int, LineEffect]:
        """What appears with each of these steps, which add groups."""
        return {key: effect_of(lines, after=rules.openings) for key, lines, rules in self.adding(steps)}

    def removed(self, steps: Mapping[int, Step]) -> dict[int, LineEffect]:
        """What disappears with each of these steps, which remove groups."""
        return {key: effect_of(disappear=lines) for key, lines, rules in self.removing(steps)}

    def lets_in(self, ref: str, group: int) -> bool:
        """Whether a group lets anything into a port."""
        return any(line.direction == "inbound" and line.possible_addresses for line in self.lines(ref, group))
