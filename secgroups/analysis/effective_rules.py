"""The effective rules of ports and groups, on behalf of a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Self

from inventory.db.lookups import Numbers
from inventory.rest.resources import Viewer
from secgroups.analysis.networks import UNKNOWN, confining
from secgroups.analysis.ports import PortRow, ports_by, rulebook_of, with_hidden_ports
from secgroups.analysis.rulebook import Rulebook, unknown_lines
from secgroups.models import SecurityGroup
from secgroups.traffic.effective import Line, effective


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """The lines of each resource by its id, with the rules and groups that they name."""

    lines: Mapping[int, list[Line]]
    rulebook: Rulebook

    @classmethod
    def of_ports(cls, ports: Collection[int], viewer: Viewer) -> Self:
        return cls._of("pk", ports, viewer)

    @classmethod
    def of_vms(cls, vms: Collection[int], viewer: Viewer) -> Self:
        return cls._of("vm", vms, viewer)

    @classmethod
    def of_groups(cls, groups: Collection[int], viewer: Viewer) -> Self:
        """The rules of each group alone."""
        rulebook = Rulebook(groups, viewer)
        columns = ("pk", "cloud_network", "provider")
        rows = SecurityGroup.objects.filter(pk__among=Numbers(groups)).values_list(*columns)
        confined = confining({provider for *_, provider in rows})
        lines = {}
        for pk, network, provider in rows:
            seen_from = (network or UNKNOWN) if provider in confined else None
            lines[pk] = effective(rulebook.lines(pk, frozenset(), seen_from))
        return cls(lines, rulebook)

    @classmethod
    def _of(cls, lookup: str, owners: Collection[int], viewer: Viewer) -> Self:
        ports = ports_by(lookup, owners, viewer)
        rulebook = rulebook_of(ports, viewer)
        by_owner: defaultdict[int, list[PortRow]] = defaultdict(list)
        for port in ports:
            by_owner[port.owner].append(port)
        hidden = with_hidden_ports(lookup, owners, viewer)
        lines = {
            owner: effective(
                chain(
                    chain.from_iterable(port.lines(rulebook) for port in by_owner[owner]),
                    unknown_lines() if owner in hidden else (),
                )
            )
            for owner in owners
        }
        return cls(lines, rulebook)
