"""Groups that instances have for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from inventory.db.clock import database_now
from inventory.drivers.exceptions import CloudUnavailable
from inventory.models import EventStream, Task
from inventory.refresh import refresh
from secgroups.models import Expiration
from secgroups.services import queue_due_endings
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud, fail, go, refuse
from tests.secgroups.carrying import queue
from tests.secgroups.temporary import added, ended, ending, ends, let_pass, queue_add, run

PORTS = ("eni-staging-double-1", "eni-staging-double-2")


def have_web(cloud: MemoryCloud) -> list[bool]:
    return ["sg-staging-web" in cloud.port(port).group_refs for port in PORTS]


def events() -> list[tuple[str, str | None, int | None]]:
    rows = EventStream.objects.filter(event_type__startswith="expiration_").order_by("pk")
    return list(rows.values_list("event_type", "username", "task_id"))


def test_a_group_is_added_for_a_while(cast: Cast, cloud: MemoryCloud) -> None:
    end = ending()
    task = added(cast.staging.double, end=end)
    assert task.status == "Ok"
    assert task.message.startswith("Added security group web to staging-double on 2 ports. It is taken back at 20")
    assert "may stay open" in task.message
    row = Expiration.objects.get()
    assert (row.vm, row.security_group, row.firewall_rule) == (cast.staging.double, cast.staging.web, None)
    assert (row.expires_on, row.reason, row.userid, row.task) == (end.expires_on, "to look", "system", task)
    assert ends() == {"web": [*PORTS]}
    assert events() == [("expiration_created", "system", task.pk)]


def test_nothing_is_taken_back_early(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    assert ended() == []
    assert have_web(cloud) == [True, True]


def test_it_is_taken_back_when_its_time_is_over(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    let_pass()
    [task] = ended()
    assert (task.status, task.userid, task.vm) == ("Ok", "system", cast.staging.double)
    assert task.message == (
        "Removed security group web from staging-double on 2 ports. Its time is over. Connections that are open "
        "already may stay open."
    )
    assert task.context_data["expiration"]["reason"] == "to look"
    assert have_web(cloud) == [False, False]
    assert not Expiration.objects.exists()
    assert events()[1:] == [("expiration_ended", "system", task.pk)]
    assert ended() == []


def test_what_was_there_before_stays(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, ports=PORTS[:1])
    task = added(cast.staging.double, end=ending())
    assert ends() == {"web": [PORTS[1]]}
    let_pass()
    ended()
    assert have_web(cloud) == [True, False]
    assert task.status == "Ok"


def test_a_group_that_is_everywhere_already_stays(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double)
    task = added(cast.staging.double, end=ending())
    assert task.message == (
        "Nothing to do: staging-double already has security group web. It was there before, so it is not taken "
        "back."
    )
    assert ends() == {}


def test_an_add_without_an_end_makes_it_permanent(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    task = added(cast.staging.double)
    assert task.message.endswith("It was temporary, and now stays.")
    assert ends() == {}
    assert events()[1:] == [("expiration_kept", "system", task.pk)]
    let_pass()
    assert ended() == []


def test_it_becomes_permanent_only_on_the_ports_of_the_add(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    added(cast.staging.double, ports=PORTS[1:])
    let_pass()
    ended()
    assert have_web(cloud) == [False, True]


@pytest.mark.parametrize(("first", "second", "latest"), [(1, 2, 2), (2, 1, 2)])
def test_of_two_ends_the_later_counts(
    cast: Cast, cloud: MemoryCloud, first: int, second: int, latest: int
) -> None:
    ends_on = {hours: ending(hours) for hours in (1, 2)}
    added(cast.staging.double, end=ends_on[first])
    task = added(cast.staging.double, end=ends_on[second])
    assert Expiration.objects.get().expires_on == ends_on[latest].expires_on
    assert Expiration.objects.get().due_on == ends_on[latest].expires_on
    assert ("now ends at" if second > first else "ends later") in task.message
    assert [name for name, *_ in events()] == ["expiration_created", *["expiration_extended"] * (second > first)]


def test_each_port_has_its_own_end(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending(1))
    later = ending(3)
    added(cast.staging.double, end=later, ports=PORTS[1:])
    by_port = {row.memberships.get().network_port.ems_ref: row.expires_on for row in Expiration.objects.all()}
    assert by_port[PORTS[1]] == later.expires_on
    assert by_port[PORTS[0]] < later.expires_on


def test_what_is_removed_and_added_again_stays(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    queue(cast.staging.double, "remove", "web")
    queue(cast.staging.double, "add", "web")
    run(f"vms/{cast.staging.double.pk}")
    let_pass()
    assert ended() == []
    assert have_web(cloud) == [True, True]


def test_what_is_removed_has_no_end_any_more(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    [task] = queue(cast.staging.double, "remove", "web")
    run(f"vms/{cast.staging.double.pk}")
    assert ends() == {}
    assert events()[1:] == [("expiration_ended", "system", task.pk)]


def test_what_others_have_added_again_is_theirs(cast: Cast, cloud: MemoryCloud) -> None:
    """A change of something else sees that the group is gone."""
    added(cast.staging.double, end=ending())
    for port in PORTS:
        cloud.set_port(port, group_refs=("sg-staging-default",))
    added(cast.staging.double, "db")
    for port in PORTS:
        cloud.set_port(port, group_refs=("sg-staging-default", "sg-staging-web"))
    let_pass()
    assert ended() == []
    assert have_web(cloud) == [True, True]


def test_an_end_that_was_moved_since_its_task_was_queued_is_waited_for(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    let_pass()
    queue_due_endings()
    Expiration.objects.update(expires_on=database_now() + timedelta(hours=1))
    run(f"vms/{cast.staging.double.pk}")
    task = Task.objects.latest("pk")
    assert task.message.startswith("Nothing to do: the expiration was extended")
    assert have_web(cloud) == [True, True]
    assert ends() == {"web": [*PORTS]}


def test_an_add_that_was_accepted_before_the_end_keeps_it(cast: Cast, cloud: MemoryCloud) -> None:
    """It is in the same queue before the task that would take it back."""
    added(cast.staging.double, end=ending())
    queue_add(cast.staging.double)
    let_pass()
    [_, task] = Task.objects.filter(pk__in=[one.pk for one in [Task.objects.latest("pk"), *ended()]])
    assert task.message.startswith("Nothing to do")
    assert have_web(cloud) == [True, True]


def test_an_add_that_waits_until_its_time_is_over_changes_nothing(cast: Cast, cloud: MemoryCloud) -> None:
    task = added(cast.staging.double, end=ending(-1))
    assert (task.status, task.message[:26]) == ("Error", "The time for which this wa")
    assert cloud.called("change_groups") == []
    assert ends() == {}


def test_a_refused_add_leaves_no_end(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.script("change_groups", refuse(), refuse())
    task = added(cast.staging.double, end=ending())
    assert task.status == "Error"
    assert not Expiration.objects.exists()
    assert events() == []


def test_what_can_not_be_taken_back_is_tried_again_with_growing_pauses(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    let_pass()
    pauses = []
    for _ in range(3):
        cloud.script("change_groups", refuse(), refuse())
        before = database_now()
        [task] = ended()
        assert task.status == "Error"
        row = Expiration.objects.get()
        pauses.append(round((row.due_on - before).total_seconds()))
        assert row.expires_on < before
        assert ended() == []
        Expiration.objects.update(due_on=before)
    assert pauses == [10, 20, 40]
    [task] = ended()
    assert task.status == "Ok"
    assert have_web(cloud) == [False, False]


def test_the_last_group_of_a_port_stays_and_is_named(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    cloud.set_port(PORTS[0], group_refs=("sg-staging-web",))
    let_pass()
    [task] = ended()
    assert task.status == "Warn"
    assert f"Skipped port {PORTS[0]}: it has no other security group, and must keep one." in task.message
    assert have_web(cloud) == [True, False]
    assert ends() == {"web": [PORTS[0]]}
    Expiration.objects.update(due_on=database_now())
    [task] = ended()
    assert task.status == "Error"
    assert "it is the last security group of port eni-staging-double-1" in task.message
    assert ends() == {"web": [PORTS[0]]}


def test_a_disabled_provider_is_asked_once_it_is_enabled(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    let_pass()
    cast.acme.enabled = False
    cast.acme.save()
    assert ended() == []
    cast.acme.enabled = True
    cast.acme.save()
    assert [task.status for task in ended()] == ["Ok"]


def test_what_ends_at_the_same_time_on_an_instance_is_one_write_a_port(cast: Cast, cloud: MemoryCloud) -> None:
    for group in ("web", "db"):
        added(cast.staging.double, group, end=ending())
    let_pass()
    cloud.calls.clear()
    assert [task.status for task in ended()] == ["Ok", "Ok"]
    assert len(cloud.called("change_groups")) == 2


def test_a_lost_removal_is_queued_again(cast: Cast, cloud: MemoryCloud) -> None:
    """A worker of an older version can't read it, or somebody deletes its row."""
    added(cast.staging.double, end=ending())
    let_pass()
    queue_due_endings()
    Task.objects.filter(state="Queued").delete()
    Expiration.objects.update(due_on=database_now())
    assert [task.status for task in ended()] == ["Ok"]
    assert have_web(cloud) == [False, False]


