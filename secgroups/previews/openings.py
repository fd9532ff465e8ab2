"""The effective rules of an instance while groups are added to its ports or removed from them, with warnings."""

from __future__ import annotations

from collections.abc import Mapping

from secgroups.analysis.port_rules import PortRules, Step
from secgroups.previews.values import LineEffect
from secgroups.previews.warnings import about_lines


class InstanceRules(PortRules):
    """The effective rules of an instance, whose ports (refs) have these groups (ids)."""

    def effects(self, steps: Mapping[int, Step], *, adding: bool) -> dict[int, LineEffect]:
        """What these steps do, which all add groups or all remove them."""
        if adding:
            return {
                key: LineEffect(lines, (), about_lines(lines, (), rules.openings))
                for key, lines, rules in self.added(steps)
            }
        return {
            key: LineEffect((), lines, about_lines((), lines, rules.openings))
            for key, lines, rules in self.removed(steps)
        }

    def lets_in(self, ref: str, group: int) -> bool:
        """Whether a group lets anything into a port."""
        return any(line.direction == "inbound" and line.possible_addresses for line in self.lines(ref, group))
