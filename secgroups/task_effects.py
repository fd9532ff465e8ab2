"""What finished changes make reachable and what they end, as `context_data` of their tasks says it.

It is computed for the task's owner, and shown to whoever sees as much (`inventory.rest.disclosure`). The change is
done already, so whatever goes wrong here is logged, and the task ends without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

import orjson
from django.contrib.auth.models import User
from django.db import connection, transaction

from inventory.drivers.values import Port
from inventory.faults import passes
from inventory.models import Provider, Task, Vm
from inventory.rest.disclosure import ROOTLESS, disclosable
from inventory.rest.resources import Viewer
from secgroups.analysis.instance_ports import at_cloud
from secgroups.analysis.links import Links
from secgroups.analysis.networks import UNKNOWN
from secgroups.analysis.port_rules import PortRules, Step, ids_of_groups
from secgroups.analysis.rulebook import Rulebook, TooMuch
from secgroups.analysis.shown_lines import EffectiveRule, shown
from secgroups.arguments import EditVerb
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.plan import Action
from secgroups.traffic.difference import difference
from secgroups.traffic.effective import Line

logger = logging.getLogger(__name__)

#: The most rules to read for a task, lines to show on each side, and bytes that they take there.
RULES, LINES, SIZE = 5_000, 1_000, 256 * 1024
#: What the lines are made of.
COLLECTIONS = ("security_groups", "firewall_rules", "address_lists", "network_ports")

#: What is said of a change that did nothing.
NOTHING: dict[str, Any] = {"effective_rules": {"appear": [], "disappear": []}}

Context = dict[str, Any]
Computed = TypeVar("Computed")


@dataclass(frozen=True, slots=True)
class Written:
    """A group (its ref) that a task has added to these ports (refs), or removed from them."""

    task: Task
    action: Action
    group: str
    ports: Sequence[str]


def effects_of_changes(vm: Vm, ports: Sequence[Port], written: Sequence[Written]) -> Mapping[int, Context]:
    """What tasks (ids) say of the effective rules of an instance, each on top of those before it.

    `written` has all that was done. `ports` are as the cloud has them now, and the inventory doesn't yet.
    """
    contexts: dict[int, Context] = {}
    owned = [each for each in written if each.task.owner_id]
    if not any(each.ports for each in written):
        return {each.task.pk: {**NOTHING} for each in owned}
    for owner in User.objects.filter(pk__in={each.task.owner_id for each in owned}):
        tasks = {each.task.pk for each in owned if each.task.owner_id == owner.pk}
        compute = partial(_of_changes, vm, ports, written, Viewer(owner))
        effects = _unless_it_fails(compute, vm) or {}
        contexts |= {pk: effect for pk, effect in effects.items() if pk in tasks}
    return contexts


def effect_of_edit(task: Task, verb: EditVerb, provider: Provider, group: str, rule: str | None) -> Context:
    """What a task says of the effective rules of the group (its ref) that it creates or deletes, or a rule of it.

    Call this while the group and the rule are in the inventory, in the transaction that records the edit.
    """
    if verb == "edit":
        return {**NOTHING}
    if (owner := task.owner) is None:
        return {}
    return _unless_it_fails(partial(_of_edit, verb, provider, group, rule, Viewer(owner)), task) or {}


def _unless_it_fails(compute: Callable[[], Computed], change: object) -> Computed | None:
    """What it computes; None if that fails, with the reason in the log."""
    in_transaction = connection.in_atomic_block
    try:
        with transaction.atomic() if in_transaction else nullcontext():
            return compute()
    except TooMuch:
        logger.info("%s: there are too many rules to tell what became reachable", change)
    except Exception as error:
        if in_transaction and passes(error):
            raise  # nothing can be written any more
        logger.exception("%s: it can't be told what became reachable", change)
    return None


def _of_changes(
    vm: Vm, ports: Sequence[Port], written: Sequence[Written], viewer: Viewer
) -> Mapping[int, Context]:
    before = at_cloud(vm, tuple(_before(ports, written)), viewer)
    refs = {ref for port in before.ports for ref in port.group_refs} | {each.group for each in written}
    ids = ids_of_groups(vm.provider, refs)
    groups = {port.ref: [ids[ref] for ref in port.group_refs] for port in before.ports if port.ref in before.known}
    named = {pk for pks in groups.values() for pk in pks} | {ids[each.group] for each in written}
    rulebook = Rulebook({pk for pk in named if pk > 0}, viewer, at_most=RULES)
    rules = PortRules(before.known, groups, rulebook, has_hidden_ports=before.has_hidden)
    contexts = {}
    for action, run in groupby(written, key=attrgetter("action")):
        steps = {each.task.pk: Step(ids[each.group], each.ports) for each in run}
        for pk, lines, _ in rules.adding(steps) if action == "add" else rules.removing(steps):
            contexts[pk] = _context(lines, "appear" if action == "add" else "disappear", rulebook, viewer)
    return contexts


def _before(ports: Sequence[Port], written: Sequence[Written]) -> Iterator[Port]:
    """The ports without what was written. What others did there meanwhile stays."""
    groups = {port.ref: set(port.group_refs) for port in ports}
    for each in reversed(written):
        for ref in groups.keys() & {*each.ports}:
            if each.action == "add":
                groups[ref].discard(each.group)
            else:
                groups[ref].add(each.group)
    for port in ports:
        yield replace(port, group_refs=tuple(sorted(groups[port.ref])))


def _of_edit(verb: EditVerb, provider: Provider, group_ref: str, rule_ref: str | None, viewer: Viewer) -> Context:
    group = SecurityGroup.objects.get(provider=provider, ems_ref=group_ref)
    rulebook = Rulebook({group.pk}, viewer, at_most=RULES)
    if not rulebook.shows(group.pk):
        return {}
    seen_from = (group.cloud_network_id or UNKNOWN) if provider.confines_groups else None
    lines = list(rulebook.lines(group.pk, frozenset(), seen_from))
    others: list[Line] = []
    if rule_ref is not None:
        rule = FirewallRule.objects.get(security_group=group, ems_ref=rule_ref)
        others = [line for line in lines if rule.pk not in line.because_of]
    changed = difference(others, lines).appear
    return _context(changed, "disappear" if verb == "delete" else "appear", rulebook, viewer)


def _context(lines: Sequence[Line], side: str, rulebook: Rulebook, viewer: Viewer) -> Context:
    """The lines of one side; of too many, the first."""
    shown_lines = list(_that_fit(lines, Links(rulebook, ROOTLESS)))
    more = len(lines) - len(shown_lines)
    part = {"appear": [], "disappear": [], side: shown_lines, **({"more": {side: more}} if more else {})}
    return {"effective_rules": disclosable(part, viewer, COLLECTIONS)}


def _that_fit(lines: Sequence[Line], links: Links) -> Iterator[EffectiveRule]:
    size = 0
    for line in lines[:LINES]:
        rule = shown(line, links)
        size += len(orjson.dumps(rule))
        if size > SIZE:
            return
        yield rule
