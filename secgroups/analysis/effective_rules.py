"""The effective rules of ports and groups, on behalf of a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from inventory.db.lookups import Numbers
from inventory.models import Provider
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.rulebook import DIRECTIONS, Rulebook
from secgroups.messages import NO_PORT_SECURITY
from secgroups.models import Membership, SecurityGroup
from secgroups.traffic.addresses import EVERYWHERE
from secgroups.traffic.effective import Line, OtherSide, effective
from secgroups.traffic.services import Service


@dataclass(frozen=True, slots=True)
class Port:
    """A port with the ids of its groups. `network` is set if the cloud confines groups to networks."""

    pk: int
    owner: int
    network: int | None
    secured: bool
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """The lines of each resource by its id, with the rules and groups that they name."""

    lines: Mapping[int, list[Line]]
    rulebook: Rulebook

    @classmethod
    def of_ports(cls, ports: Collection[int], viewer: Viewer) -> Self:
        return cls._of(ports, _ports("pk", ports, viewer), viewer)

    @classmethod
    def of_vms(cls, vms: Collection[int], viewer: Viewer) -> Self:
        return cls._of(vms, _ports("vm", vms, viewer), viewer)

    @classmethod
    def of_groups(cls, groups: Collection[int], viewer: Viewer) -> Self:
        """The rules of each group alone."""
        rulebook = Rulebook(groups, viewer)
        rows = SecurityGroup.objects.filter(pk__among=Numbers(groups)).values_list(
            "pk", "cloud_network", "provider"
        )
        confined = _confining({provider for *_, provider in rows})
        return cls(
            {
                pk: effective(rulebook.lines(pk, frozenset(), network if provider in confined else None))
                for pk, network, provider in rows
            },
            rulebook,
        )

    @classmethod
    def _of(cls, owners: Collection[int], ports: Collection[Port], viewer: Viewer) -> Self:
        rulebook = Rulebook({group for port in ports for group in port.groups}, viewer)
        by_owner: defaultdict[int, list[Port]] = defaultdict(list)
        for port in ports:
            by_owner[port.owner].append(port)
        return cls({owner: effective(_lines(by_owner[owner], rulebook)) for owner in owners}, rulebook)


def _lines(ports: Iterable[Port], rulebook: Rulebook) -> Iterator[Line]:
    for port in ports:
        pks = frozenset({port.pk})
        if port.secured:
            for group in port.groups:
                yield from rulebook.lines(group, pks, port.network)
        else:
            for direction in DIRECTIONS:
                yield Line(direction, None, Service(), OtherSide(), EVERYWHERE, pks, reason=NO_PORT_SECURITY)


def _ports(owner: str, owners: Collection[int], viewer: Viewer) -> list[Port]:
    """The ports whose column `owner` has one of these ids."""
    rows = viewer.visible(get_resource_type("network_ports")).filter(**{f"{owner}__among": Numbers(owners)})
    ports = rows.order_by("pk").values_list("pk", owner, "cloud_network", "provider", "port_security_enabled")
    groups: defaultdict[int, list[int]] = defaultdict(list)
    memberships = Membership.objects.filter(network_port__among=Numbers([pk for pk, *_ in ports]))
    for port, group in memberships.values_list("network_port", "security_group"):
        groups[port].append(group)
    confined = _confining({provider for *_, provider, _ in ports})
    return [
        Port(pk, of, network if provider in confined else None, secured, tuple(groups[pk]))
        for pk, of, network, provider, secured in ports
    ]


def _confining(providers: Collection[int]) -> set[int]:
    """Those of these providers whose clouds confine groups to networks."""
    rows = Provider.objects.filter(pk__in=providers).only("vendor")
    return {provider.pk for provider in rows if provider.confines_groups}
