"""What `GET /api/reachability` takes and answers, for the API's description."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from inventory.drivers.protocols import NUMBERS
from secgroups.analysis.links import Link, NamedLink, Reason
from secgroups.analysis.reachability import INTERNET, LOOKUPS

_OCTET = "(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
#: What a side can be. The address of a resource may be longer (`https://.../api/instances/3`).
SIDE = {
    "type": "string",
    "anyOf": [
        {"const": INTERNET},
        {"pattern": rf"^({'|'.join(LOOKUPS)})/[1-9][0-9]{{0,9}}$"},
        {"format": "ipv4"},
        {"format": "ipv6"},
        {"pattern": rf"^({_OCTET}\.){{3}}{_OCTET}/([0-9]|[12][0-9]|3[0-2])$"},
    ],
}
PROTOCOL = {
    "type": "string",
    "anyOf": [{"enum": sorted(NUMBERS)}, {"pattern": f"^{_OCTET}$"}],
}


class _Named(TypedDict):
    name: str


class SideShown(_Named, total=False):
    """A resource, or addresses outside the inventory."""

    href: str
    id: str


class _Judged(TypedDict):
    verdict: str
    because_of: list[Reason]


class PassageShown(_Judged, total=False):
    """What the rules of one port say. `reason` says why without rules."""

    reason: str


class PathShown(TypedDict):
    """A way from a port to a port. Outside the inventory there is none."""

    from_port: NamedLink | None
    to_port: NamedLink | None
    from_address: str | None
    to_address: str | None
    public: bool
    outbound: PassageShown | None
    inbound: PassageShown | None


class ServiceShown(TypedDict):
    network_protocol: str | None
    host_protocol: str | None
    port: int | None
    end_port: int | None


class RuleShown(TypedDict):
    """A rule to create, as it can be posted."""

    direction: str
    network_protocol: str
    host_protocol: str | None
    port: int | None
    end_port: int | None
    source_ip_range: str


class MissingShown(TypedDict):
    """A rule that a port needs, in any one of these groups."""

    direction: str
    resource: NamedLink
    security_groups: list[NamedLink]
    firewall_rule: RuleShown


class UnknownShown(TypedDict):
    """A rule that may decide, and what is not known of it. Without a group, you may not see it or the ports."""

    security_group: NamedLink | None
    firewall_rule: Link | None
    message: str


ReachabilityShown = TypedDict(
    "ReachabilityShown",
    {
        "name": str,
        "from": SideShown,
        "to": SideShown,
        "protocol": str | None,
        "port": int | None,
        "verdict": str,
        "message": str,
        "families": list[str],
        "count": int,
        "paths": list[PathShown],
        "services": NotRequired[list[ServiceShown]],
        "missing": list[MissingShown],
        "unknown": list[UnknownShown],
        "not_considered": list[str],
    },
)


class RangeShown(TypedDict):
    """Addresses outside of the inventory, as a rule names them."""

    source_ip_range: str
    services: list[ServiceShown]
    because_of: list[Reason]


class ReachingShown(TypedDict, total=False):
    """An instance at the other side, with its attributes if it is expanded."""

    href: str
    id: str
    services: list[ServiceShown]
    because_of: list[Reason]


_List = TypedDict(
    "_List",
    {
        "name": str,
        "from": SideShown | None,
        "to": SideShown | None,
        "protocol": str | None,
        "port": int | None,
        "count": int,
        "subcount": int,
        "pages": int,
        "ranges": list[RangeShown],
        "unknown": list[UnknownShown],
        "not_considered": list[str],
        "links": dict[str, str],
    },
)


class ReachabilityListShown(_List, total=False):
    """The instances at the other side of one. `count_at_least` says that there may be more than `count`."""

    count_at_least: bool
    resources: list[ReachingShown]
