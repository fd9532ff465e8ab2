"""Bringing one thing of a provider in, with what belongs to it, and leaving the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.deletion import handle_provider_tasks
from inventory.drivers.exceptions import CloudUnavailable
from inventory.drivers.values import Group, Instance, Rule, Scope
from inventory.guard import TooManyGone
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Task, Vm
from inventory.refresh import refresh
from inventory.services import request_refresh, request_refresh_of
from secgroups.models import FirewallRule, Membership, SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud, fail, meanwhile
from tests.queries import writes

ACCOUNT = Scope("cloud_tenant", "t-account")
DOUBLE = Scope("instance", "i-staging-double")
WEB = Scope("security_group", "sg-staging-web")
DEFAULT = Scope("security_group", "sg-staging-default")
PORT = "eni-staging-double-1"


def change_everything(cloud: MemoryCloud) -> None:
    """Give whatever a group or an instance is called another name, and every port the group web."""
    cloud.group_list = [replace(group, name=f"new {group.name}") for group in cloud.group_list]
    cloud.instance_list = [replace(instance, name=f"new {instance.name}") for instance in cloud.instance_list]
    for port in list(cloud.port_list):
        cloud.set_port(port.ref, group_refs=("sg-staging-web",))
    cloud.rule_list += [
        Rule(f"sgr-{group.ref}", group.ref, "inbound", source_group_ref="sg-production-db")
        for group in cloud.group_list
    ]


def renamed() -> set[str]:
    """The refs of everything whose new name has come in."""
    return {
        ref
        for model in (Vm, SecurityGroup)
        for ref in model.objects.filter(name__startswith="new ").values_list("ems_ref", flat=True)
    }


@pytest.mark.parametrize("scope", [DOUBLE, WEB])
def test_a_network_keeps_an_owner_who_is_not_of_the_part(scope: Scope, cast: Cast, cloud: MemoryCloud) -> None:
    cloud.network_list = [replace(network, tenant_ref="t-infra") for network in cloud.network_list]
    refresh(cast.acme, Grip())
    refresh(cast.acme, Grip(), scope=scope)
    owners = CloudNetwork.objects.values_list("cloud_tenant__ems_ref", flat=True)
    assert set(owners) == {"t-infra"}


class TestAnInstance:
    def test_it_comes_in_with_its_ports_and_their_groups(self, cast: Cast, cloud: MemoryCloud) -> None:
        change_everything(cloud)
        refresh(cast.acme, Grip(), scope=DOUBLE)
        assert renamed() == {"i-staging-double", "sg-staging-web"}
        assert set(map(frozenset, actors.memberships(cast.staging.double).values())) == {frozenset({WEB.ref})}
        assert set(map(frozenset, actors.memberships(cast.staging.single).values())) == {frozenset({DEFAULT.ref})}
        assert not FirewallRule.objects.exists()

    def test_a_port_that_it_lost_is_removed(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.port_list = [port for port in cloud.port_list if port.ref != PORT]
        before = NetworkPort.objects.count()
        refresh(cast.acme, Grip(), scope=DOUBLE)
        assert not NetworkPort.objects.filter(ems_ref=PORT).exists()
        assert NetworkPort.objects.count() == before - 1

    def test_a_port_that_it_got_from_another_keeps_its_id(self, cast: Cast, cloud: MemoryCloud) -> None:
        moved = "eni-staging-single-1"
        before = NetworkPort.objects.get(ems_ref=moved)
        cloud.set_port(moved, instance_ref=DOUBLE.ref)
        refresh(cast.acme, Grip(), scope=DOUBLE)
        assert NetworkPort.objects.get(ems_ref=moved).pk == before.pk
        assert len(actors.memberships(cast.staging.double)) == 3
        assert set(Membership.objects.filter(network_port=before).values_list("vm", flat=True)) == {
            cast.staging.double.pk
        }

    @pytest.mark.parametrize("owner", ["i-staging-single", "i-unknown", None])
    @pytest.mark.parametrize("ends", [False, True])
    def test_a_port_that_another_has_or_nobody_keeps_its_id(
        self, cast: Cast, cloud: MemoryCloud, owner: str | None, ends: bool
    ) -> None:
        before = NetworkPort.objects.get(ems_ref=PORT)
        cloud.set_port(PORT, instance_ref=owner)
        if ends:
            cloud.terminate(DOUBLE.ref)
        refresh(cast.acme, Grip(), scope=DOUBLE)
        vm, after = Vm.objects.filter(ems_ref=owner).first(), NetworkPort.objects.get(ems_ref=PORT)
        assert (after.pk, after.vm) == (before.pk, vm)
        assert Membership.objects.get(network_port=before).vm == vm
        assert NetworkPort.objects.filter(ems_ref="eni-staging-double-2").exists() is not ends

    def test_the_cloud_is_asked_once_more_for_lost_ports_alone(self, cast: Cast, cloud: MemoryCloud) -> None:
        refresh(cast.acme, Grip(), scope=DOUBLE)
        assert len(cloud.called("inventory")) == 1
        cloud.set_port(PORT, instance_ref=None)
        refresh(cast.acme, Grip(), scope=DOUBLE)
        assert len(cloud.called("inventory")) == 3

    def test_one_that_is_gone_is_removed_and_the_task_says_so(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.terminate(DOUBLE.ref)
        task = request_refresh_of(scope=DOUBLE, name="double", provider=cast.acme, user=None)
        handle_provider_tasks([task], Grip())
        assert (task.status, task.message) == (
            "Ok",
            "Instance double no longer exists in the cloud and was removed from the inventory.",
        )
        assert not Vm.objects.filter(ems_ref=DOUBLE.ref).exists()
        assert Vm.objects.count() == 3

    def test_one_that_is_new_comes_in(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.instance_list.append(Instance("i-new", "new", "on", "running", "t-account"))
        refresh(cast.acme, Grip(), scope=Scope("instance", "i-new"))
        assert Vm.objects.get(ems_ref="i-new").cloud_tenant == cast.tenant


class TestASecurityGroup:
    def test_it_comes_in_with_its_rules_and_with_who_has_it(self, cast: Cast, cloud: MemoryCloud) -> None:
        change_everything(cloud)
        cloud.set_port("eni-staging-single-1", group_refs=())
        refresh(cast.acme, Grip(), scope=WEB)
        assert renamed() == {WEB.ref}
        rule = FirewallRule.objects.get()
        assert (rule.security_group, rule.source_security_group) == (cast.staging.web, cast.production.db)
        has_it = {ref for ref, groups in actors.memberships().items() if WEB.ref in groups}
        assert has_it == {port.ref for port in cloud.port_list} - {"eni-staging-single-1"}

    def test_ports_that_it_was_taken_off_lose_it(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.set_port(PORT, group_refs=())
        refresh(cast.acme, Grip(), scope=DEFAULT)
        assert actors.memberships(cast.staging.double)[PORT] == set()
        assert actors.memberships(cast.staging.double)["eni-staging-double-2"] == {DEFAULT.ref}

    def test_a_port_that_was_changed_since_the_reading_keeps_it(self, cast: Cast, cloud: MemoryCloud) -> None:
        later = timezone.now() + timedelta(seconds=60)
        NetworkPort.objects.filter(ems_ref=PORT).update(groups_read_on=later)
        cloud.set_port(PORT, group_refs=())
        refresh(cast.acme, Grip(), scope=DEFAULT)
        assert actors.memberships(cast.staging.double)[PORT] == {DEFAULT.ref}

    def test_rules_that_are_gone_are_removed_and_those_of_others_stay(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        for group in (cast.staging.web, cast.staging.db):
            actors.rule(group, 80)
        refresh(cast.acme, Grip(), scope=WEB)
        assert [rule.security_group for rule in FirewallRule.objects.all()] == [cast.staging.db]

    def test_rules_that_were_edited_since_the_reading_stay(self, cast: Cast, cloud: MemoryCloud) -> None:
        actors.rule(cast.staging.web, 80)
        SecurityGroup.objects.update(rules_as_of=timezone.now() + timedelta(seconds=60))
        refresh(cast.acme, Grip(), scope=WEB)
        assert FirewallRule.objects.count() == 1

    def test_shares_of_others_stay(self, cast: Cast, cloud: MemoryCloud) -> None:
        other = actors.tenant(cast.acme, "other")
        for group in (cast.staging.web, cast.staging.db):
            group.shared_with.add(other)
        refresh(cast.acme, Grip(), scope=WEB)
        assert not cast.staging.web.shared_with.exists()
        assert cast.staging.db.shared_with.get() == other

    @pytest.mark.parametrize("scope", [WEB, None])
    def test_rules_that_name_one_that_is_gone_are_not_from_anywhere(
        self, cast: Cast, cloud: MemoryCloud, scope: Scope | None
    ) -> None:
        rule = actors.rule(cast.production.db, 22)
        naming = {"source_security_group": cast.staging.web, "source_ip_range": None}
        FirewallRule.objects.filter(pk=rule.pk).update(**naming)
        cloud.rule_list.append(Rule(rule.ems_ref, "sg-production-db", "inbound", source_group_ref=WEB.ref))
        cloud.drop_group(WEB.ref)
        refresh(cast.acme, Grip(), scope=scope)
        rule.refresh_from_db()
        assert (rule.source_security_group, rule.source_ip_range) == (None, WEB.ref)

    def test_one_that_is_gone_is_removed(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.drop_group(DEFAULT.ref)
        refresh(cast.acme, Grip(), scope=DEFAULT)
        assert not SecurityGroup.objects.filter(ems_ref=DEFAULT.ref).exists()
        assert SecurityGroup.objects.count() == 5


class TestATenant:
    def test_everything_of_it_comes_in_and_what_is_gone_goes(self, cast: Cast, cloud: MemoryCloud) -> None:
        other = actors.tenant(cast.acme, "other")
        SecurityGroup.objects.filter(ems_ref="sg-production-db").update(cloud_tenant=other)
        Vm.objects.filter(ems_ref="i-production-double").update(cloud_tenant=other)
        cloud.group_list = [group for group in cloud.group_list if group.ref != "sg-production-db"]
        cloud.terminate("i-production-double")
        cloud.terminate(DOUBLE.ref)
        cloud.drop_group("sg-staging-db")
        cloud.group_list.append(Group("sg-new", "new one", tenant_ref="t-account"))
        refresh(cast.acme, Grip(), scope=ACCOUNT)
        assert renamed() == {"sg-new"}
        assert set(Vm.objects.values_list("ems_ref", flat=True)) == {
            "i-staging-single",
            "i-production-single",
            "i-production-double",
        }
        assert not SecurityGroup.objects.filter(ems_ref="sg-staging-db").exists()
        assert SecurityGroup.objects.filter(ems_ref="sg-production-db").exists()

    def test_more_than_half_gone_is_not_believed_without_force(self, cast: Cast, cloud: MemoryCloud) -> None:
        for ref in ("i-staging-double", "i-staging-single", "i-production-double"):
            cloud.terminate(ref)
        with pytest.raises(TooManyGone):
            refresh(cast.acme, Grip(), scope=ACCOUNT)
        assert Vm.objects.count() == 4
        refresh(cast.acme, Grip(), scope=ACCOUNT, force=True)
        assert Vm.objects.count() == 1

    def test_one_that_the_cloud_does_not_show_leaves_everything_as_it_was(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        for known in (
            cloud.tenant_list,
            cloud.network_list,
            cloud.instance_list,
            cloud.group_list,
            cloud.port_list,
        ):
            known.clear()
        task = request_refresh_of(scope=ACCOUNT, name="account", provider=cast.acme, user=None, force=True)
        handle_provider_tasks([task], Grip())
        assert (task.status, task.message) == (
            "Error",
            "The cloud no longer shows tenant t-account. Refresh acme to remove what was in it.",
        )
        assert Vm.objects.count() == 4

    def test_one_that_is_not_listed_is_read_while_something_belongs_to_it(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        cloud.tenant_list.clear()
        cloud.terminate("i-staging-double")
        refresh(cast.acme, Grip(), scope=ACCOUNT)
        assert Vm.objects.count() == 3
        assert CloudTenant.objects.get(ems_ref="t-account").name == "account"


@pytest.mark.parametrize("scope", [ACCOUNT, DOUBLE, WEB])
class TestAnyPart:
    def test_without_news_nothing_is_written(self, scope: Scope, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list.append(Rule("sgr-1", WEB.ref, "inbound", source_group_ref="sg-production-db"))
        refresh(cast.acme, Grip())
        with CaptureQueriesContext(connection) as queries:
            refresh(cast.acme, Grip(), scope=scope)
        assert not writes(queries)

    def test_it_says_nothing_of_the_provider(self, scope: Scope, cast: Cast, cloud: MemoryCloud) -> None:
        Provider.objects.update(last_refresh_error="Stopped.")
        refresh(cast.acme, Grip(), scope=scope)
        cloud.script("inventory", fail(CloudUnavailable("No answer.")))
        with pytest.raises(CloudUnavailable):
            refresh(cast.acme, Grip(), scope=scope)
        cast.acme.refresh_from_db()
        assert (cast.acme.last_refresh_date, cast.acme.last_refresh_error) == (None, "Stopped.")

    def test_it_is_another_reading_than_that_of_everything(
        self, scope: Scope, cast: Cast, cloud: MemoryCloud
    ) -> None:
        part = {"scope": scope, "name": "x", "provider": cast.acme, "user": None}
        tasks = [request_refresh(provider=cast.acme, user=None), *(request_refresh_of(**part) for _ in range(2))]
        handle_provider_tasks(tasks, Grip())
        assert cloud.calls == [("inventory", None)] * 2
        assert {task.status for task in Task.objects.all()} == {"Ok"}

    def test_one_that_fails_does_not_hurt_the_others(self, scope: Scope, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.script("inventory", fail(CloudUnavailable("No answer.")))
        part = request_refresh_of(scope=scope, name="x", provider=cast.acme, user=None)
        whole = request_refresh(provider=cast.acme, user=None)
        handle_provider_tasks([part, whole], Grip())
        assert [(task.status, task.message) for task in (part, whole)] == [
            ("Error", "No answer."),
            ("Ok", "Refreshed acme: 4 instances and 6 security groups. Nothing changed."),
        ]


@pytest.mark.parametrize("scope", [None, ACCOUNT, DOUBLE])
def test_a_port_whose_instance_is_gone_keeps_its_id_where_it_is_still_there(
    scope: Scope | None, cast: Cast, cloud: MemoryCloud
) -> None:
    before = NetworkPort.objects.get(ems_ref=PORT)
    cloud.set_port(PORT, instance_ref="i-staging-single")
    cloud.terminate(DOUBLE.ref)
    refresh(cast.acme, Grip(), scope=scope)
    after = NetworkPort.objects.get(ems_ref=PORT)
    assert (after.pk, after.vm, Membership.objects.get(network_port=after).vm) == (
        before.pk,
        *2 * [cast.staging.single],
    )
    assert not NetworkPort.objects.filter(ems_ref="eni-staging-double-2").exists()


@pytest.mark.parametrize("scope", [None, ACCOUNT, DOUBLE])
def test_what_is_gone_is_named_by_nothing_though_a_port_still_names_it(
    scope: Scope | None, cast: Cast, cloud: MemoryCloud
) -> None:
    """Ports are read first, and of a terminated instance EC2 shows them for a while."""
    cloud.instance_list = [one for one in cloud.instance_list if one.ref != DOUBLE.ref]
    if scope != DOUBLE:
        cloud.drop_group(DEFAULT.ref)
    refresh(cast.acme, Grip(), scope=scope)
    connection.check_constraints()
    assert NetworkPort.objects.get(ems_ref=PORT).vm is None


def test_the_number_of_queries_does_not_grow_with_the_inventory(
    cast: Cast, cloud: MemoryCloud, django_assert_max_num_queries: Any
) -> None:
    [known] = [port for port in cloud.port_list if port.ref == PORT]
    for number in range(60):
        cloud.instance_list.append(Instance(f"i-{number}", "vm", "on", "running"))
        cloud.port_list.append(replace(known, ref=f"eni-{number}", instance_ref=f"i-{number}"))
    refresh(cast.acme, Grip())
    # Three are for events: whether it is the first refresh, and the cause of what is written, set and taken back.
    with django_assert_max_num_queries(26):
        refresh(cast.acme, Grip(), scope=DEFAULT)


def test_a_change_during_the_reading_is_kept(cast: Cast, cloud: MemoryCloud) -> None:
    """A group that is put on a port after the reading began is not taken off by it."""

    def change() -> None:
        now = timezone.now()
        port = NetworkPort.objects.get(ems_ref=PORT)
        Membership.objects.create(security_group=cast.staging.web, network_port=port, vm=cast.staging.double)
        NetworkPort.objects.filter(pk=port.pk).update(groups_read_on=now)

    cloud.script("inventory", meanwhile(change))
    refresh(cast.acme, Grip(), scope=WEB)
    assert WEB.ref in actors.memberships(cast.staging.double)[PORT]
