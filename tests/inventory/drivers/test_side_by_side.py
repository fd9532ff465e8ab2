"""Lists of a cloud that are read side by side."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextvars import ContextVar
from threading import Barrier, current_thread
from typing import Any

import pytest

from inventory.drivers.exceptions import CloudUnavailable
from inventory.drivers.side_by_side import at_home, side_by_side
from tests.secgroups.small_clouds import Account, Stack, driver_of

number: ContextVar[int] = ContextVar("number")
#: How long reads wait for each other, in seconds.
PATIENCE = 30


def test_both_read_at_the_same_time() -> None:
    barrier = Barrier(2, timeout=PATIENCE)

    def read() -> str:
        barrier.wait()
        return current_thread().name

    one, other = side_by_side(read, read)
    assert len({one, other, current_thread().name}) == 3


def test_each_has_the_context_of_the_caller() -> None:
    number.set(7)
    assert side_by_side(number.get, lambda: number.set(8) and number.get()) == (7, 8)
    assert number.get() == 7


def test_what_belongs_to_the_caller_runs_in_its_thread() -> None:
    assert at_home(current_thread) is current_thread()
    found = side_by_side(lambda: at_home(current_thread), lambda: [at_home(current_thread) for _ in range(3)])
    assert found == (current_thread(), [current_thread()] * 3)


def test_an_error_of_the_caller_is_that_of_its_read() -> None:
    def refused() -> None:
        raise CloudUnavailable("refused")

    def read() -> str:
        with pytest.raises(CloudUnavailable):
            at_home(refused)
        return "read nevertheless"

    assert side_by_side(read, lambda: None) == ("read nevertheless", None)


def test_the_first_error_ends_the_other_before_its_next_request(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise CloudUnavailable("broken")

    def read() -> None:
        while True:
            at_home(lambda: None)

    with pytest.raises(CloudUnavailable, match="broken"):
        side_by_side(fail, read)
    assert not caplog.records


def test_an_error_after_the_first_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    barrier = Barrier(2, timeout=PATIENCE)

    def fail() -> None:
        barrier.wait()
        raise CloudUnavailable("broken")

    with caplog.at_level(logging.WARNING), pytest.raises(CloudUnavailable):
        side_by_side(fail, fail)
    assert caplog.messages == ["Another list of the cloud failed as well: broken"]


REFS = ("sg-1", "sg-new")
AMAZON = Account(
    groups=[{"GroupId": ref} for ref in REFS],
    interfaces=[{"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": ref} for ref in REFS]}],
    rules=[
        {"SecurityGroupRuleId": f"sgr-{ref}", "GroupId": ref, "IsEgress": True, "IpProtocol": "-1"} for ref in REFS
    ],
)
OPENSTACK = Stack(
    groups=[{"id": ref} for ref in REFS],
    ports=[{"id": "p-1", "security_groups": list(REFS)}],
    rules=[{"id": f"r-{ref}", "security_group_id": ref, "direction": "egress"} for ref in REFS],
)
#: The keys of ports, instances, groups and rules.
KEYS = {
    "NetworkInterfaces": "ports",
    "Reservations": "instances",
    "SecurityGroups": "groups",
    "SecurityGroupRules": "rules",
    "ports": "ports",
    "servers": "instances",
    "security_groups": "groups",
    "security_group_rules": "rules",
}


class Meanwhile:
    """A cloud whose ports and groups are listed at the same time; `sg-new` is made after groups and rules were."""

    def __init__(self, cloud: Account | Stack) -> None:
        self.cloud = cloud
        self.asked: list[str] = []
        self._barrier = Barrier(2, timeout=PATIENCE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cloud, name)

    def read(self, *where: Any, **parameters: Any) -> Iterator[Any]:
        kind = next((KEYS[word] for word in where if isinstance(word, str) and word in KEYS), "")
        again = kind in self.asked
        self.asked.append(kind)
        if kind in {"ports", "groups"} and not again:
            self._barrier.wait()
        found: Iterator[Any] = self.cloud.read(*where, **parameters)
        is_early = kind in {"groups", "rules"} and not again
        return (item for item in found if not (is_early and "sg-new" in item.values()))


@pytest.mark.parametrize("cloud", [AMAZON, OPENSTACK], ids=["ec2", "openstack"])
def test_a_driver_keeps_the_order_and_reads_a_group_that_was_made_meanwhile(cloud: Account | Stack) -> None:
    meanwhile = Meanwhile(cloud)
    found = driver_of(meanwhile, cloud).inventory()
    first = {kind: meanwhile.asked.index(kind) for kind in set(KEYS.values())}
    assert first["ports"] < first["instances"]
    assert first["groups"] < first["rules"]
    assert {group.ref for group in found.groups} == set(REFS)
    assert {rule.group_ref for rule in found.rules} == set(REFS)
    assert [port.group_refs for port in found.ports] == [REFS]
