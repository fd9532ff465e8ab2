"""Firewall rules that are there for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inventory.drivers.values import Rule
from inventory.models import EventStream, Task
from inventory.runner import _claim_tasks
from secgroups import editing as carrying
from secgroups.arguments import Ending
from secgroups.editing import handle_edit_tasks
from secgroups.models import Expiration, FirewallRule
from secgroups.services import queue_due_endings
from tests.cast import Cast
from tests.clouds import Event, Grip, MemoryCloud, fail, refuse, unavailable
from tests.secgroups.editing import edited, queue
from tests.secgroups.temporary import ended, ending, let_pass
from tests.secgroups.test_changes_resumed import Killed, killed
from tests.secgroups.test_editing_rules import SUBJECT, https

OURS = Rule("r-1", "sg-production-web", "inbound", "IPV4", "tcp", 443, 443, "10.0.0.0/8")


def created(cast: Cast, end: Ending | None = None) -> Task:
    [task] = edited(cast.acme, https(cast.production.web, ending=end))
    return task


def resumed(cast: Cast) -> Task:
    tasks = _claim_tasks(f"security_groups/{cast.acme.pk}")
    handle_edit_tasks(tasks, Grip())
    return Task.objects.get(pk=tasks[0].pk)


def events() -> list[tuple[str, int | None]]:
    rows = EventStream.objects.filter(event_type__startswith="expiration_").order_by("pk")
    return list(rows.values_list("event_type", "task_id"))


def test_it_is_deleted_when_its_time_is_over(cast: Cast, cloud: MemoryCloud) -> None:
    end = ending()
    task = created(cast, end)
    assert task.message.startswith(f"Created {SUBJECT}. It is taken back at 20")
    assert task.context_data["reason"] == "to look"
    row = Expiration.objects.get()
    assert (row.firewall_rule, row.security_group, row.vm) == (
        FirewallRule.objects.get(),
        cast.production.web,
        None,
    )
    assert (row.expires_on, row.reason, row.task) == (end.expires_on, "to look", task)
    assert ended() == []
    let_pass()
    [removal] = ended()
    assert (removal.status, removal.userid) == ("Ok", "system")
    assert removal.message.endswith("Its time is over. Connections that are open already may stay open.")
    assert cloud.rule_list == []
    assert not FirewallRule.objects.exists()
    assert not Expiration.objects.exists()
    assert events() == [("expiration_created", task.pk), ("expiration_ended", removal.pk)]


def test_one_that_was_there_before_stays(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.rule_list.append(OURS)
    task = created(cast, ending())
    assert task.message.endswith("already exists. It was there before, so it is not taken back.")
    assert not Expiration.objects.exists()


def test_creating_it_again_without_an_end_makes_it_permanent(cast: Cast, cloud: MemoryCloud) -> None:
    created(cast, ending())
    task = created(cast)
    assert task.message.endswith("already exists. It was temporary, and now stays.")
    let_pass()
    assert ended() == []
    assert len(cloud.rule_list) == 1
    assert events()[1:] == [("expiration_kept", task.pk)]


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_of_two_ends_the_later_counts(cast: Cast, cloud: MemoryCloud, first: int, second: int) -> None:
    ends = {hours: ending(hours) for hours in (1, 2)}
    created(cast, ends[first])
    created(cast, ends[second])
    assert Expiration.objects.get().expires_on == ends[2].expires_on


def test_one_that_others_deleted_ends_with_it(cast: Cast, cloud: MemoryCloud) -> None:
    created(cast, ending())
    FirewallRule.objects.all().delete()
    assert not Expiration.objects.exists()


def test_one_whose_time_was_over_before_is_not_created(cast: Cast, cloud: MemoryCloud) -> None:
    task = created(cast, ending(-1))
    assert task.status == "Error"
    assert cloud.rule_list == []
    assert not Expiration.objects.exists()


def test_a_refused_one_leaves_no_end(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.script("create_rule", refuse())
    assert created(cast, ending()).status == "Error"
    assert not Expiration.objects.exists()


@pytest.mark.parametrize("event", [unavailable(done=True), unavailable()])
def test_one_with_a_lost_answer_ends(cast: Cast, cloud: MemoryCloud, event: Event) -> None:
    cloud.script("create_rule", event)
    assert created(cast, ending()).status == "Ok"
    let_pass()
    assert [task.status for task in ended()] == ["Ok"]
    assert cloud.rule_list == []


#: Where the worker dies, by what its calls do.
DEATHS: dict[str, tuple[str, Callable[..., Any]]] = {
    "looking": ("rules_of", killed),
    "before": ("create_rule", killed),
    "after": ("create_rule", fail(Killed(), done=True)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("had", [False, True])
@pytest.mark.parametrize("point", DEATHS)
def test_what_a_dead_worker_created_ends_and_what_was_there_stays(
    cast: Cast, cloud: MemoryCloud, point: str, had: bool
) -> None:
    if had:
        cloud.rule_list.append(OURS)
    queue(https(cast.production.web, ending=ending()))
    call, event = DEATHS[point]
    if had and point == "after":
        event = killed  # there is nothing to do
    cloud.script(call, event)
    with pytest.raises(Killed):
        resumed(cast)
    assert resumed(cast).status == "Ok"
    let_pass()
    ended()
    assert cloud.rule_list == ([OURS] if had else [])
    assert not Expiration.objects.exists()


@pytest.mark.parametrize("fault", ["disabled", "unrecorded"])
def test_what_was_created_and_never_recorded_ends(
    cast: Cast, cloud: MemoryCloud, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(https(cast.production.web, ending=ending()))
    if fault == "disabled":
        cloud.script("create_rule", DEATHS["after"][1])
        with pytest.raises(Killed):
            resumed(cast)
        type(cast.acme).objects.update(enabled=False)
        assert resumed(cast).status == "Error"
        type(cast.acme).objects.update(enabled=True)
    else:
        with monkeypatch.context() as patched:
            patched.setattr(carrying, "_recorded", fail(ValueError("no room")))
            assert resumed(cast).status == "Warn"
    let_pass()
    assert [task.status for task in ended()] == ["Ok"]
    assert cloud.rule_list == []
    assert not Expiration.objects.exists()


def test_a_dead_removal_is_finished(cast: Cast, cloud: MemoryCloud) -> None:
    created(cast, ending())
    let_pass()
    cloud.script("delete_rule", fail(Killed(), done=True))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        ended()
    assert resumed(cast).status == "Ok"
    assert cloud.rule_list == []
    assert not Expiration.objects.exists()


def test_what_can_not_be_deleted_is_tried_again(cast: Cast, cloud: MemoryCloud) -> None:
    created(cast, ending())
    let_pass()
    cloud.script("delete_rule", refuse())
    assert [task.status for task in ended()] == ["Error"]
    Expiration.objects.update(due_on=Expiration.objects.get().expires_on)
    assert [task.status for task in ended()] == ["Ok"]


def test_an_end_that_was_moved_since_is_waited_for(cast: Cast, cloud: MemoryCloud) -> None:
    created(cast, ending())
    let_pass()
    queue_due_endings()
    Expiration.objects.update(expires_on=ending(1).expires_on)
    assert resumed(cast).message.startswith("Nothing to do: the expiration was extended")
    assert len(cloud.rule_list) == 1
    assert Expiration.objects.exists()


@pytest.mark.parametrize("later", [None, 3])
def test_what_a_failed_task_created_counts_as_temporary(cast: Cast, cloud: MemoryCloud, later: int | None) -> None:
    """Nobody knows what it did, until somebody creates the rule again: for good, or for longer."""
    cloud.script("create_rule", unavailable(done=True), *[unavailable()] * 500)
    assert created(cast, ending()).status == "Error"
    cloud._events.clear()
    end = ending(later) if later else None
    created(cast, end)
    assert [row.expires_on for row in Expiration.objects.all()] == ([end.expires_on] if end else [])
    if end is None:
        let_pass()
        assert ended() == []
        assert len(cloud.rule_list) == 1
