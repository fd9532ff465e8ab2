"""Groups that a tenant shares with others, as the inventory has them."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.drivers.values import EVERYBODY, Group, Tenant
from inventory.models import Vm
from inventory.refresh import refresh
from secgroups.models import SecurityGroup
from tests import cast as actors
from tests.cast import OPENSTACK, Cast
from tests.clouds import Grip, MemoryCloud

OURS, THEIRS = "t-account", "t-other"


class Stack(MemoryCloud):
    """A cloud whose groups belong to tenants."""

    groups_have_networks = False


@pytest.fixture
def cast(cast: Cast, settings: Any) -> Cast:
    settings.DRIVERS = {OPENSTACK: f"{__name__}.Stack"}
    cast.acme.vendor = OPENSTACK
    cast.acme.save()
    return cast


@pytest.fixture
def cloud(cloud: MemoryCloud, cast: Cast, settings: Any) -> MemoryCloud:
    settings.DRIVERS = {OPENSTACK: f"{__name__}.Stack"}
    return cloud


def read(cast: Cast, cloud: MemoryCloud, *shared_with: str) -> SecurityGroup:
    """A group of another tenant, once the inventory knows whom it is shared with."""
    cloud.tenant_list = [Tenant(OURS, "account"), Tenant(THEIRS, "other"), Tenant("t-third", "third")]
    cloud.group_list = [one for one in cloud.group_list if one.ref != "sg-shared"]
    cloud.group_list.append(Group("sg-shared", "shared", tenant_ref=THEIRS, shared_with=shared_with))
    refresh(cast.acme, Grip())
    found: SecurityGroup = SecurityGroup.objects.get(ems_ref="sg-shared")
    return found


def as_value(group: SecurityGroup) -> Group:
    [value] = SecurityGroup.objects.filter(pk=group.pk).as_values()
    return value


def available(cast: Cast) -> bool:
    vm = Vm.objects.get(pk=cast.production.single.pk)
    return SecurityGroup.objects.available_to(vm).filter(ems_ref="sg-shared").exists()


def test_a_group_is_for_the_tenants_that_it_is_shared_with(cast: Cast, cloud: MemoryCloud) -> None:
    group = read(cast, cloud, OURS, "t-third", "t-unlisted")
    assert {tenant.ems_ref for tenant in group.shared_with.all()} == {OURS, "t-third", "t-unlisted"}
    assert available(cast)
    assert set(as_value(group).shared_with) == {OURS, "t-third", "t-unlisted"}


def test_what_is_shared_no_longer_is_not(cast: Cast, cloud: MemoryCloud) -> None:
    read(cast, cloud, OURS, "t-third")
    group = read(cast, cloud, "t-third")
    assert [tenant.ems_ref for tenant in group.shared_with.all()] == ["t-third"]
    assert not available(cast)


def test_a_group_may_be_shared_with_everybody(cast: Cast, cloud: MemoryCloud) -> None:
    group = read(cast, cloud, EVERYBODY)
    assert group.shared
    assert available(cast)
    assert as_value(group).shared_with == (EVERYBODY,)


def test_a_group_is_shared_within_its_provider(cast: Cast, cloud: MemoryCloud) -> None:
    foreign = actors.network(actors.tenant(actors.provider("other")), "production")
    actors.group(foreign, "foreign", cloud_network=None, shared=True, ems_ref="sg-shared")
    assert not available(cast)


def test_an_instance_without_a_tenant_has_no_part_in_what_tenants_share_or_keep(
    cast: Cast, cloud: MemoryCloud
) -> None:
    Vm.objects.filter(pk=cast.production.single.pk).update(cloud_tenant=None)
    cast.production.single.refresh_from_db()
    assert read(cast, cloud).shared_with.count() == 0
    assert not available(cast)
    read(cast, cloud, "t-third")
    assert not available(cast)
    read(cast, cloud, EVERYBODY)
    assert available(cast)
