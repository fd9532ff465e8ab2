"""Parts of answers about reachability, with links to what they name."""

from __future__ import annotations

from secgroups.analysis.links import Links
from secgroups.analysis.reachability import Side
from secgroups.api.reachability_shapes import ServiceShown, SideShown, UnknownShown
from secgroups.traffic.addresses import Family
from secgroups.traffic.effective import Line
from secgroups.traffic.services import Service


def side_shown(side: Side, links: Links) -> SideShown:
    return {**links.to(side.collection, side.pk, side.name)} if side.collection else {"name": side.name}


def service_shown(family: Family, service: Service) -> ServiceShown:
    return {
        "network_protocol": family,
        "host_protocol": service.host_protocol,
        "port": service.port,
        "end_port": service.end_port,
    }


def unknown_line_shown(line: Line, links: Links) -> UnknownShown:
    """A line that is not known, and why."""
    rule = next(iter(sorted(line.because_of)), None)
    reason = links.reason(rule) if rule else None
    return {
        "security_group": reason["security_group"] if reason else None,
        "firewall_rule": reason["firewall_rule"] if reason else None,
        "message": links.not_known(line),
    }


def unknown_shown(message: str) -> UnknownShown:
    return {"security_group": None, "firewall_rule": None, "message": message}
