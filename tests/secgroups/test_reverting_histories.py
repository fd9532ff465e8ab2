"""Whatever was done, by whomever: undone in reverse, all is as at first, or what is in the way is named.

People change memberships, rules and groups through Portcullis, and somebody else changes them at the cloud, which
a refresh finds. Then each task is reverted, the latest first. A model of who has touched what says which of them
have to be refused, and what each of the others has to bring back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.drivers.exceptions import CloudError
from inventory.drivers.values import Rule
from inventory.models import Task
from inventory.refresh import refresh
from secgroups.models import SecurityGroup
from secgroups.plan import Action
from secgroups.reverting import messages
from secgroups.services import (
    Accepted,
    Edit,
    GroupReference,
    Refused,
    decide_revert,
    group_creation,
    group_deletion,
    group_edit,
    request_changes,
    request_edits,
    request_reverts,
    rule_creation,
    rule_deletion,
)
from tests.cast import Cast, memberships
from tests.clouds import Grip, MemoryCloud, mirror
from tests.secgroups.reverting import run

pytestmark = pytest.mark.walk

EXAMPLES, STEPS = 200, 9
PORTS = ("eni-production-double-1", "eni-production-double-2")
NAMES = ("web", "db", "new")
NETWORK = "vpc-production"
#: What is left of a message if nothing was touched since.
NOTHING_DONE = (messages.CHANGED_NOTHING, messages.FAILED)

#: A membership, a rule by what it lets through, or a group, each with its refs at the cloud.
Thing = tuple[Any, ...]
State = Mapping[Thing, Any]


@dataclass(frozen=True)
class Step:
    """`kind` is done to the group of this name, on these ports or with the rule of this number."""

    kind: str
    name: str
    ports: tuple[str, ...]
    rule: int
    user: str

    @property
    def is_outside(self) -> bool:
        return self.user == "somebody"


STEP = st.builds(
    Step,
    st.sampled_from(
        ["add", "add", "remove", "create rule", "create rule", "delete rule", "edit", "create", "delete"]
    ),
    st.sampled_from(NAMES),
    st.sampled_from([PORTS, PORTS[:1], PORTS[1:]]),
    st.integers(0, 3),
    st.sampled_from(["ada", "bob", "ada", "bob", "somebody"]),
)


@dataclass
class Done:
    """A task, with what was at the cloud before it and after it."""

    task: Task
    user: str
    before: State
    after: State

    @property
    def touched(self) -> set[Thing]:
        return difference(self.before, self.after)

    @property
    def deleted(self) -> set[str]:
        return {thing[1] for thing in self.touched if thing[0] == "group" and thing not in self.after}

    @property
    def created(self) -> set[str]:
        return {thing[1] for thing in self.touched if thing[0] == "group" and thing not in self.before}


def difference(before: State, after: State) -> set[Thing]:
    return {thing for thing in before.keys() | after.keys() if before.get(thing) != after.get(thing)}


class World:
    def __init__(self, cast: Cast, cloud: MemoryCloud) -> None:
        self.cast, self.cloud = cast, cloud
        self.vm = cast.production.double
        self.users = {name: User.objects.create_superuser(name) for name in ("ada", "bob")}
        self.done: list[Done] = []
        #: Who touched a thing last since a task, and did not take it back.
        self.blocked: dict[Thing, str] = {}
        #: Who made a thing again by reverting.
        self.made: dict[Thing, str] = {}

    # What is at the cloud

    def state(self) -> State:
        groups = {group.ref: (group.name, group.description) for group in self.cloud.group_list}
        state: dict[Thing, Any] = {("group", ref): attributes for ref, attributes in groups.items()}
        for rule in self.cloud.rule_list:
            source = rule.source_group_ref
            if source and source not in groups:  # the inventory has the ref of what is gone in place of a range
                rule = replace(rule, source_group_ref=None, source_ip_range=source)
            state["rule", rule.group_ref, replace(rule, ref="", group_ref="", description=None)] = rule.description
        for port in PORTS:
            state |= {("membership", ref, port): True for ref in self.cloud.port(port).group_refs}
        return state

    def ref(self, name: str) -> str | None:
        found = (
            group.ref for group in self.cloud.group_list if (group.name, group.network_ref) == (name, NETWORK)
        )
        return next(found, None)

    def rule(self, number: int, group: str) -> Rule:
        source = self.ref(NAMES[number]) if number < len(NAMES) else None
        text = None if source else "10.0.0.0/8"
        return Rule("", group, "inbound", "IPV4", "tcp", 20 + number, 20 + number, text, source, f"no. {number}")

    # What happens

    def do(self, step: Step) -> None:
        before = self.state()
        if step.is_outside:
            with suppress(CloudError):
                self._outside(step, self.ref(step.name))
            refresh(self.cast.acme, Grip(), force=True)
            self.done.append(Done(Task(), step.user, before, self.state()))
        elif (decision := self._own(step)) is not None:
            [answer] = decision()
            assert isinstance(answer, Accepted), answer.message
            task = Task.objects.get(pk=answer.task.pk)
            run(task.queue)
            task.refresh_from_db()
            self.done.append(Done(task, step.user, before, self.state()))

    def _outside(self, step: Step, ref: str | None) -> None:
        if ref is None:
            return
        rule = self.rule(step.rule, ref)
        match step.kind:
            case "add" | "remove":
                for port in step.ports:
                    others = [group for group in self.cloud.port(port).group_refs if group != ref]
                    self.cloud.set_port(port, group_refs=(*others, *([ref] if step.kind == "add" else [])))
            case "create rule":
                self.cloud._create_rule(rule)
            case "delete rule":
                self.cloud.rule_list = [
                    other for other in self.cloud.rule_list if (other.group_ref, other.port) != (ref, rule.port)
                ]
            case "edit":
                self.cloud._edit_group(ref, None, f"edited {step.rule}")
            case "delete":
                self.cloud._delete_group(ref)

    def _own(self, step: Step) -> Callable[[], list[Accepted | Refused]] | None:
        user, ref = self.users[step.user], self.ref(step.name)
        if step.kind == "create":
            network, tenant = self.cast.production.network, self.cast.tenant
            return self._edit(
                user, group_creation(self.cast.acme, name=step.name, cloud_network=network, cloud_tenant=tenant)
            )
        group = SecurityGroup.objects.filter(ems_ref=ref or "").first()
        if ref is None or group is None:
            return None
        rule = self.rule(step.rule, ref)
        match step.kind:
            case "add" | "remove":
                reference = GroupReference(id=group.pk, ports=step.ports)
                action: Action = "add" if step.kind == "add" else "remove"
                return lambda: request_changes(vm=self.vm, action=action, references=[reference], user=user)
            case "create rule":
                source = SecurityGroup.objects.filter(ems_ref=rule.source_group_ref or "").first()
                return self._edit(
                    user,
                    rule_creation(
                        group,
                        direction=rule.direction,
                        network_protocol=rule.network_protocol,
                        host_protocol=rule.host_protocol,
                        port=rule.port,
                        end_port=rule.end_port,
                        source_ip_range=rule.source_ip_range,
                        source_security_group=source,
                        description=rule.description,
                    ),
                )
            case "delete rule":
                row = group.firewall_rules.filter(port=rule.port).first()
                return self._edit(user, rule_deletion(row)) if row else None
            case "edit":
                return self._edit(user, group_edit(group, description=f"edited {step.rule}"))
            case "delete":
                return self._edit(user, group_deletion(group))
        raise AssertionError(step)

    @staticmethod
    def _edit(user: User, edit: Edit | Refused) -> Callable[[], list[Accepted | Refused]]:
        return lambda: request_edits([edit], user=user)

    # How it is undone

    def undo(self) -> bool:
        """Revert all tasks, the latest first. Returns whether nothing was refused."""
        is_whole = True
        while self.done:
            done = self.done.pop()
            if done.user == "somebody":
                self.block(done.touched, messages.FOUND_AT_CLOUD)
                is_whole &= not done.touched
            elif not done.touched:
                assert self.revert(done).endswith(NOTHING_DONE)
            elif in_the_way := [*self.in_the_way(done)]:
                before, message = self.state(), self.revert(done)
                assert any(who in message for who in in_the_way), (message, in_the_way)
                assert self.state() == before
                self.block(done.touched, f"by {done.user} in task {done.task.pk}")
                is_whole = False
            else:
                self.undo_one(done)
        return is_whole

    def block(self, things: set[Thing], who: str) -> None:
        """Who touched it later is named, and was here before."""
        self.blocked = dict.fromkeys(things, who) | self.blocked

    def in_the_way(self, done: Done) -> Iterator[str]:
        """What a refusal may name."""
        now, deleted = self.state(), done.deleted
        # What a deletion does to rules of other groups can't be brought back.
        touched = {thing for thing in done.touched if not deleted or thing[1] in deleted}
        for thing in touched:
            if thing in self.blocked:
                yield self.blocked[thing]
            is_lost_rule = thing[0] == "rule" and thing not in done.after
            if is_lost_rule and not self.names_what_exists(thing[2], now, deleted):
                yield messages.SOURCE_GONE
        yield from self.around_groups(done, {thing[1] for thing in touched}, now)

    def around_groups(self, done: Done, groups: set[str], now: State) -> Iterator[str]:
        """What is in the way of a change to these groups, though that touched something else."""
        for group in done.deleted:
            name, _ = done.before["group", group]
            if self.ref(name):
                yield f"Security group {name} was created"
        for thing in self.blocked:
            # Whoever deleted it did that after the task, or before somebody else made it again.
            if thing[0] == "group" and thing[1] in groups - done.deleted and thing not in now:
                yield self.blocked[thing]
        for thing in now.keys() - done.after.keys():
            named = thing[2].source_group_ref if thing[0] == "rule" else None
            if {thing[1], named} & done.created:
                yield self.blocked[thing] if thing in self.blocked else self.made[thing]

    @staticmethod
    def names_what_exists(rule: Rule, now: State, deleted: set[str]) -> bool:
        if rule.source_group_ref:
            return ("group", rule.source_group_ref) in now or rule.source_group_ref in deleted
        return not (rule.source_ip_range or "").startswith("sg-")

    def undo_one(self, done: Done) -> None:
        """It brings back what was before the task, and touches nothing else."""
        before = self.state()
        message = self.revert(done)
        after = self.state()
        who = f"by {done.user} in task {Task.objects.latest('pk').pk}"
        self.made |= dict.fromkeys(after.keys() - before.keys(), who)
        made = {thing[1] for thing in difference(before, after) if thing[0] == "group" and thing not in before}
        if made and ("group", *made) not in done.before:
            [old] = {thing[1] for thing in done.touched if thing[0] == "group"}
            [new] = made
            assert of_group(done.before, old, old) == of_group(after, new, old), message
            assert all(thing[1] == new for thing in difference(before, after))
        else:
            assert {thing: after.get(thing) for thing in done.touched} == {
                thing: done.before.get(thing) for thing in done.touched
            }, message
            assert difference(before, after) == done.touched
        # What it could not bring back is touched: what has another id now, and rules that named a group.
        lasting = difference(done.before, after) & done.touched
        self.block(lasting, f"by {done.user} in task {done.task.pk}")

    def revert(self, done: Done) -> str:
        """What is said of it at the end."""
        user = self.users[done.user]
        task = Task.objects.get(pk=done.task.pk)
        [answer] = request_reverts([decide_revert(task, user=user)], user=user)
        if isinstance(answer, Accepted):
            reverting = Task.objects.get(pk=answer.task.pk)
            run(reverting.queue)
            reverting.refresh_from_db()
            return reverting.message
        return answer.message

    def check_inventory(self) -> None:
        """What was recorded is what is at the cloud."""
        groups = SecurityGroup.objects.values_list("ems_ref", "name", "description")
        known = {("group", ref): attributes for ref, *attributes in groups}
        state = self.state()
        assert known == {thing: [*value] for thing, value in state.items() if thing[0] == "group"}
        of_ports = memberships(self.vm)
        assert {port: {t[1] for t in state if t[0] == "membership" and t[2] == port} for port in PORTS} == of_ports
        found = refresh(self.cast.acme, Grip(), force=True).findings
        assert not any(kind.appeared + kind.changed for kind in found.found.values()), found
        assert not found.went.total()


def of_group(state: State, ref: str, name: str) -> dict[Thing, Any]:
    """What a group is and has, in which `name` stands for it."""

    def renamed(rule: Rule) -> Rule:
        return replace(rule, source_group_ref=name) if rule.source_group_ref == ref else rule

    return {
        (kind, *(renamed(part) if isinstance(part, Rule) else part for part in rest)): value
        for (kind, owner, *rest), value in state.items()
        if owner == ref
    }


def by_name(state: State) -> set[tuple[Any, ...]]:
    """A state without the ids of what may have been made anew."""
    names = {thing[1]: value[0] for thing, value in state.items() if thing[0] == "group"}

    def named(part: Any) -> Any:
        if isinstance(part, Rule):
            return replace(part, source_group_ref=names.get(part.source_group_ref or "", part.source_group_ref))
        return names.get(part, part)

    return {(*map(named, thing), value) for thing, value in state.items()}


def test_what_was_done_is_undone_in_reverse(cast: Cast, cloud: MemoryCloud) -> None:
    refresh(cast.acme, Grip())  # the first one leaves no events of what it finds
    outcomes = {True: 0, False: 0}

    @given(steps=st.lists(STEP, min_size=1, max_size=STEPS))
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def history(steps: list[Step]) -> None:
        start = transaction.savepoint()
        try:
            fresh = mirror(cast.acme)
            cloud.port_list, cloud.group_list, cloud.rule_list = fresh.port_list, fresh.group_list, fresh.rule_list
            world = World(cast, cloud)
            first = world.state()
            for step in steps:
                world.do(step)
            is_whole = world.undo()
            if is_whole:
                assert by_name(world.state()) == by_name(first)
            world.check_inventory()
            outcomes[is_whole] += 1
        finally:
            transaction.savepoint_rollback(start)

    history()
    assert min(outcomes.values()) > EXAMPLES // 10, outcomes
