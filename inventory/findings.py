"""What a refresh found, in words for its task and in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from inventory.drivers.values import AddressList, Group, Instance, Misfit, Network, Port, Rule, Tenant
from inventory.guard import Guard
from inventory.reconcile import Found

#: The names of the kinds of an inventory, with their values.
KINDS: dict[str, type] = {
    "cloud_tenants": Tenant,
    "cloud_networks": Network,
    "instances": Instance,
    "network_ports": Port,
    "security_groups": Group,
    "firewall_rules": Rule,
    "address_lists": AddressList,
}
VERBS = ("appeared", "changed", "went")
#: How many misfits a message names, and how many the context of a task has.
TOLD, LISTED = 3, 100


@dataclass(slots=True)
class Findings:
    #: None if the guard does not apply.
    guard: Guard | None
    #: Values of the cloud that did not fit.
    misfits: list[Misfit]
    found: dict[str, Found] = field(default_factory=dict)
    #: Deleted rows by model, including cascades.
    went: Counter[str] = field(default_factory=Counter)
    #: Rows by kind that stay because the credentials can't see them.
    unshown: Counter[str] = field(default_factory=Counter)
    #: The objections of the guard.
    objections: list[str] = field(default_factory=list)

    def note(self, kind: str, counts: Found, deletions: Counter[str], unshown: int = 0) -> None:
        self.found[kind] = counts
        self.went.update(deletions)
        self.unshown.update({kind: unshown} if unshown else {})

    def judge(self, kind: str, lost: int, total: int, examples: Iterable[object]) -> None:
        """Object if too many of the known rows would go, naming the `examples`."""
        if self.guard and self.guard.stops(lost, total):
            names = list(map(str, examples))
            suffix = ", ..." if lost > len(names) else ""
            self.objections.append(f"{lost} of {counted(total, kind)} ({', '.join(names)}{suffix})")

    def stays(self, kind: str) -> Callable[[str], bool]:
        """Whether a row stays because the cloud's values do not fit. If a misfit has no ref, all rows stay."""
        refs = {misfit.ref for misfit in self.misfits if misfit.left_out and misfit.kind is KINDS[kind]}
        return lambda ref: ref in refs or None in refs

    def numbers(self) -> dict[str, dict[str, int]]:
        """For each kind, how many there are, appeared, changed and went."""
        return {
            kind: {
                "total": counts.total,
                "appeared": counts.appeared,
                "changed": counts.changed,
                "went": self.went[counts.label],
            }
            for kind, counts in self.found.items()
        }

    def news(self) -> str:
        """`1 instance and 2 memberships appeared. 2 firewall rules went.`, and the misfits."""
        numbers = self.numbers()
        sentences = []
        for verb in VERBS:
            if parts := [counted(counts[verb], kind) for kind, counts in numbers.items() if counts[verb]]:
                sentences.append(f"{listed(parts)} {verb}.")
        return " ".join([*(sentences or ["Nothing changed."]), *self._not_shown(), *self._misfitting()])

    def context(self) -> dict[str, Any]:
        """What the context of the task has."""
        names = ("resource", "attribute", "problem", "left_out")
        worst = [{name: getattr(misfit, name) for name in names} for misfit in self._worst()[:LISTED]]
        remainder = {"more": len(self.misfits) - LISTED} if len(self.misfits) > LISTED else {}
        unshown = {"not_shown": dict(self.unshown)} if self.unshown else {}
        return {"found": self.numbers()} | unshown | ({"misfits": worst, **remainder} if worst else {})

    def _not_shown(self) -> Sequence[str]:
        if not self.unshown:
            return []
        parts = [counted(number, kind) for kind, number in self.unshown.items()]
        predicate = (
            "was not shown to these credentials and stays as it was"
            if self.unshown.total() == 1
            else ("were not shown to these credentials and stay as they were")
        )
        return [f'{listed(parts)} {predicate}. If they are really gone, refresh with "force".']

    def _misfitting(self) -> Sequence[str]:
        if not self.misfits:
            return []
        suffix = f"; and {len(self.misfits) - TOLD} more" if len(self.misfits) > TOLD else ""
        examples = "; ".join(map(str, self._worst()[:TOLD]))
        return [f"{counted(len(self.misfits), 'values')} did not fit: {examples}{suffix}."]

    def _worst(self) -> list[Misfit]:
        """The misfits, with left-out rows before cut texts."""
        return sorted(self.misfits, key=attrgetter("left_out"), reverse=True)


def counted(number: int, kind: str) -> str:
    """`1 security group`, `2 security groups`."""
    noun = kind.replace("_", " ")
    return f"{number} {noun.removesuffix('s') if number == 1 else noun}"


def listed(parts: Sequence[str]) -> str:
    """`1 instance, 2 network ports and 3 memberships`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
