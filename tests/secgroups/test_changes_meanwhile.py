"""What goes on beside a change: refreshes, groups and ports that come from elsewhere, faults of one among many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from inventory.drivers.exceptions import CredentialsRefused
from inventory.drivers.values import Group, Inventory
from inventory.models import Task
from inventory.refresh import refresh
from inventory.runner import run_queue
from inventory.services import request_refresh
from secgroups.services import Accepted, GroupReference, request_changes
from tests import cast as actors
from tests.cast import Cast, memberships
from tests.clouds import Grip, MemoryCloud, fail, refuse, throttle
from tests.secgroups.carrying import carried_out, queue

PORT = "eni-production-single-1"


def test_a_group_that_a_change_brought_in_survives_an_older_refresh(cast: Cast, cloud: MemoryCloud) -> None:
    vm, old = cast.production.single, cloud.inventory()
    cloud.group_list.append(Group("sg-new", "new", network_ref="vpc-production"))

    def meanwhile(call: Any) -> Inventory:
        queue(vm, "add", "new")
        carried_out(vm)
        return old

    cloud.script("inventory", meanwhile)
    refresh(cast.acme, Grip())
    assert "sg-new" in memberships(vm)[PORT]


def test_a_port_that_a_change_brought_in_survives_an_older_refresh(cast: Cast, cloud: MemoryCloud) -> None:
    vm, old = cast.production.single, cloud.inventory()
    cloud.port_list.append(replace(cloud.port(PORT), ref="eni-new"))

    def meanwhile(call: Any) -> Inventory:
        queue(vm, "add", "web")
        carried_out(vm)
        return old

    cloud.script("inventory", meanwhile)
    refresh(cast.acme, Grip())
    assert "eni-new" in memberships(vm)


def test_a_known_port_that_was_attached_since_belongs_to_the_instance(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    actors.port(None, cast.production.network, "eni-spare")
    cloud.port_list.append(replace(cloud.port(PORT), ref="eni-spare"))
    queue(vm, "add", "web")
    carried_out(vm)
    assert "sg-production-web" in memberships(vm)["eni-spare"]


def test_a_name_that_the_cloud_refuses_to_look_up_hurts_only_its_own_task(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.script("groups_named", refuse("Invalid name."))
    queue(vm, "add", "b@d")
    queue(vm, "add", "web")
    assert [task.status for task in carried_out(vm)] == ["Error", "Ok"]


@pytest.mark.parametrize(("name", "status"), [("new", "Ok"), ("web", "Error"), (None, "Ok")])
def test_the_names_of_a_group_that_only_the_cloud_knows_are_of_one_too(
    cast: Cast, cloud: MemoryCloud, name: str | None, status: str
) -> None:
    vm = cast.production.single
    cloud.group_list.append(Group("sg-new", "new", network_ref="vpc-production"))
    queue(vm, "add", GroupReference(name, ems_ref="sg-new"))
    [task] = carried_out(vm)
    assert task.status == status
    if status == "Error":
        assert task.message == "Cannot add web to production-single: the name of group sg-new is new."
    assert ("sg-new" in cloud.port(PORT).group_refs) == (status == "Ok")


def test_a_group_of_another_network_that_is_on_the_port_can_be_removed(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.set_port(PORT, group_refs=("sg-production-default", "sg-staging-web"))
    refresh(cast.acme, Grip())
    [answer] = request_changes(
        vm=vm, action="remove", references=[GroupReference(ems_ref="sg-staging-web")], user=None
    )
    assert isinstance(answer, Accepted)
    carried_out(vm)
    assert memberships(vm)[PORT] == {"sg-production-default"}


def test_what_had_nothing_to_do_is_ok_where_the_rest_fails(cast: Cast, cloud: MemoryCloud, settings: Any) -> None:
    settings.CHANGE_PATIENCE = timedelta(0)
    vm = cast.production.single
    cloud.script("change_groups", throttle(5))
    queue(vm, "add", "default", "web")
    assert [task.status for task in carried_out(vm)] == ["Ok", "Error"]


def test_credentials_that_end_are_not_tried_once_for_each_task(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.double
    cloud.script("change_groups", *[fail(CredentialsRefused("The key has ended."))] * 10)
    queue(vm, "add", "web", "db")
    assert {task.status for task in carried_out(vm)} == {"Error"}
    assert len([call for call in cloud.calls if "change_groups" in str(call)]) == 1


def test_credentials_that_can_not_be_read_end_the_task_with_that_reason(cast: Cast, settings: Any) -> None:
    task = request_refresh(provider=cast.acme, user=None)
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    run_queue(task.queue)
    ended = Task.objects.get()
    assert (ended.state, ended.status) == ("Finished", "Error")
    assert "Set CREDENTIALS_KEY" in ended.message
