"""What instances open to the public, by all groups of all their ports together, on behalf of a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from inventory.db.conditions import EVERYTHING, NOTHING
from inventory.db.lookups import Numbers
from inventory.querysets import scope_of
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.ports import PortRow, ports_by, with_hidden_ports
from secgroups.models import AddressList, FirewallRule
from secgroups.traffic.addresses import EVERYWHERE, networks, public_families
from secgroups.traffic.effective import Line, OtherSide
from secgroups.traffic.exposure import Exposure, exposures
from secgroups.traffic.services import Service
from secgroups.traffic.severity import Severity, severity

_COLUMNS = ("security_group", "pk", "host_protocol", "port", "end_port", "source_ip_ranges")


@dataclass(frozen=True, slots=True)
class ExposedService:
    """A service that is open to the same public addresses, on one or more ports of an instance.

    `public` says whether one of these ports has a public address of the family, `unsecured` whether one has port
    security off. `exposures` are the ids of its groups' exposures.
    """

    split: Exposure
    public: bool
    unsecured: bool
    exposures: list[int]

    @property
    def severity(self) -> Severity:
        return severity(self.split.service, self.split.breadth, "public" if self.public else "private")


def exposed_services(vms: Collection[int], viewer: Viewer) -> Mapping[int, list[ExposedService] | None]:
    """The exposed services of each VM (id); None if it is not known to the user.

    It is not if they may not see a port, a group, a list that an inbound rule names, or exposures at all.
    """
    ports: defaultdict[int, list[PortRow]] = defaultdict(list)
    for port in ports_by("vm", vms, viewer):
        ports[port.owner].append(port)
    groups = {group for of_vm in ports.values() for port in of_vm for group in port.groups}
    lines, unknown = _lines_of(groups, viewer), with_hidden_ports("vm", vms, viewer)
    return {
        vm: None if vm in unknown or not _groups(ports[vm]) <= lines.keys() else list(_of(ports[vm], lines))
        for vm in vms
    }


def _groups(ports: Collection[PortRow]) -> set[int]:
    return {group for port in ports for group in port.groups}


def _lines_of(groups: Collection[int], viewer: Viewer) -> dict[int, list[Line]]:
    """What each group opens, with the ids of exposures in place of those of rules; only of visible groups."""
    exposure_type, group_type = get_resource_type("exposures"), get_resource_type("security_groups")
    if viewer.scope(exposure_type) is NOTHING:
        return {}
    visible = viewer.visible(group_type).filter(pk__among=Numbers(groups)).values_list("pk", flat=True)
    unknown = _naming_hidden_lists(groups, viewer)
    lines: dict[int, list[Line]] = {pk: [] for pk in visible if pk not in unknown}
    rows = viewer.visible(exposure_type).filter(security_group__among=Numbers(lines))
    for group, pk, *service, ranges in rows.order_by("pk").values_list(*_COLUMNS):
        there, because_of = networks(*ranges), frozenset({pk})
        lines[group].append(Line("inbound", None, Service(*service), OtherSide(), there, because_of=because_of))
    return lines


def _naming_hidden_lists(groups: Collection[int], viewer: Viewer) -> set[int]:
    """The groups with an inbound rule for a list of addresses that is outside the user's restriction."""
    if (scope := scope_of(viewer.user, AddressList)) is EVERYTHING:
        return set()
    inbound = FirewallRule.objects.filter(security_group__among=Numbers(groups), direction="inbound")
    listed = inbound.filter(source_address_list__isnull=False)
    hidden = listed.exclude(source_address_list__in=AddressList.objects.filter(scope.q()).values("pk"))
    return set(hidden.values_list("security_group", flat=True))


def _of(ports: Collection[PortRow], lines: Mapping[int, list[Line]]) -> Iterator[ExposedService]:
    opening: defaultdict[int, set[PortRow]] = defaultdict(set)
    of_all: list[Line] = []
    for port in ports:
        for line in (
            _unsecured(port) if not port.secured else (each for group in port.groups for each in lines[group])
        ):
            of_all.append(line)
            for key in line.because_of:
                opening[key].add(port)
    for split in exposures(of_all):
        by = {port for key in split.rules for port in opening[key]}
        public = any(split.family in public_families(port.addresses, port.translated) for port in by)
        known = sorted(key for key in split.rules if key > 0)
        yield ExposedService(split, public, not all(port.secured for port in by), known)


def _unsecured(port: PortRow) -> Iterator[Line]:
    """Everything, because of no exposure."""
    yield Line("inbound", None, Service(), OtherSide(), EVERYWHERE, because_of=frozenset({-port.pk}))