def test_nobody_is_asked_for_rights_at_the_end(cast: Cast, cloud: MemoryCloud, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("gone")
    added(cast.staging.double, end=ending())
    let_pass()
    queue_due_endings()
    Task.objects.filter(state="Queued").update(owner=user, userid="gone", request_id="r")  # as `end` queues it
    run(f"vms/{cast.staging.double.pk}")
    assert have_web(cloud) == [False, False]


def test_it_costs_one_query_where_nothing_is_due(
    cast: Cast, cloud: MemoryCloud, django_assert_num_queries: Any
) -> None:
    added(cast.staging.double, end=ending())
    with django_assert_num_queries(1):
        assert queue_due_endings() == 0


def test_many_are_queued_in_few_statements(
    cast: Cast, cloud: MemoryCloud, django_assert_max_num_queries: Any
) -> None:
    for vm in (cast.staging.single, cast.staging.double):
        for group in ("web", "db"):
            added(vm, group, end=ending())
    let_pass()
    with django_assert_max_num_queries(8):
        assert queue_due_endings() == 4


def test_a_port_that_moved_loses_the_group_where_it_is_now(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    cloud.set_port(PORTS[0], instance_ref=cast.staging.single.ems_ref)
    cast.staging.double.network_ports.filter(ems_ref=PORTS[0]).update(vm=cast.staging.single)
    let_pass()
    first = ended()
    Expiration.objects.update(due_on=database_now())
    second = ended()
    assert {task.vm for task in first + second} == {cast.staging.single, cast.staging.double}
    assert have_web(cloud) == [False, False]
    assert ends() == {}


def fail_with_unknown_outcome(cast: Cast, cloud: MemoryCloud) -> None:
    """The first port has the group, and the cloud answers no more until the task gives up."""
    silent = [fail(CloudUnavailable("No answer."))] * 500
    cloud.script("change_groups", go, *silent)
    cloud.script("ports", go, go, *silent)
    task = added(cast.staging.double, end=ending())
    assert task.status == "Error"
    assert Expiration.objects.get().noted == [*PORTS]
    cloud._events.clear()


def test_what_failed_with_an_unknown_outcome_ends_all_the_same(cast: Cast, cloud: MemoryCloud) -> None:
    fail_with_unknown_outcome(cast, cloud)
    let_pass()
    ended()
    assert have_web(cloud) == [False, False]
    assert not Expiration.objects.exists()


def test_what_failed_so_and_was_added_again_stays(cast: Cast, cloud: MemoryCloud) -> None:
    fail_with_unknown_outcome(cast, cloud)
    added(cast.staging.double)
    assert not Expiration.objects.exists()
    let_pass()
    assert ended() == []
    assert have_web(cloud) == [True, True]


def test_what_failed_so_and_was_added_for_longer_ends_later(cast: Cast, cloud: MemoryCloud) -> None:
    fail_with_unknown_outcome(cast, cloud)
    end = ending(3)
    added(cast.staging.double, end=end)
    assert {row.expires_on for row in Expiration.objects.all()} == {end.expires_on}
    held = Expiration.objects.values_list("memberships__network_port__ems_ref", flat=True)
    assert sorted(held) == [*PORTS]


def test_a_refresh_ends_what_failed_so_and_is_not_there(cast: Cast, cloud: MemoryCloud) -> None:
    fail_with_unknown_outcome(cast, cloud)
    for port in PORTS:
        cloud.set_port(port, group_refs=("sg-staging-default",))
    refresh(cast.acme, Grip())
    assert not Expiration.objects.exists()


def test_a_refresh_ends_what_others_have_taken_back(cast: Cast, cloud: MemoryCloud) -> None:
    added(cast.staging.double, end=ending())
    cloud.set_port(PORTS[0], group_refs=("sg-staging-default",))
    refresh(cast.acme, Grip())
    assert ends() == {"web": [PORTS[1]]}
    cloud.set_port(PORTS[1], group_refs=("sg-staging-default",))
    refresh(cast.acme, Grip())
    assert ends() == {}
    assert events()[1:] == [("expiration_ended", None, None)]
    added(cast.staging.single, "db", end=ending())
    refresh(cast.acme, Grip())
    assert ends() == {"db": ["eni-staging-single-1"]}
