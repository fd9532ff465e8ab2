"""Links to groups and rules in answers about what they mean."""

from __future__ import annotations

from typing import TypedDict

from inventory.rest.hrefs import Hrefs
from secgroups.analysis.rulebook import Rulebook
from secgroups.traffic.effective import Line


class Link(TypedDict):
    href: str
    id: str


class NamedLink(Link):
    name: str


class Reason(TypedDict):
    """A rule, and the group that has it. In a preview, a rule that does not exist yet is null."""

    security_group: NamedLink
    firewall_rule: Link | None


class Links:
    """Makes links to the groups and rules of a rulebook."""

    def __init__(self, rulebook: Rulebook, hrefs: Hrefs) -> None:
        self._rulebook, self._hrefs = rulebook, hrefs

    def to(self, collection: str, pk: int, name: str) -> NamedLink:
        return {"href": self._hrefs.resource(collection, pk), "id": str(pk), "name": name}

    def group(self, pk: int) -> NamedLink:
        return self.to("security_groups", pk, self._rulebook.names[pk])

    def rule(self, pk: int) -> Link:
        return {"href": self._hrefs.resource("firewall_rules", pk), "id": str(pk)}

    def reason(self, rule: int) -> Reason:
        existing = self.rule(rule) if rule > 0 else None
        return {"security_group": self.group(self._rulebook.group_of[rule]), "firewall_rule": existing}

    def not_known(self, line: Line) -> str:
        """What is not known of a line, in words."""
        return self._rulebook.not_known(line)
