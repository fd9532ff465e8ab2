"""What holds for every plan, whatever the ports and the changes are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inventory.drivers.values import EVERYBODY, Group, Port
from secgroups.plan import Change, Plan, plan

NETWORKS = ["vpc-1", "vpc-2"]
#: Two that may go anywhere and one of each network.
GROUPS = [
    Group("sg-1", "one", shared_with=(EVERYBODY,)),
    Group("sg-2", "two", shared_with=(EVERYBODY,)),
    *(Group(f"sg-{network}", "web", network_ref=network) for network in NETWORKS),
]
PORTS = ["p1", "p2", "p3"]

group_refs = st.lists(st.sampled_from([*(group.ref for group in GROUPS), "sg-foreign"]), unique=True).map(tuple)
ports_of_an_instance = st.lists(
    st.builds(
        Port,
        st.sampled_from(PORTS),
        network_ref=st.sampled_from(NETWORKS),
        group_refs=group_refs,
        port_security_enabled=st.sampled_from([True, True, True, False]),
    ),
    max_size=3,
    unique_by=lambda port: port.ref,
)
some_changes = st.lists(
    st.builds(
        Change,
        st.just(0),
        st.sampled_from(["add", "remove"]),
        st.sampled_from(GROUPS),
        st.lists(st.sampled_from(PORTS), max_size=2, unique=True).map(tuple),
    ),
    max_size=8,
).map(lambda changes: [replace(change, id=number) for number, change in enumerate(changes)])
minima = st.sampled_from([0, 1])


def after(made: Plan, ports: list[Port]) -> list[Port]:
    """The ports once a cloud did what the plan writes."""
    written = {port.ref: groups for port, groups in made.writes(ports)}
    return [replace(port, group_refs=written.get(port.ref, port.group_refs)) for port in ports]


def as_sets(ports: list[Port]) -> dict[str, set[str]]:
    return {port.ref: set(port.group_refs) for port in ports}


def by_hand(ports: list[Port], changes: list[Change], minimum: int) -> dict[str, set[str]]:
    """The same in the plainest words: one change after the other, on sets, each as a whole or not at all."""
    now = as_sets(ports)
    for change in changes:
        if not set(change.ports) <= set(now):
            continue
        chosen = [
            port.ref
            for port in ports
            if (not change.ports or port.ref in change.ports)
            and port.port_security_enabled
            and (change.group.network_ref in (None, port.network_ref) or change.group.ref in port.group_refs)
        ]
        if change.action == "add":
            for ref in chosen:
                now[ref].add(change.group.ref)
        elif all(len(now[ref]) > minimum for ref in chosen if change.group.ref in now[ref]):
            for ref in chosen:
                now[ref].discard(change.group.ref)
    return now


@given(ports_of_an_instance, some_changes, minima)
def test_changes_folded_into_one_plan_come_to_the_same_as_one_after_the_other(
    ports: list[Port], changes: list[Change], minimum: int
) -> None:
    folded = after(plan("vm-1", ports, changes, minimum=minimum), ports)
    assert as_sets(folded) == by_hand(ports, changes, minimum)


@given(ports_of_an_instance, some_changes, minima)
def test_there_is_one_outcome_of_each_change(ports: list[Port], changes: list[Change], minimum: int) -> None:
    outcomes = plan("vm-1", ports, changes, minimum=minimum).outcomes
    assert list(outcomes) == [change.id for change in changes]
    assert all(outcome.written == () for outcome in outcomes.values() if outcome.status == "Error")


@given(ports_of_an_instance, some_changes, minima)
def test_once_it_is_written_nothing_is_left_to_write(
    ports: list[Port], changes: list[Change], minimum: int
) -> None:
    made = plan("vm-1", ports, changes, minimum=minimum)
    assert not list(made.writes(after(made, ports)))


@given(ports_of_an_instance, some_changes, minima)
def test_what_is_written_names_each_group_once(ports: list[Port], changes: list[Change], minimum: int) -> None:
    for _, groups in plan("vm-1", ports, changes, minimum=minimum).writes(ports):
        assert len(set(groups)) == len(groups) >= minimum


@given(ports_of_an_instance, some_changes, minima)
def test_undone_brings_everything_back(ports: list[Port], changes: list[Change], minimum: int) -> None:
    made = plan("vm-1", ports, changes, minimum=minimum)
    assert as_sets(after(made.undone(ports), after(made, ports))) == as_sets(ports)


@given(ports_of_an_instance, some_changes, minima, st.lists(group_refs, min_size=3, max_size=3))
def test_no_group_is_touched_that_no_change_names(
    ports: list[Port], changes: list[Change], minimum: int, others: list[tuple[str, ...]]
) -> None:
    made = plan("vm-1", ports, changes, minimum=minimum)
    meanwhile = [replace(port, group_refs=groups) for port, groups in zip(ports, others, strict=False)]
    named = {change.group.ref for change in changes}
    for undoing in (made, made.undone(ports)):
        for before, now in zip(meanwhile, after(undoing, meanwhile), strict=True):
            assert set(before.group_refs) ^ set(now.group_refs) <= named
            kept = [ref for ref in before.group_refs if ref in now.group_refs]
            assert list(now.group_refs[: len(kept)]) == kept
