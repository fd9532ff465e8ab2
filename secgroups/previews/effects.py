"""What changes of an instance's groups do to its ports and to its effective rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from inventory.models import Vm
from inventory.rest.resources import Viewer
from secgroups.analysis.port_rules import PortRules, Step, ids_of_groups
from secgroups.analysis.rulebook import Rulebook
from secgroups.plan import Action
from secgroups.previews import messages
from secgroups.previews.asking import driver_class_of
from secgroups.previews.foreseeing import Foreseen
from secgroups.previews.values import LineEffect, PortPreview, Warned
from secgroups.previews.warnings import about_ports, effect_of
from secgroups.traffic.effective import Line


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of one change. Ports that the user may not see are left out."""

    lines: LineEffect
    ports: Sequence[PortPreview]
    warnings: Sequence[Warned]


class Effects:
    """The effects of the changes that are foreseen, each on top of those before it."""

    def __init__(self, vm: Vm, action: Action, foreseen: Foreseen, viewer: Viewer) -> None:
        self._action = action
        self._ports = foreseen.ports
        self._written = {key: outcome.written for key, outcome in sorted(foreseen.outcomes.items())}
        self._refs = foreseen.refs
        self._provider = vm.provider
        #: The ids of groups by ref.
        self.ids = ids_of_groups(
            vm.provider,
            {ref for port in self._ports.ports for ref in port.group_refs} | {*self._refs.values()},
            {ref: pk for ref, (pk, _) in foreseen.groups.items()},
        )
        groups = {
            port.ref: [self.ids[ref] for ref in port.group_refs]
            for port in self._ports.ports
            if port.ref in self._ports.known
        }
        steps = {key: Step(self.ids[self._refs[key]], ports) for key, ports in self._written.items() if ports}
        named = {pk for pks in groups.values() for pk in pks} | {step.group for step in steps.values()}
        self.rulebook = Rulebook({pk for pk in named if pk > 0}, viewer)
        rules = PortRules(self._ports.known, groups, self.rulebook, has_hidden_ports=self._ports.has_hidden)
        #: By port (ref), the groups (ids) that let something in, until a change removes them.
        self._let_in: dict[str, set[int]] = {}
        if action == "remove":
            for ref, pks in groups.items():
                self._let_in[ref] = {pk for pk in pks if _lets_in(rules.lines(ref, pk))}
            self._lines = {key: effect_of(disappear=lines) for key, lines, _ in rules.removing(steps)}
        else:
            self._lines = {key: effect_of(lines, after=now.openings) for key, lines, now in rules.adding(steps)}
        self._about_inventory = list(self._unknown(groups.values()))

    def by_key(self) -> Iterator[tuple[int, Effect]]:
        """The effect of each change, in their order."""
        now = {port.ref: port.group_refs for port in self._ports.ports}
        for key, written in self._written.items():
            before = dict(now)
            for ref in written:
                now[ref] = self._changed(now[ref], self._refs[key])
            ports = [
                PortPreview(known.pk if known else None, ref, before[ref], now[ref])
                for ref in now
                if (known := self._ports.known.get(ref)) or ref in self._ports.new
            ]
            most_groups = driver_class_of(self._provider).groups_per_port
            warnings = [*about_ports(ports, most_groups), *self._locked_out(key), *self._about_inventory]
            yield key, Effect(self._lines.get(key) or effect_of(), ports, warnings)

    def _changed(self, groups: tuple[str, ...], ref: str) -> tuple[str, ...]:
        if self._action == "add":
            return (*groups, ref)
        return tuple(group for group in groups if group != ref)

    def _locked_out(self, key: int) -> Iterator[Warned]:
        """Warn of ports that nothing is let in to any more. Called for each change, in their order."""
        locked = []
        for ref in self._written[key]:
            group, letting_in = self.ids[self._refs[key]], self._let_in.get(ref, set())
            if group in letting_in:
                letting_in.remove(group)
                locked += [] if letting_in else [ref]
        if locked:
            yield Warned("locked_out", messages.locked_out(locked))

    def _unknown(self, groups: Iterable[Collection[int]]) -> Iterator[Warned]:
        """What is not known of the ports, whatever is changed."""
        if self._ports.has_hidden:
            yield Warned("unknown", messages.HIDDEN_PORTS)
        on_ports = {pk for pks in groups for pk in pks}
        if any(pk > 0 and not self.rulebook.shows(pk) for pk in on_ports):
            yield Warned("unknown", messages.HIDDEN_GROUPS)
        if self._ports.new or any(pk < 0 for pk in on_ports):
            yield Warned("unknown", messages.NOT_IN_INVENTORY)


def _lets_in(lines: Iterable[Line]) -> bool:
    """Whether one of these lines lets anything in."""
    return any(line.direction == "inbound" and line.possible_addresses for line in lines)
