"""How the preview of a change of many instances is shown."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict

from inventory.rest.actions.command import Answer, result
from inventory.rest.hrefs import Hrefs
from secgroups.previews.many import ManyPreview

#: Most ports in an answer.
PORTS = 1000


class _Refusal(TypedDict):
    reason: str
    count: int


class _WrittenPort(TypedDict):
    href: str
    id: str


class PreviewOfMany(TypedDict):
    """What a change of many instances would do: how many it changes, does not change and can't.

    Of the ports that it writes there are at most 1,000, and `more` says how many others there are.
    """

    total: int
    change: int
    no_change: int
    refused: list[_Refusal]
    as_of: datetime | None
    network_ports: list[_WrittenPort]
    more: NotRequired[int]


def shown_preview(preview: ManyPreview, hrefs: Hrefs, href: str) -> Answer:
    """The result with a preview, of the resource with this address."""
    ports = preview.ports[:PORTS]
    more = len(preview.ports) - len(ports)
    shown: PreviewOfMany = {
        "total": preview.total,
        "change": preview.change,
        "no_change": preview.no_change,
        "refused": [{"reason": reason, "count": count} for reason, count in preview.refused.most_common()],
        "as_of": preview.as_of,
        "network_ports": [{"href": hrefs.resource("network_ports", pk), "id": str(pk)} for pk in ports],
    }
    if more:
        shown["more"] = more
    return result(preview.accepted, preview.message, href=href, preview=shown)
