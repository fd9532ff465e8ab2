"""Which reading of the cloud is believed, when several are under way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from inventory.models import NetworkPort
from inventory.refresh import refresh
from secgroups.memberships import replace_memberships
from secgroups.models import Membership
from tests import cast as actors
from tests.cast import Cast, memberships
from tests.clouds import Grip, MemoryCloud
from tests.secgroups.carrying import carried_out, queue

NOW = timezone.now()
EARLIER, LATER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)


@pytest.fixture
def port(cast: Cast) -> NetworkPort:
    return cast.production.single.network_ports.get()


def groups_on(port: NetworkPort) -> set[str]:
    return {group.name for group in port.security_groups.all()}


def test_a_port_has_exactly_the_groups_that_were_read(cast: Cast, port: NetworkPort) -> None:
    site = cast.production
    replace_memberships({port.pk: [site.web.pk, site.db.pk]}, read_on=NOW)
    assert groups_on(port) == {"web", "db"}
    replace_memberships({port.pk: []}, read_on=NOW)
    assert groups_on(port) == set()


def test_the_vm_of_the_port_has_them_too(cast: Cast, port: NetworkPort) -> None:
    replace_memberships({port.pk: [cast.production.web.pk]}, read_on=NOW)
    assert [group.name for group in cast.production.single.security_groups.all()] == ["web"]


def test_ports_that_were_not_read_keep_theirs(cast: Cast, port: NetworkPort) -> None:
    replace_memberships({port.pk: []}, read_on=NOW)
    assert set(map(len, memberships(cast.production.double, cast.staging.single).values())) == {1}


@pytest.mark.parametrize(("then", "believed"), [(EARLIER, "web"), (NOW, "db"), (LATER, "db")])
def test_an_older_reading_does_not_replace_a_newer(
    then: Any, believed: str, cast: Cast, port: NetworkPort
) -> None:
    site = cast.production
    replace_memberships({port.pk: [site.web.pk]}, read_on=NOW, stamp=True)
    replace_memberships({port.pk: [site.db.pk]}, read_on=then)
    assert groups_on(port) == {believed}


def test_only_a_change_notes_its_time(cast: Cast, port: NetworkPort) -> None:
    replace_memberships({port.pk: []}, read_on=NOW)
    port.refresh_from_db()
    assert port.groups_read_on is None
    replace_memberships({port.pk: []}, read_on=NOW, stamp=True)
    port.refresh_from_db()
    assert port.groups_read_on == NOW


def test_a_refresh_that_read_before_a_change_does_not_undo_it(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    old = cloud.inventory()

    def read_while_the_group_is_added(call: Any) -> Any:
        queue(vm, "add", "web")
        assert [task.status for task in carried_out(vm)] == ["Ok"]
        return old

    cloud.script("inventory", read_while_the_group_is_added)
    refresh(cast.acme, Grip())
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-default", "sg-production-web"}}


def test_a_refresh_that_read_after_a_change_is_believed(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    queue(vm, "add", "web")
    carried_out(vm)
    cloud.set_port("eni-production-single-1", group_refs=("sg-production-db",))
    refresh(cast.acme, Grip())
    assert memberships(vm) == {"eni-production-single-1": {"sg-production-db"}}


def test_a_group_that_a_port_lost_at_the_cloud_is_taken_off_it(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.set_port("eni-production-double-2", group_refs=())
    refresh(cast.acme, Grip())
    assert memberships(cast.production.double) == {
        "eni-production-double-1": {"sg-production-default"},
        "eni-production-double-2": set(),
    }


def test_a_port_that_moved_to_another_vm_takes_its_memberships_along(cast: Cast, cloud: MemoryCloud) -> None:
    site = cast.production
    cloud.set_port("eni-production-double-2", instance_ref=site.single.ems_ref)
    refresh(cast.acme, Grip())
    port = NetworkPort.objects.get(ems_ref="eni-production-double-2")
    assert [member.vm for member in port.memberships.all()] == [site.single]
    assert Membership.objects.filter(vm=site.double).count() == 1


def test_a_port_that_was_taken_off_its_vm_keeps_its_groups_without_it(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.set_port("eni-production-double-2", instance_ref=None)
    refresh(cast.acme, Grip())
    port = NetworkPort.objects.get(ems_ref="eni-production-double-2")
    assert [(member.vm, member.security_group) for member in port.memberships.all()] == [
        (None, cast.production.default)
    ]


def test_what_is_as_it_was_is_not_written(cast: Cast, django_assert_num_queries: Any) -> None:
    groups = {port.pk: [group.pk for group in port.security_groups.all()] for port in NetworkPort.objects.all()}
    with django_assert_num_queries(2):  # ports, memberships
        replace_memberships(groups, read_on=NOW)


def test_the_number_of_queries_does_not_grow_with_the_number_of_ports(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    site = cast.production
    actors.vm(site.network, "wide", ports=30, groups=[site.default])
    wanted = {pk: [site.web.pk] for pk in NetworkPort.objects.values_list("pk", flat=True)}
    with django_assert_max_num_queries(7):
        replace_memberships(wanted, read_on=NOW)
    assert {frozenset(refs) for refs in memberships().values()} == {frozenset({"sg-production-web"})}
