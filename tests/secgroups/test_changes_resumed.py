"""Changes of an instance whose worker died between the writes of its ports."""

from __future__ import annotations

import pytest

from tests.cast import Cast, memberships
from tests.clouds import MemoryCloud, go, refuse
from tests.secgroups.carrying import carried_out, queue

PORTS = ("eni-staging-double-1", "eni-staging-double-2")


class Killed(BaseException):
    """The worker is gone."""


def killed(call: object) -> object:
    raise Killed


@pytest.fixture
def half_done(cast: Cast, cloud: MemoryCloud) -> Cast:
    """The first of two ports has got the group; then the worker died."""
    queue(cast.staging.double, "add", "web")
    cloud.script("change_groups", go, killed)
    with pytest.raises(Killed):
        carried_out(cast.staging.double)
    assert ["sg-staging-web" in cloud.port(port).group_refs for port in PORTS] == [True, False]
    return cast


def test_the_next_worker_does_the_rest_and_says_what_was_done(half_done: Cast, cloud: MemoryCloud) -> None:
    [task] = carried_out(half_done.staging.double)
    assert (task.status, task.message) == ("Ok", "Added security group web to staging-double on 2 ports.")
    assert ["sg-staging-web" in cloud.port(port).group_refs for port in PORTS] == [True, True]


def test_it_takes_all_of_it_back_where_the_rest_is_refused(half_done: Cast, cloud: MemoryCloud) -> None:
    cloud.script("change_groups", refuse(), go, refuse())
    [task] = carried_out(half_done.staging.double)
    assert task.status == "Error"
    assert ["sg-staging-web" in cloud.port(port).group_refs for port in PORTS] == [False, False]


def test_what_was_asked_for_meanwhile_is_done_with_it(half_done: Cast, cloud: MemoryCloud) -> None:
    queue(half_done.staging.double, "remove", "web")
    added, removed = carried_out(half_done.staging.double)
    assert (added.status, removed.status) == ("Ok", "Ok")
    assert ["sg-staging-web" in cloud.port(port).group_refs for port in PORTS] == [False, False]


@pytest.fixture
def in_the_way(cast: Cast, cloud: MemoryCloud) -> Cast:
    """The first of two ports has lost a group; then the worker died, and it became the last of the second port."""
    for port in PORTS:
        cloud.set_port(port, group_refs=("sg-staging-default", "sg-staging-db"))
    queue(cast.staging.double, "remove", "default")
    cloud.script("change_groups", go, killed)
    with pytest.raises(Killed):
        carried_out(cast.staging.double)
    cloud.set_port(PORTS[1], group_refs=("sg-staging-default",))
    return cast


def test_what_can_no_longer_be_done_is_taken_back(in_the_way: Cast, cloud: MemoryCloud) -> None:
    [task] = carried_out(in_the_way.staging.double)
    assert task.status == "Error"
    assert "it is the last security group of port eni-staging-double-2" in task.message
    assert "Nothing was changed" in task.message
    assert [{*cloud.port(port).group_refs} for port in PORTS] == [
        {"sg-staging-default", "sg-staging-db"},
        {"sg-staging-default"},
    ]


def test_it_says_where_that_could_not_be_taken_back(in_the_way: Cast, cloud: MemoryCloud) -> None:
    cloud.script("change_groups", refuse(), refuse())
    [task] = carried_out(in_the_way.staging.double)
    assert task.status == "Error"
    assert "could not be undone" in task.message
    assert memberships(in_the_way.staging.double) == {
        PORTS[0]: {"sg-staging-db"},
        PORTS[1]: {"sg-staging-default"},
    }


def test_what_was_done_on_a_port_that_is_gone_needs_no_taking_back(cast: Cast, cloud: MemoryCloud) -> None:
    queue(cast.staging.double, "add", "web")
    cloud.script("change_groups", go, killed)
    with pytest.raises(Killed):
        carried_out(cast.staging.double)
    cloud.port_list.remove(cloud.port(PORTS[0]))
    [task] = carried_out(cast.staging.double)
    assert (task.status, task.message) == ("Ok", "Added security group web to staging-double.")
    assert "sg-staging-web" in cloud.port(PORTS[1]).group_refs
