"""What uses a security group: the filter `unused` and the computed attribute `used_by`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inventory.db.conditions import Condition, fixed
from inventory.rest.filtersets import TruthFilter
from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer
from secgroups.analysis.group_use import Use, in_use, uses_of


class UnusedFilter(TruthFilter):
    """The groups that nothing that the viewer may see uses, or with `false` those that something does."""

    def condition(self, value: bool, viewer: Viewer) -> Condition:
        used = in_use(viewer.user)
        return fixed(~used if value else used)


def used_by(groups: Sequence[int], viewer: Viewer, hrefs: Hrefs) -> Mapping[int, Mapping[str, Use]]:
    return {pk: {"used_by": use} for pk, use in uses_of(groups, viewer.user).items()}
