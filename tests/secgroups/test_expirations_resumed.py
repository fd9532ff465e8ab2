"""Groups that instances have for a while, whose worker died: what was not there before ends, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from inventory.drivers.exceptions import CloudUnavailable
from secgroups import changes
from secgroups.models import Expiration
from tests.cast import Cast
from tests.clouds import MemoryCloud, fail, go
from tests.secgroups.carrying import carried_out
from tests.secgroups.temporary import added, ended, ending, ends, let_pass, queue_add, run
from tests.secgroups.test_changes_resumed import Killed, killed

PORTS = ("eni-staging-double-1", "eni-staging-double-2")
#: Where a worker that adds a group to two ports dies, by what its calls do.
DEATHS: dict[str, dict[str, list[Callable[..., Any]]]] = {
    "reading": {"ports": [killed]},
    "before the first write": {"change_groups": [killed]},
    "after the first write": {"change_groups": [go, killed]},
    "before reading again": {"ports": [go, killed]},
    "without an answer": {"change_groups": [fail(Killed(), done=True)]},  # type: ignore[arg-type]
}


def have_web(cloud: MemoryCloud) -> list[bool]:
    return ["sg-staging-web" in cloud.port(port).group_refs for port in PORTS]


@contextmanager
def dying_at(cloud: MemoryCloud, point: str) -> Iterator[None]:
    for call, happens in DEATHS[point].items():
        cloud.script(call, *happens)
    with pytest.raises(Killed):
        yield


@pytest.mark.parametrize("had", [(), PORTS[:1]], ids=["nowhere before", "on a port before"])
@pytest.mark.parametrize("point", DEATHS)
def test_what_the_next_worker_finishes_ends_where_it_was_not_before(
    cast: Cast, cloud: MemoryCloud, point: str, had: tuple[str, ...]
) -> None:
    for port in had:
        cloud.set_port(port, group_refs=("sg-staging-default", "sg-staging-web"))
    queue_add(cast.staging.double, end=ending())
    if had and point == "after the first write":
        point = "without an answer"  # it is the only one
    with dying_at(cloud, point):
        carried_out(cast.staging.double)
    [task] = carried_out(cast.staging.double)
    assert task.status == "Ok"
    assert have_web(cloud) == [True, True]
    assert ends() == {"web": [port for port in PORTS if port not in had]}
    let_pass()
    ended()
    assert have_web(cloud) == [port in had for port in PORTS]
    assert not Expiration.objects.exists()


def test_what_was_done_and_not_recorded_ends(
    cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies in the transaction that records it, and the next one."""
    task = queue_add(cast.staging.double, end=ending())
    with monkeypatch.context() as patched:
        patched.setattr(changes, "complete_tasks", killed)
        for _ in range(2):
            with pytest.raises(Killed):
                carried_out(cast.staging.double)
    assert Expiration.objects.get().noted == [*PORTS]
    [task] = carried_out(cast.staging.double)
    assert task.message.startswith("Added security group web to staging-double on 2 ports. It is taken back")
    assert ends() == {"web": [*PORTS]}


def test_what_could_not_be_recorded_ends(cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(changes, "record_ports", fail(ValueError("no room")))
        task = added(cast.staging.double, end=ending())
    assert task.status == "Warn"
    let_pass()
    assert [task.status for task in ended()] == ["Ok"]
    assert have_web(cloud) == [False, False]
    assert not Expiration.objects.exists()


def test_what_is_never_finished_because_its_provider_is_disabled_ends(cast: Cast, cloud: MemoryCloud) -> None:
    queue_add(cast.staging.double, end=ending())
    with dying_at(cloud, "after the first write"):
        carried_out(cast.staging.double)
    type(cast.acme).objects.update(enabled=False)
    [task] = carried_out(cast.staging.double)
    assert task.status == "Error"
    type(cast.acme).objects.update(enabled=True)
    let_pass()
    ended()
    assert have_web(cloud) == [False, False]
    assert not Expiration.objects.exists()


def test_its_end_waits_for_its_task(cast: Cast, cloud: MemoryCloud) -> None:
    """The time is over before the next worker goes on."""
    queue_add(cast.staging.double, end=ending())
    with dying_at(cloud, "after the first write"):
        carried_out(cast.staging.double)
    let_pass()
    assert ended() == []
    run(f"vms/{cast.staging.double.pk}")
    ended()
    assert have_web(cloud) == [False, False]
    assert not Expiration.objects.exists()


@pytest.mark.parametrize("point", DEATHS)
def test_a_removal_whose_worker_died_is_finished(cast: Cast, cloud: MemoryCloud, point: str) -> None:
    added(cast.staging.double, end=ending())
    let_pass()
    with dying_at(cloud, point):
        ended()
    [task] = carried_out(cast.staging.double)
    assert task.status == "Ok"
    assert have_web(cloud) == [False, False]
    assert not Expiration.objects.exists()


def test_a_removal_that_was_done_and_not_recorded_is_finished(
    cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(cast.staging.double, end=ending())
    let_pass()
    with monkeypatch.context() as patched:
        patched.setattr(changes, "complete_tasks", killed)
        with pytest.raises(Killed):
            ended()
    assert ends() == {"web": [*PORTS]}
    carried_out(cast.staging.double)
    assert have_web(cloud) == [False, False]
    assert not Expiration.objects.exists()


def test_a_removal_that_gives_up_is_queued_again(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    let_pass()
    cloud.script("ports", *[fail(CloudUnavailable("No answer."))] * 500)
    [task] = ended()
    assert task.status == "Error"
    cloud._events.clear()
    Expiration.objects.update(due_on=Expiration.objects.get().expires_on)
    assert [task.status for task in ended()] == ["Ok"]
    assert have_web(cloud) == [False, False]
