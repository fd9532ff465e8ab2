"""Which groups an instance can have."""

from __future__ import annotations

import pytest

from inventory.models import Vm
from secgroups.models import SecurityGroup
from tests import cast as actors
from tests.cast import Cast


def available(vm: Vm) -> set[str]:
    return {group.ems_ref for group in SecurityGroup.objects.available_to(vm)}


def everything_in(network: str) -> set[str]:
    return {f"sg-{network}-{name}" for name in ("default", "web", "db")}


def test_a_group_of_a_network_is_for_the_instances_in_it(cast: Cast) -> None:
    assert available(cast.production.single) == everything_in("production")
    assert available(cast.staging.double) == everything_in("staging")


def test_an_instance_in_two_networks_can_have_the_groups_of_both(cast: Cast) -> None:
    actors.port(cast.production.single, cast.staging.network, "eni-second")
    assert available(cast.production.single) == everything_in("production") | everything_in("staging")


def test_a_group_of_no_network_is_for_the_instances_of_its_tenant(cast: Cast) -> None:
    other = actors.tenant(cast.acme, "other")
    actors.group(cast.production.network, "ours", cloud_network=None)
    actors.group(cast.production.network, "theirs", cloud_network=None, cloud_tenant=other)
    for vm in (cast.production.single, cast.staging.single):
        assert available(vm) == everything_in(vm.name.partition("-")[0]) | {"sg-production-ours"}


def test_an_instance_without_ports_can_have_no_group_of_a_network(cast: Cast) -> None:
    assert available(actors.vm(cast.production.network, "bare", ports=0)) == set()


@pytest.mark.parametrize("confined", [True, False])
def test_a_group_of_another_provider_is_never_offered(confined: bool, cast: Cast) -> None:
    other = actors.network(actors.tenant(actors.provider("other")), "production")
    actors.group(other, "foreign", cloud_network=other if confined else None, cloud_tenant=cast.tenant)
    actors.port(cast.production.single, other, "eni-odd")
    assert available(cast.production.single) == everything_in("production")


def test_each_group_comes_once_however_many_ports_the_instance_has(cast: Cast) -> None:
    assert SecurityGroup.objects.available_to(cast.production.double).count() == 3
