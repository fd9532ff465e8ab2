"""Tasks of an instance, from their rows to the cloud and back into the inventory."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from inventory.backoff import Backoff, ShutdownRequested
from inventory.drivers.exceptions import CredentialsRefused
from inventory.drivers.values import Group
from inventory.leases import LeaseLost
from inventory.models import Provider, Task
from secgroups.changes import handle_membership_tasks
from secgroups.services import GroupReference
from tests import cast as actors
from tests.cast import Cast, memberships
from tests.clouds import Clock, Grip, MemoryCloud, fail, go, meanwhile, refuse, throttle, unavailable
from tests.secgroups.carrying import carried_out, ends, queue

pytestmark = pytest.mark.usefixtures("cloud")


def test_a_group_is_added_to_every_port_and_the_task_says_so(cast: Cast, cloud: MemoryCloud) -> None:
    double = cast.production.double
    queue(double, "add", "web")
    [task] = carried_out(double)
    assert ends([task]) == [("Finished", "Ok", "Added security group web to production-double on 2 ports.")]
    assert task.pct_complete == 100
    both = ("sg-production-default", "sg-production-web")
    assert cloud.groups_of(double.ems_ref) == {f"eni-production-double-{n}": both for n in (1, 2)}
    assert memberships(double) == {f"eni-production-double-{n}": set(both) for n in (1, 2)}


def test_a_finished_task_shows_what_was_asked_and_what_came_of_it(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    queue(vm, "add", "web")
    [task] = carried_out(vm)
    assert task.context_data == {
        "action": "add",
        "instance": "production-single",
        "security_group": {"name": "web", "ems_ref": "sg-production-web"},
        "before": ["default"],
        "after": ["default", "web"],
        "network_ports": [
            {"ems_ref": "eni-production-single-1", "before": ["default"], "after": ["default", "web"]}
        ],
        "request_id": "req-1",
    }


def test_fifty_tasks_are_two_readings_and_one_write_of_each_port(cast: Cast, cloud: MemoryCloud) -> None:
    double, network = cast.production.double, cast.production.network
    for number in range(50):
        made = actors.group(network, f"g{number}")
        cloud.group_list.append(Group(made.ems_ref, made.name, network_ref=network.ems_ref))
        queue(double, "add", made.name)
    assert {task.status for task in carried_out(double)} == {"Ok"}
    assert len(cloud.calls) == 4
    assert cloud.called("ports") == [double.ems_ref] * 2
    assert [ref for ref, _ in cloud.called("change_groups")] == list(cloud.groups_of(double.ems_ref))
    assert {len(groups) for groups in cloud.groups_of(double.ems_ref).values()} == {51}


def test_the_number_of_queries_grows_only_with_the_rows_that_are_written(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    vm = cast.production.single
    queue(vm, "remove", *["web"] * 20)
    tasks = list(Task.objects.of_queue(f"vms/{vm.pk}").select_related("vm__provider"))
    with django_assert_max_num_queries(19 + len(tasks)):
        handle_membership_tasks(tasks, Grip())


def test_a_retry_is_safe(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    queue(vm, "add", "default")
    queue(vm, "remove", "web")
    assert ends(carried_out(vm)) == [
        ("Finished", "Ok", "Nothing to do: production-single already has security group default."),
        ("Finished", "Ok", "Nothing to do: production-single does not have security group web."),
    ]
    assert not cloud.called("change_groups")


def test_the_last_group_stays_and_its_task_is_an_error(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    queue(vm, "remove", "default")
    [task] = carried_out(vm)
    assert task.status == "Error"
    assert task.message.startswith("Cannot remove default from production-single: it is the last security group")
    assert not cloud.called("change_groups")


def test_a_port_that_a_service_of_the_cloud_manages_is_named_before_anything_is_written(
    cast: Cast, cloud: MemoryCloud
) -> None:
    double = cast.production.double
    cloud.set_port("eni-production-double-2", requester_managed=True, name="arn:aws:ecs:task/1")
    queue(double, "add", "web")
    [task] = carried_out(double)
    assert task.status == "Error"
    assert task.message.startswith(
        "Cannot add web to production-double: port eni-production-double-2 (arn:aws:ecs:task/1) is managed by a "
        "service of the cloud"
    )
    assert not cloud.called("change_groups")
    queue(double, "add", GroupReference("web", ports=("eni-production-double-1",)))
    [task] = carried_out(double)
    assert (task.status, len(cloud.called("change_groups"))) == ("Ok", 1)


def test_a_port_without_any_group_is_a_warning_where_the_cloud_allows_it(
    cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryCloud, "minimum_groups_per_port", 0)
    vm = cast.production.single
    queue(vm, "remove", "default")
    [task] = carried_out(vm)
    assert (task.status, task.context_data["after"]) == ("Warn", [])
    assert memberships(vm) == {"eni-production-single-1": set()}


def test_one_that_the_cloud_refuses_does_not_hurt_the_others(cast: Cast, cloud: MemoryCloud) -> None:
    double = cast.production.double
    cloud.drop_group("sg-production-web")
    queue(double, "add", "web")
    queue(double, "add", "db")
    tasks = carried_out(double)
    assert ends(tasks) == [
        ("Finished", "Error", "Cannot add web to production-double: There is no group sg-production-web."),
        ("Finished", "Ok", "Added security group db to production-double on 2 ports."),
    ]
    assert {frozenset(refs) for refs in memberships(double).values()} == {
        frozenset({"sg-production-default", "sg-production-db"})
    }


def test_a_refusal_of_the_second_port_leaves_the_first_as_it_was(cast: Cast, cloud: MemoryCloud) -> None:
    double = cast.production.double
    before = cloud.groups_of(double.ems_ref)
    cloud.script(
        "change_groups", go, refuse("Five groups are the limit."), go, go, refuse("Five groups are the limit.")
    )
    queue(double, "add", "web")
    [task] = carried_out(double)
    assert (task.status, task.message) == (
        "Error",
        "Cannot add web to production-double: Five groups are the limit. (request req-refused)",
    )
    assert task.context_data["before"] == task.context_data["after"] == ["default"]
    assert task.context_data["request_id"] == "req-refused"
    assert cloud.groups_of(double.ems_ref) == before


def test_a_refusal_is_told_also_where_nothing_can_be_taken_back(cast: Cast, cloud: MemoryCloud) -> None:
    double = cast.production.double
    cloud.script("change_groups", go, refuse("Five groups are the limit."), refuse("The port is locked."))
    queue(double, "add", "web")
    [task] = carried_out(double)
    assert task.status == "Error"
    assert task.message == (
        "Five groups are the limit. Earlier changes could not be undone: The port is locked. (request req-refused)"
    )
    assert task.context_data["after"] == ["default", "web"]


def test_while_it_waits_its_tasks_say_why(cast: Cast, cloud: MemoryCloud, clock: Clock) -> None:
    vm, seen = cast.production.single, []
    queue(vm, "add", "web")
    cloud.script("change_groups", throttle(5), meanwhile(lambda: seen.extend(ends(list(Task.objects.all())))))
    assert [task.status for task in carried_out(vm)] == ["Ok"]
    [(state, status, message)] = seen
    assert (state, status) == ("Active", "Warn")
    assert re.fullmatch(r"Attempt 1 failed, the next is at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: Slow down\.", message)
    assert clock.now == 5


def test_a_worker_that_is_to_stop_hands_its_tasks_back(cast: Cast, cloud: MemoryCloud, clock: Clock) -> None:
    vm = cast.production.double
    queue(vm, "add", "web")
    clock.stop_asked = True
    cloud.script("change_groups", go, throttle(300))
    with pytest.raises(ShutdownRequested):
        carried_out(vm)
    assert [task.state for task in Task.objects.all()] == ["Active"]
    assert cloud.groups_of(vm.ems_ref)["eni-production-double-2"] == ("sg-production-default",)
    clock.stop_asked = False
    assert [task.status for task in carried_out(vm)] == ["Ok"]
    assert set(cloud.groups_of(vm.ems_ref).values()) == {("sg-production-default", "sg-production-web")}


@pytest.mark.parametrize("call", ["ports", "change_groups"])
def test_when_the_patience_is_over_the_tasks_are_errors(
    call: str, cast: Cast, cloud: MemoryCloud, clock: Clock, settings: Any
) -> None:
    settings.CHANGE_PATIENCE = timedelta(seconds=4)
    vm = cast.production.single
    queue(vm, "add", "web", "db")
    cloud.script(call, *[unavailable()] * 100)
    assert ends(carried_out(vm)) == [("Finished", "Error", "No answer.")] * 2
    assert sum(clock.pauses) <= 4
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-default"}}


def test_an_instance_that_is_gone_from_the_cloud_is_an_error(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.terminate(vm.ems_ref)
    queue(vm, "add", "web", "db")
    assert ends(carried_out(vm)) == [("Finished", "Error", f"The instance {vm.ems_ref} does not exist.")] * 2
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-default"}}


def test_an_instance_that_is_gone_from_the_inventory_is_an_error(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    [task] = queue(vm, "add", "web")
    vm.delete()
    task.refresh_from_db()
    handle_membership_tasks([task], Grip())
    assert ends([task]) == [("Finished", "Error", "The instance is no longer in the inventory.")]
    assert not cloud.calls


def test_nothing_is_asked_of_a_provider_that_is_disabled(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    queue(vm, "add", "web")
    Provider.objects.update(enabled=False)
    assert ends(carried_out(vm)) == [("Finished", "Error", "Provider acme is disabled.")]
    assert not cloud.calls


def test_who_waits_for_a_provider_that_is_disabled_meanwhile_waits_no_longer(
    cast: Cast, cloud: MemoryCloud, clock: Clock
) -> None:
    vm = cast.production.single
    queue(vm, "add", "web")
    cloud.script("change_groups", throttle(200))
    clock.meanwhile = lambda: Provider.objects.update(enabled=False)
    assert ends(carried_out(vm)) == [("Finished", "Error", "Provider acme is disabled.")]
    assert clock.now <= Backoff.CHECK_INTERVAL
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-default"}}


def test_credentials_that_are_refused_end_the_tasks_at_once(cast: Cast, cloud: MemoryCloud, clock: Clock) -> None:
    vm = cast.production.single
    queue(vm, "add", "web", "db")
    cloud.script("ports", fail(CredentialsRefused("The keys were revoked.")))
    assert ends(carried_out(vm)) == [("Finished", "Error", "The keys were revoked.")] * 2
    assert not clock.pauses


def test_without_the_lease_the_tasks_are_left_for_whoever_has_it(cast: Cast, cloud: MemoryCloud) -> None:
    vm, grip = cast.production.single, Grip()
    queue(vm, "add", "web")
    cloud.script("change_groups", meanwhile(grip.lose))
    with pytest.raises(LeaseLost):
        carried_out(vm, grip)
    assert [task.state for task in Task.objects.all()] == ["Active"]
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-default"}}
    assert [task.message for task in carried_out(vm)] == [
        "Nothing to do: production-single already has security group web."
    ]
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-default", "sg-production-web"}}


def test_of_a_thousand_changes_the_cloud_is_asked_for_each_name_once(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.double
    cloud.group_list.append(Group("sg-fresh", "fresh", network_ref=cast.production.network.ems_ref))
    for _ in range(250):
        queue(vm, "add", "nonsense", "fresh")
        queue(vm, "remove", "nonsense", "fresh")
    assert Counter(task.status for task in carried_out(vm)) == {"Ok": 500, "Error": 500}
    assert sorted(cloud.called("groups_named")) == ["fresh", "nonsense"]


def test_a_thousand_changes_cost_no_more_of_the_cloud_than_one(cast: Cast, cloud: MemoryCloud) -> None:
    """At most two readings, and one write of each port."""
    vm = cast.production.double
    for _ in range(250):
        queue(vm, "add", "web", "db")
        queue(vm, "remove", "web", "default")
    tasks = carried_out(vm)
    assert len(tasks) == 1000
    assert {task.status for task in tasks} == {"Ok"}
    assert set(cloud.groups_of(vm.ems_ref).values()) == {("sg-production-db",)}
    assert sorted(name for name, _ in cloud.calls) == ["change_groups"] * 2 + ["ports"] * 2
    assert len({port for port, _ in cloud.called("change_groups")}) == 2
