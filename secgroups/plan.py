"""Plans changes to security groups, without side effects.

A plan follows the rules of the clouds. Each port has its own groups, and a write replaces all groups of a port. A
cloud may require at least one group on a port, and may confine a group to one network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from inventory.drivers.values import Group, Port
from secgroups import messages

Action = Literal["add", "remove"]


@dataclass(frozen=True, slots=True)
class Change:
    """Adds a group to an instance or removes it; `ports` (refs) limits it to these ports.

    If `whole`, it is for all of them or for none. If `partial`, it leaves out the ports that refuse it. The first
    of `substitutes` that a port can have takes the place of a group that is removed; unless `always`, only where
    the port may not be without a group.
    """

    id: int
    action: Action
    group: Group
    ports: tuple[str, ...] = ()
    whole: bool = False
    partial: bool = False
    substitutes: tuple[Group, ...] = ()
    always: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a change, with a message for people. `written` are the ports (refs) to write.

    `substituted` says which of them get which other group (ref) in place of the one that is removed.
    """

    status: Literal["Ok", "Warn", "Error"]
    message: str
    written: tuple[str, ...] = ()
    request_id: str | None = None
    #: What `message` says of a refusal, in words that are the same for all instances.
    reason: str | None = field(default=None, compare=False)
    substituted: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Plan:
    """The outcome of each change, and the groups (refs) that each port (ref) must or must not have."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    wanted: dict[str, dict[str, bool]] = field(default_factory=dict)

    def writes(self, ports: Sequence[Port]) -> Iterator[tuple[Port, tuple[str, ...]]]:
        """The ports that differ from the plan, each with its new list of groups. Other groups on a port stay."""
        for port in ports:
            desired = self.wanted.get(port.ref, {})
            kept = [ref for ref in port.group_refs if desired.get(ref, True)]
            added = [ref for ref, present in desired.items() if present and ref not in port.group_refs]
            if added or len(kept) != len(port.group_refs):
                yield port, (*kept, *added)

    def applied_to(self, ports: Sequence[Port]) -> tuple[Port, ...]:
        """The ports as they will be after this plan."""
        lists = {port.ref: groups for port, groups in self.writes(ports)}
        return tuple(replace(port, group_refs=lists.get(port.ref, port.group_refs)) for port in ports)

    def after(self, earlier: Plan) -> Plan:
        """This plan, plus those parts of an earlier plan that this one doesn't decide."""
        refs = {*earlier.wanted, *self.wanted}
        desired = {ref: earlier.wanted.get(ref, {}) | self.wanted.get(ref, {}) for ref in refs}
        return Plan(self.outcomes, desired)

    def undone(self, ports: Sequence[Port]) -> Plan:
        """The plan that restores every group that this plan touches to its state in `ports`."""
        before = {port.ref: port.group_refs for port in ports}
        return Plan(
            wanted={
                ref: {group: group in before[ref] for group in groups}
                for ref, groups in self.wanted.items()
                if ref in before
            }
        )


def plan(
    instance: str,
    ports: Sequence[Port],
    changes: Sequence[Change],
    *,
    minimum: int = 0,
    stateless: Collection[str] = (),
    confined: bool = False,
) -> Plan:
    """Fold the changes, in their order, into one plan.

    `minimum` is how many groups a port must keep. `stateless` are the refs of stateless groups on the ports.
    `confined` says that the cloud confines groups to networks, even a group whose network is unknown.
    """
    folding = _Folding(instance, ports, minimum, stateless, confined)
    for change in changes:
        folding.made.outcomes[change.id] = folding.fold(change)
    folding.warn()
    return folding.made


