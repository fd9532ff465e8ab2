"""Whatever happens while changes are carried out, in whatever order: what was accepted is done, once, and kept.

Clients ask for changes, another tool changes the same ports, refreshes read before a change and write after it,
the cloud fails in all of its ways, and workers are killed between any two of their calls.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from inventory import refresh as refreshing
from inventory.models import Task
from secgroups.plan import Action
from secgroups.services import GroupReference
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import (
    Clock,
    Event,
    MemoryCloud,
    forget,
    go,
    ignore,
    meanwhile,
    mirror,
    refuse,
    throttle,
    unavailable,
)
from tests.secgroups.carrying import carried_out, queue

pytestmark = pytest.mark.walk

PORTS = ["eni-staging-double-1", "eni-staging-double-2"]
OURS = ["default", "web", "db"]
OUTSIDE = "sg-staging-ops"


class Killed(BaseException):
    """The worker is gone, between one statement and the next."""


def killed(call: Any) -> Any:
    raise Killed


def killed_afterwards(call: Any) -> Any:
    call()
    raise Killed


#: What may become of a call, beside that it goes well.
FAULTS: dict[str, Event] = {
    "throttled": throttle(),
    "throttled for a while": throttle(7),
    "unavailable": unavailable(),
    "unavailable but done": unavailable(done=True),
    "refused": refuse(),
    "no such group": forget("sg-staging-web"),
    "accepted and not done": ignore,
    "killed": killed,
    "killed but done": killed_afterwards,
}
READING = ["throttled", "unavailable", "killed", "killed but done", "changed outside"]


@dataclass
class Accepted:
    """A change that was accepted: on which ports which group is to be, or not to be."""

    task: int
    action: Action
    group: str
    ports: list[str]


class Histories(RuleBasedStateMachine):
    """`guarded` clouds take a write only of what was read; of others another tool keeps away during our writes."""

    cast: Cast
    cloud: MemoryCloud
    guarded: bool

    def __init__(self) -> None:
        super().__init__()
        self._start = transaction.savepoint()
        fresh = mirror(self.cast.acme)
        self.cloud.port_list, self.cloud.calls = fresh.port_list, []
        self.cloud._events.clear()
        self.vm = self.cast.staging.double
        self.before = self._at_the_cloud()
        self.outside = dict.fromkeys(PORTS, False)
        self.accepted: list[Accepted] = []
        self.reading: Any = None

    # What happens

    @rule(
        action=st.sampled_from(["add", "remove"]),
        group=st.sampled_from(OURS),
        ports=st.sampled_from([[], PORTS[:1], PORTS[1:]]),
    )
    def ask(self, action: Action, group: str, ports: list[str]) -> None:
        [task] = queue(self.vm, action, GroupReference(group, ports=tuple(ports)))
        self.accepted.append(Accepted(task.pk, action, f"sg-staging-{group}", ports or PORTS))

    @rule(port=st.sampled_from(PORTS))
    def change_outside(self, port: str) -> None:
        self.outside[port] = not self.outside[port]
        held = [ref for ref in self.cloud.port(port).group_refs if ref != OUTSIDE]
        self.cloud.set_port(port, group_refs=(*held, *([OUTSIDE] if self.outside[port] else [])))

    @rule(
        readings=st.lists(st.sampled_from(["", *READING]), max_size=3),
        writings=st.lists(st.sampled_from(["", "changed outside", *FAULTS]), max_size=5),
        port=st.sampled_from(PORTS),
        picky=st.booleans(),
    )
    def carry_out(self, readings: list[str], writings: list[str], port: str, picky: bool) -> None:
        outside = meanwhile(lambda: self.change_outside(port))
        events = {"": go, **FAULTS, "changed outside": outside}
        unguarded = {"changed outside": go} if not self.guarded else {}
        self.cloud.script("ports", *(events[name] for name in readings))
        self.cloud.script("change_groups", *((events | unguarded)[name] for name in writings))
        self.cloud.script("change_groups", *[self._picky] * 40 * picky)
        with suppress(Killed):
            self._carry_out()
        self.cloud._events.clear()

    def _picky(self, call: Any) -> Any:
        """The second port refuses one of the groups, whatever comes with it."""
        port, groups = self.cloud.called("change_groups")[-1]
        return refuse()(call) if port == PORTS[1] and "sg-staging-web" in groups else call()

    @precondition(lambda self: self.reading is None)
    @rule()
    def begin_refresh(self) -> None:
        self.reading = refreshing._read(self.cast.acme, timezone.now(), force=False, scope=None)

    @precondition(lambda self: self.reading is not None)
    @rule()
    def end_refresh(self) -> None:
        refreshing._write(self.reading, lambda: None)
        self.reading = None

    # What holds in the end

    def teardown(self) -> None:
        try:
            self._carry_out()
            if self.reading:
                self.end_refresh()
            self._check()
        finally:
            transaction.savepoint_rollback(self._start)

    def _carry_out(self) -> None:
        if Task.objects.of_queue(f"vms/{self.vm.pk}").exists():
            carried_out(self.vm)

    def _check(self) -> None:
        tasks = {task.pk: task for task in Task.objects.all()}
        assert {task.state for task in tasks.values()} <= {"Finished"}
        assert tasks.keys() == {one.task for one in self.accepted}
        expected = {port: set(groups) for port, groups in self.before.items()}
        for one in self.accepted:
            if tasks[one.task].status != Task.Status.ERROR:
                for port in one.ports:
                    expected[port] = expected[port] - {one.group} | ({one.group} if one.action == "add" else set())
        if any("could not be undone" in task.message for task in tasks.values()):
            # The cloud has refused that as well. Then the task says so, and the inventory shows what is there.
            expected = {port: groups - {OUTSIDE} for port, groups in self._at_the_cloud().items()}
        outside = {port: {OUTSIDE} if there else set() for port, there in self.outside.items()}
        assert self._at_the_cloud() == {port: groups | outside[port] for port, groups in expected.items()}
        known = actors.memberships(self.vm)
        assert {port: groups - {OUTSIDE} for port, groups in known.items()} == expected

    def _at_the_cloud(self) -> dict[str, set[str]]:
        return {port: set(groups) for port, groups in self.cloud.groups_of(self.vm.ems_ref).items()}


@pytest.mark.parametrize("guarded", [False, True], ids=["like EC2", "like OpenStack"])
def test_nothing_is_lost(guarded: bool, cast: Cast, cloud: MemoryCloud, clock: Clock) -> None:
    actors.group(cast.staging.network, "ops")
    cloud.group_list = mirror(cast.acme).group_list
    cloud.guards_revisions = guarded
    cloud.minimum_groups_per_port = 0 if guarded else 1
    world = {"cast": cast, "cloud": cloud, "guarded": guarded}
    run_state_machine_as_test(
        type("History", (Histories,), world),
        settings=settings(max_examples=60, stateful_step_count=12, suppress_health_check=list(HealthCheck)),
    )
