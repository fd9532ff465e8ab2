"""Changes of an instance whose worker died between the writes of its ports."""

from __future__ import annotations

import pytest

from tests.cast import Cast
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
