"""The effective rules of ports and groups, on behalf of a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Self

from inventory.db.lookups import Numbers
from inventory.rest.resources import Viewer
from secgroups.analysis.networks import UNKNOWN, confining
from secgroups.analysis.ports import PortRow, ports_by, rulebook_of, with_hidden_ports
from secgroups.analysis.rulebook import Rulebook, TooMuch, unknown_lines
from secgroups.models import SecurityGroup
from secgroups.traffic.effective import Line, effective


class Bounds(NamedTuple):
    """The most network ports and rules to read; None for all."""

    ports: int | None = None
    rules: int | None = None


ALL = Bounds()


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """The lines of each resource by its id, with the rules and groups that they name.

    What computes them raises `TooMuch` if it would have to read more than its bounds.
    """

    lines: Mapping[int, list[Line]]
    rulebook: Rulebook

    @classmethod
    def of_ports(cls, ports: Collection[int], viewer: Viewer, bounds: Bounds = ALL) -> Self:
        return cls._of("pk", ports, viewer, bounds)

    @classmethod
    def of_vms(cls, vms: Collection[int], viewer: Viewer, bounds: Bounds = ALL) -> Self:
        return cls._of("vm", vms, viewer, bounds)

    @classmethod
    def of_groups(cls, groups: Collection[int], viewer: Viewer, bounds: Bounds = ALL) -> Self:
        """The rules of each group alone."""
        rulebook = Rulebook(groups, viewer, at_most=bounds.rules)
        columns = ("pk", "cloud_network", "provider")
        rows = SecurityGroup.objects.filter(pk__among=Numbers(groups)).values_list(*columns)
        confined = confining({provider for *_, provider in rows})
        lines = {}
        for pk, network, provider in rows:
            seen_from = (network or UNKNOWN) if provider in confined else None
            lines[pk] = effective(rulebook.lines(pk, frozenset(), seen_from))
        return cls(lines, rulebook)

    @classmethod
    def _of(cls, lookup: str, owners: Collection[int], viewer: Viewer, bounds: Bounds) -> Self:
        ports = ports_by(lookup, owners, viewer, None if bounds.ports is None else bounds.ports + 1)
        if bounds.ports is not None and len(ports) > bounds.ports:
            raise TooMuch
        rulebook = rulebook_of(ports, viewer, at_most=bounds.rules)
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
