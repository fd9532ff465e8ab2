"""A change of security groups as a plan, before anything is written: pure, so that it can be shown and tested.

The rules are those of the clouds: membership is kept per port, a port's list is replaced as a whole, a cloud may
insist on a last group, and a group may be confined to one network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from inventory.drivers.values import Group, Port

Action = Literal["add", "remove"]
#: Of each action: under way, done, and the preposition.
WORDS: Mapping[Action, tuple[str, str, str]] = {
    "add": ("Adding", "Added", "to"),
    "remove": ("Removing", "Removed", "from"),
}


def cannot(action: Action, group: str, instance: str) -> str:
    return f"Cannot {action} {group} {WORDS[action][2]} {instance}"


@dataclass(frozen=True, slots=True)
class Change:
    """One group to be added to or removed from an instance; `ports` (refs) narrows it to these."""

    id: int
    action: Action
    group: Group
    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a change, in words for a person; `written` are the ports (refs) that it makes us write."""

    status: Literal["Ok", "Warn", "Error"]
    message: str
    written: tuple[str, ...] = ()
    request_id: str | None = None


@dataclass(slots=True)
class Plan:
    """What each change will come to, and for each port (ref) which groups (ref) it is to have or not to have."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    wanted: dict[str, dict[str, bool]] = field(default_factory=dict)

    def writes(self, ports: Sequence[Port]) -> Iterator[tuple[Port, tuple[str, ...]]]:
        """The ports that are not yet as wanted, each with its whole new list; what is not ours to change stays."""
        for port in ports:
            wanted = self.wanted.get(port.ref, {})
            kept = [ref for ref in port.group_refs if wanted.get(ref, True)]
            added = [ref for ref, present in wanted.items() if present and ref not in port.group_refs]
            if added or len(kept) != len(port.group_refs):
                yield port, (*kept, *added)

    def applied_to(self, ports: Sequence[Port]) -> tuple[Port, ...]:
        """The ports as they would be once this plan was carried out."""
        lists = {port.ref: groups for port, groups in self.writes(ports)}
        return tuple(replace(port, group_refs=lists.get(port.ref, port.group_refs)) for port in ports)

    def after(self, earlier: Plan) -> Plan:
        """The same, and where it leaves a group alone that another plan was about, what that one wanted."""
        refs = {*earlier.wanted, *self.wanted}
        wanted = {ref: earlier.wanted.get(ref, {}) | self.wanted.get(ref, {}) for ref in refs}
        return Plan(self.outcomes, wanted)

    def undone(self, ports: Sequence[Port]) -> Plan:
        """The plan that brings every group this plan touches back to where `ports` have it."""
        had = {port.ref: port.group_refs for port in ports}
        return Plan(
            wanted={
                ref: {group: group in had[ref] for group in groups}
                for ref, groups in self.wanted.items()
                if ref in had
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

    `minimum` is how many groups the cloud leaves on a port; `stateless` are those (ref) of the ports that are so;
    `confined` says that the cloud confines each group to networks, also one whose network is not known.
    """
    folding = _Folding(instance, ports, minimum, stateless, confined)
    for change in changes:
        folding.made.outcomes[change.id] = folding.fold(change)
    folding.warn()
    return folding.made


