"""How previews of changes are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from inventory.rest.actions.command import Answer, result
from inventory.rest.hrefs import Hrefs
from secgroups.analysis.links import Links
from secgroups.analysis.shown_lines import EffectiveRule, shown
from secgroups.previews import PortPreview, Preview, Previews
from secgroups.previews.values import Kind, Status


class _Group(TypedDict):
    """A security group; without an id if only the cloud has it."""

    href: str | None
    id: str | None
    name: str


class _Port(TypedDict):
    href: str | None
    id: str | None
    ems_ref: str
    before: list[_Group]
    after: list[_Group]


class _Difference(TypedDict):
    """The effective rules that let through something that the others do not."""

    appear: list[EffectiveRule]
    disappear: list[EffectiveRule]


class _Warning(TypedDict):
    kind: Kind
    message: str


class PreviewOfChange(TypedDict):
    """What a change would do. `status` and `message` are those of its task, `as_of` is when the cloud was read."""

    status: Status
    message: str
    as_of: datetime | None
    network_ports: list[_Port]
    effective_rules: _Difference
    warnings: list[_Warning]


class PreviewResults:
    """The results of an action with previews in place of tasks."""

    def __init__(self, previews: Previews, hrefs: Hrefs) -> None:
        self._previews, self._hrefs = previews, hrefs
        self._links = Links(previews.rulebook, hrefs)
        self._groups: dict[str, _Group | None] = {}

    def answer(self, preview: Preview, href: str | None) -> Answer:
        links = {"href": href} if href else {}
        return result(preview.accepted, preview.answer, **links, preview=self._shown(preview))

    def _shown(self, preview: Preview) -> PreviewOfChange:
        return {
            "status": preview.status,
            "message": preview.message,
            "as_of": preview.as_of,
            "network_ports": list(map(self._port, preview.ports)),
            "effective_rules": {
                "appear": [shown(line, self._links) for line in preview.appear],
                "disappear": [shown(line, self._links) for line in preview.disappear],
            },
            "warnings": [{"kind": warned.kind, "message": warned.message} for warned in preview.warnings],
        }

    def _port(self, port: PortPreview) -> _Port:
        return {
            "href": None if port.pk is None else self._hrefs.resource("network_ports", port.pk),
            "id": None if port.pk is None else str(port.pk),
            "ems_ref": port.ref,
            "before": self._named(port.before),
            "after": self._named(port.after),
        }

    def _named(self, refs: Sequence[str]) -> list[_Group]:
        """The groups that the user may see."""
        known = self._groups
        for ref in refs:
            if ref not in known:
                known[ref] = self._group(ref)
        return [group for ref in refs if (group := known[ref])]

    def _group(self, ref: str) -> _Group | None:
        pk = self._previews.groups[ref]
        if pk < 0:
            return {"href": None, "id": None, "name": ref}
        if pk not in self._previews.rulebook.names:
            return None
        return {**self._links.group(pk)}