class _Folding:
    """Tracks the groups of each port after the changes so far."""

    def __init__(
        self, instance: str, ports: Sequence[Port], minimum: int, stateless: Collection[str], confined: bool
    ) -> None:
        self.instance = instance
        self.confined = confined
        self.ports = ports
        self.minimum = minimum
        self.stateless = set(stateless)
        self.now = {port.ref: list(port.group_refs) for port in ports}
        self.made = Plan()
        #: The ports (ref) that a change (id) left without groups.
        self.emptied: dict[int, list[str]] = {}

    def fold(self, change: Change) -> Outcome:
        """Apply one change, to all of its ports or to none."""
        group, adding = change.group, change.action == "add"
        self.stateless.update(each.ref for each in (group, *change.substitutes) if not each.stateful)
        ports = [port for port in self.ports if not change.ports or port.ref in change.ports]
        unknown = set(change.ports) - self.now.keys()
        if unknown:
            return Outcome("Error", messages.unknown_ports(self.instance, unknown))
        if change.substitutes:
            return self._substitute(change, [port for port in ports if group.ref in self.now[port.ref]])
        obstacles = {port.ref: why for port in ports if (why := self._obstacle(port, group))}
        eligible = [port for port in ports if port.ref not in obstacles]
        if not eligible:
            reason = messages.no_fitting_port(obstacles.values())
            return Outcome("Error", messages.no_port_fits(self.instance, group.name, obstacles), reason=reason)
        if change.whole and obstacles:
            reason = messages.not_everywhere(change.action, group.name, self.instance, obstacles)
            return Outcome("Error", reason)
        skipped = messages.skipped(obstacles)
        to_write = [port for port in eligible if (group.ref in self.now[port.ref]) != adding]
        if not to_write:
            return Outcome("Ok", messages.nothing_to_do(change.action, group.name, self.instance) + skipped)
        refused = self._refused(to_write, adding)
        needed = [port.ref for port in to_write if port.ref not in refused]
        if refused and not (change.partial and needed):
            return self._refusal(change, to_write)
        for ref in needed:
            self._apply(ref, group.ref, adding)
        self.emptied[change.id] = [ref for ref in needed if not self.now[ref]]
        done = messages.changed(change.action, group.name, self.instance, len(needed))
        status: Literal["Ok", "Warn"] = "Warn" if refused else "Ok"
        return Outcome(status, done + skipped + messages.skipped(refused), tuple(needed))

    def _refused(self, to_write: Sequence[Port], adding: bool) -> dict[str, str]:
        """The ports (ref) that can't be written, with the reason."""
        refused = {port.ref: messages.MANAGED for port in to_write if port.requester_managed}
        if not adding:
            last = (port.ref for port in to_write if len(self.now[port.ref]) <= self.minimum)
            refused |= dict.fromkeys(last, messages.LAST_GROUP)
        return refused

    def _refusal(self, change: Change, to_write: Sequence[Port]) -> Outcome:
        """The outcome of a change that would write these ports."""
        if any(port.requester_managed for port in to_write):
            return Outcome("Error", self._managed(change, to_write), reason=messages.MANAGED_PORT)
        last = [port.ref for port in to_write if len(self.now[port.ref]) <= self.minimum]
        message = messages.last_group(change.action, change.group.name, self.instance, last, self.minimum)
        return Outcome("Error", message, reason=messages.needs_groups(self.minimum))

    def _substitute(self, change: Change, ports: Sequence[Port]) -> Outcome:
        """Remove a group from all of these ports, and add others in its place, or do nothing."""
        group, always = change.group, change.always
        if not ports:
            return Outcome("Ok", messages.nothing_to_do(change.action, group.name, self.instance))
        if any(port.requester_managed for port in ports):
            return Outcome("Error", self._managed(change, ports), reason=messages.MANAGED_PORT)
        found = {port.ref: self._in_place_of(group, port, change) for port in ports}
        if obstacles := {ref: why for ref, why in found.items() if isinstance(why, str)}:
            return Outcome("Error", messages.not_everywhere(change.action, group.name, self.instance, obstacles))
        substitutes = {ref: other for ref, other in found.items() if isinstance(other, Group)}
        for ref in found:
            self._apply(ref, group.ref, adding=False)
            if ref in substitutes:
                self._apply(ref, substitutes[ref].ref, adding=True)
        self.emptied[change.id] = [ref for ref in found if not self.now[ref]]
        others = {
            other.name: [ref for ref in substitutes if substitutes[ref] == other] for other in substitutes.values()
        }
        done = (
            messages.replaced(group.name, change.substitutes[0].name, self.instance, len(ports))
            if always
            else messages.changed(change.action, group.name, self.instance, len(ports))
            + messages.substituted(others)
        )
        added = tuple((ref, other.ref) for ref, other in substitutes.items())
        return Outcome("Ok", done, tuple(found), substituted=added)

    def _in_place_of(self, group: Group, port: Port, change: Change) -> Group | str | None:
        """What a port gets in place of a group that it has; None if it needs nothing, or why there is nothing."""
        if not port.port_security_enabled:
            return messages.PORT_SECURITY_OFF
        rest = [ref for ref in self.now[port.ref] if ref != group.ref]
        if len(rest) >= self.minimum and not change.always:
            return None
        obstacles = []
        for other in change.substitutes:
            if other.ref in rest:
                return None
            if (why := self._obstacle(port, other, rest)) is None:
                return other
            obstacles.append(why)
        return obstacles[0]

    def _apply(self, port: str, group: str, adding: bool) -> None:
        if adding:
            self.now[port].append(group)
        else:
            self.now[port].remove(group)
        self.made.wanted.setdefault(port, {})[group] = adding

    def _managed(self, change: Change, to_write: Sequence[Port]) -> str:
        """Why a change that would write these ports is refused: the cloud refuses some of them."""
        managed = [(port.ref, port.name) for port in to_write if port.requester_managed]
        others = len(managed) < len(to_write) and not change.whole
        return messages.managed_by_others(change.action, change.group.name, self.instance, managed, others=others)

    def _obstacle(self, port: Port, group: Group, beside: Sequence[str] | None = None) -> str | None:
        """Why this port can't have this group beside those that it has after the changes so far, or these others.

        None if it can.
        """
        if not port.port_security_enabled:
            return messages.PORT_SECURITY_OFF
        others = self.now[port.ref] if beside is None else beside
        if group.ref in others:
            return None
        # It can have any group that it had before these changes.
        foreign = None if group.ref in port.group_refs else _foreign(port, group, self.confined)
        return foreign or self._of_the_other_kind(group, others)

    def _of_the_other_kind(self, group: Group, others: Iterable[str]) -> str | None:
        """On OpenStack, a port can't have both stateful and stateless groups."""
        mixed = any((ref in self.stateless) != (group.ref in self.stateless) for ref in others)
        return messages.other_kind(group.name, stateless=group.ref in self.stateless) if mixed else None

    def warn(self) -> None:
        """Add a warning to changes that left a port without groups, unless a later change added one."""
        for change, ports in self.emptied.items():
            if empty := [ref for ref in ports if not self.now[ref]]:
                outcome = self.made.outcomes[change]
                message = outcome.message + messages.emptied(empty)
                self.made.outcomes[change] = replace(outcome, status="Warn", message=message)


def _foreign(port: Port, group: Group, confined: bool) -> str | None:
    """Why a port can't have a group because of its network (EC2) or tenant (OpenStack); None if it can."""
    if group.fits(port, confined=confined):
        return None
    if confined or group.network_ref:
        return messages.elsewhere("network", port.network_ref, group.name, group.network_ref, alone=False)
    return messages.elsewhere("tenant", port.tenant_ref, group.name, group.tenant_ref, alone=True)
