"""The effective rules of an instance's ports while groups are added to them or removed from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain, count
from typing import NamedTuple

from inventory.models import Provider
from inventory.reconcile import ids_of
from secgroups.analysis.instance_ports import KnownPort
from secgroups.analysis.ports import open_lines
from secgroups.analysis.rulebook import Rulebook, unknown_lines
from secgroups.models import SecurityGroup
from secgroups.traffic.difference import GrowingRules
from secgroups.traffic.effective import Line


@dataclass(frozen=True, slots=True)
class Step:
    """A group (its id) that is added to some ports (refs), or removed from them."""

    group: int
    ports: Collection[str]


class StepLines(NamedTuple):
    """The lines that a step adds or removes, by its key, and the rules that have these lines."""

    key: int
    lines: list[Line]
    rules: GrowingRules


def ids_of_groups(provider: Provider, refs: Set[str], known: Mapping[str, int] | None = None) -> dict[str, int]:
    """The ids of groups by ref, if not known; negative ones for those that the inventory does not have."""
    ids = {**(known or {})}
    ids |= ids_of(SecurityGroup, provider, refs - ids.keys())
    return ids | dict(zip(sorted(refs - ids.keys()), count(-1, -1), strict=False))


class PortRules:
    """The effective rules of ports (refs) that have these groups (ids)."""

    def __init__(
        self,
        ports: Mapping[str, KnownPort],
        groups: Mapping[str, Collection[int]],
        rulebook: Rulebook,
        *,
        has_hidden_ports: bool,
    ) -> None:
        self._ports = ports
        self._groups = {ref: set(groups[ref]) for ref in ports}
        self._rulebook = rulebook
        self._hidden = list(unknown_lines()) if has_hidden_ports else []

    def adding(self, steps: Mapping[int, Step]) -> Iterator[StepLines]:
        """What appears with each of these steps, which add groups."""
        rules = self._growing()
        for key, step in steps.items():
            yield StepLines(key, rules.grow(self._add(step)), rules)

    def removing(self, steps: Mapping[int, Step]) -> Iterator[StepLines]:
        """What disappears with each of these steps, which remove groups, from the last to the first.

        It is what appears when they are undone.
        """
        for step in steps.values():
            self._take_off(step)
        rules = self._growing()
        for key in reversed(tuple(steps)):
            yield StepLines(key, rules.grow(self._add(steps[key])), rules)
        for step in steps.values():
            self._take_off(step)

    def lines(self, ref: str, group: int) -> Iterator[Line]:
        """What a group lets through on a port."""
        port = self._ports[ref]
        pks = frozenset({port.pk})
        if not port.secured:
            return iter(())
        if not self._rulebook.shows(group):
            return unknown_lines(pks, hidden=group)
        return self._rulebook.lines(group, pks, port.seen_from)

    def _growing(self) -> GrowingRules:
        lines = (self.lines(ref, group) for ref in self._ports for group in sorted(self._groups[ref]))
        unsecured = (open_lines(port.pk) for port in self._ports.values() if not port.secured)
        return GrowingRules(chain(self._hidden, *lines, *unsecured))

    def _take_off(self, step: Step) -> None:
        for ref in self._known(step):
            port = self._ports[ref]
            self._groups[ref].discard(step.group)
            self._rulebook.leave(step.group, port.network, port.addresses)

    def _add(self, step: Step) -> Iterator[Line]:
        """Put a group on its ports. Yields the lines that are new, or have more addresses."""
        refs = self._known(step)
        for ref in refs:
            port = self._ports[ref]
            self._groups[ref].add(step.group)
            self._rulebook.join(step.group, port.network, port.addresses)
        for ref in refs:
            yield from self.lines(ref, step.group)
        # The group has more members now, which rules on any port may mean.
        for ref, port in self._ports.items():
            if port.secured:
                pks = frozenset({port.pk})
                yield from self._rulebook.lines_naming(step.group, self._groups[ref], pks, port.seen_from)

    def _known(self, step: Step) -> Sequence[str]:
        return [ref for ref in step.ports if ref in self._ports]
