"""Events of changes: each is caused by the task that made it, and what else was found by nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User

from inventory.models import EventStream, Provider, Task, Vm
from inventory.refresh import refresh
from secgroups.models import FirewallRule, Membership, SecurityGroup
from secgroups.services import GroupReference, group_deletion
from tests import cast as actors
from tests.cast import Cast
from tests.cloud_groups import rule_of
from tests.clouds import Grip, MemoryCloud, go, unavailable
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.editing import edited
from tests.secgroups.test_changes_resumed import Killed, killed

pytestmark = pytest.mark.usefixtures("cloud")


@pytest.fixture(autouse=True)
def earlier(cast: Cast) -> int:
    """The last event before the test."""
    return EventStream.objects.latest("pk").pk


def causes(earlier: int) -> list[tuple[Any, ...]]:
    """Each event since, with its group, its source, and the task that caused it."""
    events = EventStream.objects.filter(pk__gt=earlier).order_by("pk")
    names = dict(SecurityGroup.objects.values_list("pk", "name"))
    return [(e.event_type, names.get(e.security_group_id), e.source, e.task_id) for e in events]


def test_each_membership_is_of_the_task_that_asked_for_it(cast: Cast, cloud: MemoryCloud, earlier: int) -> None:
    vm = cast.production.single
    queue(vm, "add", "web")
    queue(vm, "add", "db")
    queue(vm, "remove", "default")
    web, db, default = carried_out(vm)
    assert sorted(causes(earlier)) == [
        ("security_group_added", "db", "PORTCULLIS", db.pk),
        ("security_group_added", "web", "PORTCULLIS", web.pk),
        ("security_group_removed", "default", "PORTCULLIS", default.pk),
    ]


def test_each_port_is_of_the_task_that_changed_it(cast: Cast, cloud: MemoryCloud, earlier: int) -> None:
    """Of two tasks about one group."""
    vm, web = cast.production.double, GroupReference("web")
    cloud.set_port("eni-production-double-2", group_refs=("sg-production-default", "sg-production-web"))
    refresh(cast.acme, Grip())
    earlier = EventStream.objects.latest("pk").pk
    queue(vm, "add", replace(web, ports=("eni-production-double-1",)))
    queue(vm, "remove", replace(web, ports=("eni-production-double-2",)))
    added, removed = carried_out(vm)
    assert sorted(causes(earlier)) == [
        ("security_group_added", "web", "PORTCULLIS", added.pk),
        ("security_group_removed", "web", "PORTCULLIS", removed.pk),
    ]


def test_a_port_that_others_changed_meanwhile_is_not_of_the_task(
    cast: Cast, cloud: MemoryCloud, earlier: int
) -> None:
    """Though the task is about the same group."""
    vm = cast.production.double
    cloud.set_port("eni-production-double-2", group_refs=("sg-production-default", "sg-production-web"))
    queue(vm, "add", GroupReference("web", ports=("eni-production-double-1",)))
    [task] = carried_out(vm)
    assert sorted(causes(earlier)) == [
        ("security_group_added", "web", "PORTCULLIS", task.pk),
        ("security_group_added", "web", "REFRESH", None),
    ]


def test_a_change_that_others_made_meanwhile_is_found_at_the_cloud(
    cast: Cast, cloud: MemoryCloud, earlier: int
) -> None:
    vm = cast.production.single
    cloud.set_port("eni-production-single-1", group_refs=("sg-production-default", "sg-production-web"))
    queue(vm, "add", "web")
    queue(vm, "add", "db")
    _, db = carried_out(vm)
    assert sorted(causes(earlier)) == [
        ("security_group_added", "db", "PORTCULLIS", db.pk),
        ("security_group_added", "web", "REFRESH", None),
    ]


def test_a_membership_is_an_event_of_a_tenant_only_if_all_that_it_names_is(cast: Cast) -> None:
    """Else whoever sees just the tenant would read the name of a VM that they may not see."""
    group, vm = cast.production.web, cast.production.single
    port = vm.network_ports.get()
    tenants = []
    for holder, tenant in ((vm, cast.tenant), (vm, None), (None, cast.tenant)):
        Vm.objects.filter(pk=vm.pk).update(cloud_tenant=tenant)
        Membership.objects.create(security_group=group, network_port=port, vm=holder).delete()
        added = EventStream.objects.filter(event_type="security_group_added", security_group_id=group.pk)
        tenants.append(added.latest("pk").cloud_tenant_id)
    assert tenants == [cast.tenant.pk, None, cast.tenant.pk]


def test_a_change_is_one_event_however_often_it_is_tried(cast: Cast, cloud: MemoryCloud, earlier: int) -> None:
    vm = cast.production.single
    cloud.script("change_groups", unavailable(done=True))
    queue(vm, "add", "web")
    [task] = carried_out(vm)
    assert causes(earlier) == [("security_group_added", "web", "PORTCULLIS", task.pk)]


def test_what_a_dead_worker_wrote_is_of_the_task_that_wanted_it_so(
    cast: Cast, cloud: MemoryCloud, earlier: int
) -> None:
    """Not of one that asked for the opposite on another port."""
    vm = cast.production.double
    queue(vm, "add", "web")
    cloud.script("change_groups", go, killed)
    with pytest.raises(Killed):
        carried_out(vm)
    queue(vm, "remove", GroupReference("web", ports=("eni-production-double-2",)))
    added, _ = carried_out(vm)
    assert causes(earlier) == [("security_group_added", "web", "PORTCULLIS", added.pk)]


def test_what_a_dead_worker_wrote_is_not_of_a_task_that_found_nothing_to_do(
    cast: Cast, cloud: MemoryCloud, earlier: int
) -> None:
    vm = cast.production.double
    queue(vm, "add", "web")
    cloud.script("change_groups", go, killed)
    with pytest.raises(Killed):
        carried_out(vm)
    queue(vm, "add", GroupReference("web", ports=("eni-production-double-2",)))
    first, _ = carried_out(vm)
    assert causes(earlier) == [("security_group_added", "web", "PORTCULLIS", first.pk)] * 2


def test_what_a_task_undid_is_of_the_one_that_did_it_again(cast: Cast, cloud: MemoryCloud, earlier: int) -> None:
    vm = cast.production.single
    tasks = [queue(vm, action, "web")[0] for action in ("add", "remove", "add")]
    carried_out(vm)
    assert causes(earlier) == [("security_group_added", "web", "PORTCULLIS", tasks[-1].pk)]


def test_what_one_task_did_is_not_of_another_that_failed(cast: Cast, cloud: MemoryCloud, earlier: int) -> None:
    """Though it was asked for the same, and may have done it before its worker died."""
    vm = cast.production.double
    lost, _ = queue(vm, "add", "web"), cloud.script("change_groups", killed)
    with pytest.raises(Killed):
        carried_out(vm)
    Task.objects.filter(pk=lost[0].pk).update(userid="gone", request_id="r-1")  # without an owner
    [done] = queue(vm, "add", "web")
    carried_out(vm)
    assert causes(earlier) == [("security_group_added", "web", "PORTCULLIS", done.pk)] * 2


def test_a_deleted_group_is_of_its_task_with_all_that_goes_with_it(
    cast: Cast, cloud: MemoryCloud, earlier: int
) -> None:
    group = cast.production.db
    actors.rule(group, 22)
    earlier = EventStream.objects.latest("pk").pk
    [task] = edited(cast.acme, group_deletion(group))
    assert task.status == "Ok", task.message
    assert causes(earlier) == [
        ("firewall_rule_deleted", None, "PORTCULLIS", task.pk),
        ("security_group_deleted", None, "PORTCULLIS", task.pk),
    ]
    assert not FirewallRule.objects.exists()


def test_who_asked_and_from_where_is_in_the_event(
    cast: Cast, cloud: MemoryCloud, earlier: int, admin_client: Any, admin_user: User
) -> None:
    vm = cast.production.single
    url = f"/api/instances/{vm.pk}/security_groups"
    headers = {"X-Request-Id": "r-1"}
    admin_client.post(
        url, {"action": "add", "name": "web"}, "application/json", headers=headers, REMOTE_ADDR="2001:db8::1"
    )
    [task] = carried_out(vm)
    event = EventStream.objects.get(event_type="security_group_added", security_group_id=cast.production.web.pk)
    assert (event.username, event.address, event.request_id) == ("admin", "2001:db8::1", "r-1")
    assert (event.task_id, event.vm_or_template_id, event.ems_id) == (task.pk, vm.pk, cast.acme.pk)
    admin_user.delete()
    event.refresh_from_db()
    assert event.username == "admin"
    assert Membership.objects.filter(vm=vm).count() == 2


@pytest.fixture
def named(cast: Cast, cloud: MemoryCloud) -> SecurityGroup:
    """A group that a rule of its own and one of another group name."""
    web, db = cast.production.web, cast.production.db
    for group in (web, db):
        actors.rule(group, 22)
        group.firewall_rules.update(source_security_group=web, source_ip_range=None)
    cloud.rule_list = [rule_of(row) for row in FirewallRule.objects.all()]
    refresh(cast.acme, Grip())
    return web


def rules_of_a_refresh(provider: Provider) -> list[tuple[str, str | None, str | None]]:
    """The events of rules that it leaves, with the group they are of, and the range that they have."""
    earlier = EventStream.objects.latest("pk").pk
    refresh(provider, Grip())
    events = EventStream.objects.filter(pk__gt=earlier, event_type__startswith="firewall_rule").order_by("pk")
    rows = [(event.event_type, event.full_data["after"] or event.full_data["before"]) for event in events]
    return [(event_type, row["security_group"], row["source_ip_range"]) for event_type, row in rows]


def test_a_rule_that_names_its_own_group_goes_once(cast: Cast, cloud: MemoryCloud, named: SecurityGroup) -> None:
    cloud.group_list = [group for group in cloud.group_list if group.ref != named.ems_ref]
    cloud.rule_list = []
    assert sorted(rules_of_a_refresh(cast.acme)) == [
        ("firewall_rule_deleted", "db", None),
        ("firewall_rule_deleted", "web", None),
    ]
    assert not FirewallRule.objects.exists()


def test_a_rule_that_stays_without_its_source_is_one_deletion_and_one_creation(
    cast: Cast, cloud: MemoryCloud, named: SecurityGroup
) -> None:
    cloud.group_list = [group for group in cloud.group_list if group.ref != named.ems_ref]
    cloud.rule_list = [rule for rule in cloud.rule_list if rule.group_ref != named.ems_ref]
    assert rules_of_a_refresh(cast.acme) == [
        ("firewall_rule_deleted", "web", None),
        ("firewall_rule_deleted", "db", None),
        ("firewall_rule_created", "db", named.ems_ref),
    ]


def test_what_went_is_counted_with_the_rules_of_the_group(
    cast: Cast, cloud: MemoryCloud, named: SecurityGroup
) -> None:
    cloud.group_list = [group for group in cloud.group_list if group.ref != named.ems_ref]
    cloud.rule_list = []
    numbers = refresh(cast.acme, Grip()).findings.numbers()
    assert (numbers["security_groups"]["went"], numbers["firewall_rules"]["went"]) == (1, 2)


def test_a_rule_that_loses_its_source_is_two_events_and_one_that_goes_is_one(
    cast: Cast, cloud: MemoryCloud, earlier: int
) -> None:
    """A rule of another group keeps its source's ref. One of the group itself goes with it."""
    web, db = cast.production.web, cast.production.db
    for group in (web, db):
        actors.rule(group, 22)
        group.firewall_rules.update(source_security_group=web, source_ip_range=None)
    earlier = EventStream.objects.latest("pk").pk
    [task] = edited(cast.acme, group_deletion(web))
    assert task.status == "Ok", task.message
    kept = FirewallRule.objects.get()
    assert (kept.source_ip_range, kept.source_security_group) == (web.ems_ref, None)
    assert sorted(event for event, *_ in causes(earlier)) == [
        "firewall_rule_created",
        *["firewall_rule_deleted"] * 2,
        "security_group_deleted",
    ]