class _Folding:
    """The groups that each port will have after the changes so far."""

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
        #: The ports (ref) that a change (id) left without any group.
        self.emptied: dict[int, list[str]] = {}

    def fold(self, change: Change) -> Outcome:
        """Apply one change, to all of its ports or to none."""
        group, adding = change.group, change.action == "add"
        if not group.stateful:
            self.stateless.add(group.ref)
        chosen = [port for port in self.ports if not change.ports or port.ref in change.ports]
        unknown = set(change.ports) - self.now.keys()
        if unknown:
            return Outcome("Error", f"{self.instance} has no port {_list(unknown)}; nothing was changed.")
        obstacles = {port.ref: why for port in chosen if (why := self._obstacle(port, group))}
        able = [port for port in chosen if port.ref not in obstacles]
        if not able:
            return Outcome("Error", self._nowhere(obstacles, group))
        left_out = "".join(f" Left out port {ref}: {why}." for ref, why in obstacles.items())
        needed = [port.ref for port in able if (group.ref in self.now[port.ref]) != adding]
        if not needed:
            return Outcome("Ok", self._nothing_to_do(change) + left_out)
        last = [ref for ref in needed if not adding and len(self.now[ref]) <= self.minimum]
        if last:
            return Outcome("Error", self._last_group(change, last))
        for ref in needed:
            self._apply(ref, group.ref, adding)
        return self._done(change, needed, left_out)

    def _apply(self, port: str, group: str, adding: bool) -> None:
        if adding:
            self.now[port].append(group)
        else:
            self.now[port].remove(group)
        self.made.wanted.setdefault(port, {})[group] = adding

    def _obstacle(self, port: Port, group: Group) -> str | None:
        """Why this port can't take this group as things are after the changes so far; None if it can."""
        if not port.port_security_enabled:
            return "it has port security switched off"
        if group.ref in self.now[port.ref]:
            return None
        # What it had before these changes it can have, wherever that comes from.
        foreign = None if group.ref in port.group_refs else _foreign(port, group, self.confined)
        return foreign or self._of_the_other_kind(port, group)

    def _of_the_other_kind(self, port: Port, group: Group) -> str | None:
        """OpenStack has stateful or stateless groups on a port, not both."""
        mixed = any((ref in self.stateless) != (group.ref in self.stateless) for ref in self.now[port.ref])
        if not mixed:
            return None
        kinds = ("stateful", "stateless") if group.ref in self.stateless else ("stateless", "stateful")
        return f"it has {kinds[0]} groups, and {group.name} is {kinds[1]}"

    def _nowhere(self, obstacles: Mapping[str, str], group: Group) -> str:
        if not obstacles:
            return f"{self.instance} has no port that could have security groups."
        reasons = "; ".join(f"port {ref}: {why}" for ref, why in obstacles.items())
        return f"No port of {self.instance} can take {group.name}: {reasons}."

    def _nothing_to_do(self, change: Change) -> str:
        state = "already has" if change.action == "add" else "does not have"
        return f"Nothing to do: {self.instance} {state} security group {change.group.name}."

    def _last_group(self, change: Change, ports: Sequence[str]) -> str:
        return (
            f"{cannot(change.action, change.group.name, self.instance)}: it is the last security group of port "
            f"{_list(ports)}, which must keep at least {self.minimum}. Nothing was changed."
        )

    def _done(self, change: Change, written: Sequence[str], left_out: str) -> Outcome:
        _, done, preposition = WORDS[change.action]
        where = f" on {len(written)} ports" if len(written) > 1 else ""
        message = f"{done} security group {change.group.name} {preposition} {self.instance}{where}."
        self.emptied[change.id] = [ref for ref in written if not self.now[ref]]
        return Outcome("Ok", message + left_out, tuple(written))

    def warn(self) -> None:
        """Say of the changes that left a port without groups, if none that followed gave it one, that they did."""
        for change, ports in self.emptied.items():
            if empty := [ref for ref in ports if not self.now[ref]]:
                outcome = self.made.outcomes[change]
                warning = f" Port {_list(empty)} has no security group left: everything inbound is dropped there."
                self.made.outcomes[change] = replace(outcome, status="Warn", message=outcome.message + warning)


def _foreign(port: Port, group: Group, confined: bool) -> str | None:
    """Why a port can't have a group of another network (EC2) or tenant (OpenStack); None if it can."""
    if group.fits(port, confined=confined):
        return None
    if confined or group.network_ref:
        return f"it is in {_called('network', port.network_ref)}, and {_owner(group.name, group.network_ref)}"
    alone = " alone" if group.tenant_ref else ""
    return f"it is in {_called('tenant', port.tenant_ref)}, and {_owner(group.name, group.tenant_ref)}{alone}"


def _called(kind: str, ref: str | None) -> str:
    return f"{kind} {ref}" if ref else f"an unknown {kind}"


def _owner(group: str, ref: str | None) -> str:
    return f"{group} belongs to {ref}" if ref else f"it is unknown to which {group} belongs"


def _list(refs: Iterable[str]) -> str:
    return ", ".join(sorted(refs))
