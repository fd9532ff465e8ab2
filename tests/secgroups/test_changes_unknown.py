"""Changes where the inventory is behind the cloud: what it does not know is asked of the cloud and brought in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from inventory.drivers.values import Group
from inventory.models import NetworkPort
from secgroups.models import SecurityGroup
from secgroups.services import GroupReference
from tests import cast as actors
from tests.cast import Cast, memberships
from tests.clouds import MemoryCloud, forget, unavailable
from tests.secgroups.carrying import carried_out, queue


def test_a_name_that_is_not_in_the_inventory_is_asked_of_the_cloud(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.group_list.append(Group("sg-new", "new", "made by hand", "t-account", "vpc-production"))
    queue(vm, "add", "new")
    [task] = carried_out(vm)
    assert (task.status, task.context_data["after"]) == ("Ok", ["default", "new"])
    made = SecurityGroup.objects.get(ems_ref="sg-new")
    assert (made.name, made.description) == ("new", "made by hand")
    assert (made.cloud_tenant, made.cloud_network) == (cast.tenant, cast.production.network)
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-default", "sg-new"}}


def test_an_id_of_the_cloud_that_is_not_in_the_inventory_is_asked_of_the_cloud(
    cast: Cast, cloud: MemoryCloud
) -> None:
    vm = cast.production.single
    cloud.group_list.append(Group("sg-new", "new", network_ref="vpc-production"))
    queue(vm, "add", GroupReference(ems_ref="sg-new"))
    [task] = carried_out(vm)
    assert (task.status, task.message) == ("Ok", "Added security group new to production-single.")


@pytest.mark.parametrize("asked", [GroupReference("nosuch"), GroupReference(ems_ref="sg-nosuch")])
def test_a_group_that_nobody_knows_is_an_error_that_names_it(
    asked: GroupReference, cast: Cast, cloud: MemoryCloud
) -> None:
    vm = cast.production.single
    queue(vm, "add", asked)
    queue(vm, "add", "web")
    unknown, web = carried_out(vm)
    assert unknown.status == "Error"
    assert unknown.message == (
        f"Cannot add {asked.label} to production-single: "
        "the cloud has no such group that production-single could have."
    )
    assert web.status == "Ok"


def test_several_of_a_name_at_the_cloud_are_an_error_that_lists_them(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.group_list += [Group("sg-1", "twin"), Group("sg-2", "twin")]
    queue(vm, "add", "twin")
    [task] = carried_out(vm)
    assert task.status == "Error"
    assert task.message.endswith("several groups with this name. Choose one by its ems_ref: sg-1, sg-2.")


def test_a_group_of_another_network_is_refused_with_the_reason(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.group_list.append(Group("sg-far", "far", network_ref="vpc-staging"))
    queue(vm, "add", GroupReference(ems_ref="sg-far"))
    [task] = carried_out(vm)
    assert task.status == "Error"
    assert "is in network vpc-production, but far belongs to vpc-staging" in task.message


def test_a_group_of_another_network_that_came_into_the_inventory_meanwhile_is_refused_as_well(
    cast: Cast, cloud: MemoryCloud
) -> None:
    vm = cast.production.single
    queue(vm, "add", GroupReference(ems_ref="sg-staging-far"))
    actors.group(cast.staging.network, "far")
    [task] = carried_out(vm)
    assert task.status == "Error"
    assert "is in network vpc-production, but far belongs to vpc-staging" in task.message


@pytest.mark.parametrize(("age", "status"), [(timedelta(seconds=5), "Ok"), (timedelta(minutes=5), "Error")])
def test_only_a_fresh_group_is_waited_for_until_the_cloud_knows_it(
    age: timedelta, status: str, cast: Cast, cloud: MemoryCloud
) -> None:
    vm = cast.production.single
    SecurityGroup.objects.filter(pk=cast.production.web.pk).update(created_on=timezone.now() - age)
    cloud.script("change_groups", *[forget("sg-production-web")] * 3)
    queue(vm, "add", "web")
    assert [task.status for task in carried_out(vm)] == [status]


def test_groups_that_the_inventory_does_not_know_are_brought_in(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.group_list.append(Group("sg-new", "new", network_ref="vpc-production"))
    cloud.set_port("eni-production-single-1", group_refs=("sg-production-default", "sg-new"))
    queue(vm, "add", "web")
    [task] = carried_out(vm)
    assert task.context_data["after"] == ["default", "new", "web"]
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-default", "sg-new", "sg-production-web"}}


def test_a_group_that_can_not_be_asked_for_does_not_hurt_the_change(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.set_port("eni-production-single-1", group_refs=("sg-production-default", "sg-shared"))
    cloud.group_list.append(Group("sg-shared", "shared"))
    cloud.script("groups_by_ref", unavailable())
    queue(vm, "add", "web")
    [task] = carried_out(vm)
    assert (task.status, task.context_data["after"]) == ("Ok", ["default", "sg-shared", "web"])


def test_ports_that_were_attached_since_the_last_refresh_are_changed_and_brought_in(
    cast: Cast, cloud: MemoryCloud
) -> None:
    vm = cast.production.single
    known = cloud.port("eni-production-single-1")
    new = replace(known, ref="eni-new", group_refs=("sg-production-db",), ip_addresses=("10.0.0.9",))
    cloud.port_list.append(new)
    queue(vm, "add", "web")
    [task] = carried_out(vm)
    assert (task.status, len(task.context_data["network_ports"])) == ("Ok", 2)
    port = NetworkPort.objects.get(ems_ref="eni-new")
    assert (port.vm, port.cloud_network, port.ipaddresses) == (vm, cast.production.network, ["10.0.0.9"])
    assert memberships(vm)["eni-new"] == {"sg-production-db", "sg-production-web"}
