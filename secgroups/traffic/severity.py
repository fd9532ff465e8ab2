"""How bad an exposure is: by what it lets in, how wide it is, and who has it.

The table with a reason for each row is in `docs/exposure.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from secgroups.traffic.exposure import Breadth
from secgroups.traffic.services import Service, protocol_of
from secgroups.traffic.well_known import Purpose, purposes_in

Severity = Literal["critical", "high", "medium", "low", "none"]
#: What has the group: a port with a public address of the family, other ports, or nothing.
Holder = Literal["public", "private", "nothing"]

_BREADTHS: tuple[Breadth, ...] = get_args(Breadth)
_HOLDERS: tuple[Holder, ...] = get_args(Holder)

#: For each breadth, the severity for each holder.
_TABLE: Mapping[Purpose, tuple[tuple[Severity, Severity, Severity], ...]] = {
    "control": (("critical", "medium", "low"), ("high", "low", "low"), ("medium", "low", "none")),
    "data": (("critical", "medium", "low"), ("high", "low", "low"), ("medium", "low", "none")),
    "internal": (("high", "low", "low"), ("medium", "low", "none"), ("low", "none", "none")),
    "published": (("low", "none", "none"), ("none", "none", "none"), ("none", "none", "none")),
}
#: From the worst on.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


def severity(service: Service, breadth: Breadth, holder: Holder) -> Severity:
    """The severity of an exposure, of the worst that it lets in."""
    column = _BREADTHS.index(breadth), _HOLDERS.index(holder)
    return min((_TABLE[purpose][column[0]][column[1]] for purpose in _purposes(service)), key=SEVERITIES.index)


def _purposes(service: Service) -> set[Purpose]:
    services = service.range()
    if services is None or protocol_of(services) is None:
        return {"control"}  # everything
    return purposes_in(services)
