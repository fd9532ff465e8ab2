"""Bringing the inventory of a provider in: all of it or nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory import reconcile
from inventory.db.bulk import new_ids
from inventory.deletion import handle_provider_tasks
from inventory.drivers.exceptions import CloudUnavailable
from inventory.drivers.values import EVERYBODY, AddressList, Group, Instance, Network, Port, Rule, Scope, Tenant
from inventory.guard import TooManyGone
from inventory.leases import LeaseLost
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Task, Vm
from inventory.refresh import STEPS, Refresh, refresh
from inventory.services import request_refresh
from secgroups.models import FirewallRule, Membership, SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.cloud_groups import rule_of
from tests.clouds import Grip, MemoryCloud, fail, meanwhile
from tests.queries import writes

INVENTORY = [CloudTenant, CloudNetwork, Vm, NetworkPort, SecurityGroup, FirewallRule, Membership]


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row of the inventory."""
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in INVENTORY}


def test_everything_that_the_cloud_has_is_brought_in(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.tenant_list.append(Tenant("t-new", "new", "a new one"))
    cloud.network_list.append(Network("vpc-new", "new", "10.1.0.0/16", "t-new"))
    cloud.group_list.append(Group("sg-new", "fresh", "described", "t-new", "vpc-new", stateful=False))
    cloud.rule_list.append(Rule("sgr-new", "sg-new", "inbound", "IPV4", "tcp", 80, 81, "10.0.0.0/8", None, "web"))
    cloud.instance_list.append(Instance("i-new", "vm", "off", "stopped", "t-new", "nano", "eu-1a", "eu", "mine"))
    cloud.port_list.append(
        Port("eni-new", "nic", "i-new", "t-new", "vpc-new", "02:00", "in-use", ("10.1.0.4", "::4"), ("sg-new",))
    )
    done = refresh(cast.acme, Grip())
    assert done.summary() == "5 instances and 7 security groups"

    tenant = CloudTenant.objects.get(ems_ref="t-new")
    network = CloudNetwork.objects.get(ems_ref="vpc-new")
    group = SecurityGroup.objects.get(ems_ref="sg-new")
    vm = Vm.objects.get(ems_ref="i-new")
    port = NetworkPort.objects.get(ems_ref="eni-new")
    rule = FirewallRule.objects.get(ems_ref="sgr-new")
    assert (tenant.name, tenant.description) == ("new", "a new one")
    assert (network.name, network.cidr, network.cloud_tenant) == ("new", "10.1.0.0/16", tenant)
    assert (group.name, group.description, group.stateful) == ("fresh", "described", False)
    assert group.vendor == "amazon"
    assert (group.cloud_tenant, group.cloud_network) == (tenant, network)
    assert (vm.name, vm.vendor, vm.uid_ems, vm.cloud, vm.cloud_tenant) == ("vm", "amazon", "i-new", True, tenant)
    assert (vm.power_state, vm.raw_power_state, vm.description) == ("off", "stopped", "mine")
    assert (vm.flavor_name, vm.availability_zone_name, vm.location) == ("nano", "eu-1a", "eu")
    assert (port.name, port.mac_address, port.status) == ("nic", "02:00", "in-use")
    assert (port.vm, port.cloud_tenant, port.cloud_network) == (vm, tenant, network)
    assert (port.ipaddresses, port.port_security_enabled) == (["10.1.0.4", "::4"], True)
    assert list(port.security_groups.all()) == list(vm.security_groups.all()) == [group]
    assert (rule.security_group, rule.direction, rule.network_protocol) == (group, "inbound", "IPV4")
    assert (rule.host_protocol, rule.port, rule.end_port) == ("tcp", 80, 81)
    assert (rule.source_ip_range, rule.source_security_group, rule.description) == ("10.0.0.0/8", None, "web")


def test_what_is_gone_from_the_cloud_is_removed(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.terminate("i-staging-double")
    cloud.drop_group("sg-staging-db")
    refresh(cast.acme, Grip())
    assert not Vm.objects.filter(ems_ref="i-staging-double").exists()
    assert not NetworkPort.objects.filter(ems_ref__startswith="eni-staging-double").exists()
    assert not SecurityGroup.objects.filter(ems_ref="sg-staging-db").exists()
    assert (Vm.objects.count(), SecurityGroup.objects.count(), NetworkPort.objects.count()) == (3, 5, 4)


def test_a_refresh_without_news_writes_nothing_to_the_inventory(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.rule_list.append(Rule("sgr-1", "sg-staging-web", "inbound", source_group_ref="sg-elsewhere"))
    refresh(cast.acme, Grip())
    before = everything()
    with CaptureQueriesContext(connection) as queries:
        refresh(cast.acme, Grip())
    [written] = writes(queries)
    assert written.startswith('UPDATE "inventory_provider"')
    assert everything() == before


def statements_of_a_refresh(cast: Cast, cloud: MemoryCloud, prefix: str, count: int) -> tuple[int, int]:
    """Of one that brings so many of everything in, and of the next, which finds nothing new."""
    Provider.objects.update(known_since=timezone.now())
    port = cloud.port("eni-staging-single-1")
    for ref in (f"{prefix}-{number}" for number in range(count)):
        cloud.instance_list.append(Instance(f"i-{ref}", "vm", "on", "running"))
        cloud.group_list.append(Group(f"sg-{ref}", "group", shared_with=("t-account",)))
        cloud.rule_list.append(Rule(f"sgr-{ref}", f"sg-{ref}", "inbound", address_list_ref=f"pl-{ref}"))
        cloud.address_lists.append(AddressList(f"pl-{ref}", "list", entries=("8.8.8.0/24",)))
        groups = (f"sg-{ref}", "sg-staging-web")
        cloud.port_list.append(replace(port, ref=f"eni-{ref}", instance_ref=f"i-{ref}", group_refs=groups))
    found = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            refresh(cast.acme, Grip())
        found.append(len(queries))
    return found[0], found[1]


def test_the_number_of_statements_does_not_grow_with_the_inventory(cast: Cast, cloud: MemoryCloud) -> None:
    few, many = (statements_of_a_refresh(cast, cloud, str(count), count) for count in (1, 60))
    assert few == many
    # The provider three times, the cause of events and its end, seven kinds of rows, peers, shares, associations,
    # the lock of the groups, address lists without rules, memberships, expirations, public ports, marks, two
    # savepoints, the outcome.
    assert many[1] == 24
    # The event; keys and rows of five kinds; shares; ports locked, their memberships read and written; exposures:
    # marks twice and their end, rules, entries, members, public ones, rows and rules read, keys, rows and rules
    # written; on PostgreSQL their lock.
    assert many[0] == 24 + 1 + 2 * 5 + 1 + 3 + 12 + (connection.vendor == "postgresql")


def test_a_part_that_fails_leaves_everything_as_it_was(cast: Cast, cloud: MemoryCloud, settings: Any) -> None:
    before = everything()
    cloud.instance_list.append(Instance("i-new", "new", "on", "running"))
    cloud.terminate("i-staging-double")
    cloud.drop_group("sg-staging-db")
    settings.REFRESH_PARTS = [*settings.REFRESH_PARTS, f"{__name__}.part_that_fails"]
    with pytest.raises(ZeroDivisionError):
        refresh(cast.acme, Grip())
    assert everything() == before


def part_that_fails(refresh: Refresh) -> None:
    assert Vm.objects.filter(ems_ref="i-new").exists()
    raise ZeroDivisionError


def test_a_row_that_another_made_meanwhile_leaves_everything_as_it_was(
    cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a change does that meets a new port: what was to be copied breaks a constraint."""
    before = everything()
    cloud.instance_list.append(Instance("i-new", "new", "on", "running"))
    cloud.port_list.append(Port("eni-new", instance_ref="i-new"))

    def taken_after_another(model: Any, count: int) -> Any:
        if model is NetworkPort:
            NetworkPort.objects.create(provider=cast.acme, ems_ref="eni-new")
        return new_ids(model, count)

    monkeypatch.setattr(reconcile, "new_ids", taken_after_another)
    with pytest.raises(IntegrityError):
        refresh(cast.acme, Grip())
    assert everything() == before


def test_a_cloud_that_does_not_answer_leaves_everything_as_it_was(cast: Cast, cloud: MemoryCloud) -> None:
    before = everything()
    cloud.script("inventory", fail(CloudUnavailable("No answer.")))
    with pytest.raises(CloudUnavailable):
        refresh(cast.acme, Grip())
    assert everything() == before
    cast.acme.refresh_from_db()
    assert cast.acme.last_refresh_error == "No answer."


def test_without_the_lease_nothing_is_written(cast: Cast, cloud: MemoryCloud) -> None:
    before, grip = everything(), Grip()
    cloud.terminate("i-staging-double")
    cloud.script("inventory", meanwhile(grip.lose))
    with pytest.raises(LeaseLost):
        refresh(cast.acme, grip)
    assert everything() == before


def lose_instances(cloud: MemoryCloud) -> str:
    for ref in ("i-staging-double", "i-staging-single", "i-production-double"):
        cloud.terminate(ref)
    return "3 of 4 instances (production-double, staging-single, staging-double)"


def lose_groups(cloud: MemoryCloud) -> str:
    for name in ("default", "web", "db"):
        cloud.drop_group(f"sg-staging-{name}")
    cloud.drop_group("sg-production-db")
    return "4 of 6 security groups (db, default, web, ...)"


def lose_tenants(cloud: MemoryCloud) -> str:
    cloud.tenant_list = [tenant for tenant in cloud.tenant_list if not tenant.name.startswith("more")]
    return "4 of 5 cloud tenants (more 0, more 1, more 2, ...)"


def lose_networks(cloud: MemoryCloud) -> str:
    cloud.network_list = [network for network in cloud.network_list if not network.name.startswith("more")]
    return "4 of 6 cloud networks (more 0, more 1, more 2, ...)"


def lose_ports(cloud: MemoryCloud) -> str:
    """Their memberships go with them, and are no loss of their own."""
    cloud.port_list = [port for port in cloud.port_list if port.instance_ref == "i-production-double"]
    return "4 of 6 network ports (eni-production-single-1, eni-staging-single-1, eni-staging-double-1, ...)"


def lose_rules(cloud: MemoryCloud) -> str:
    """One of them was made anew with another id: that is no loss."""
    first, *_, last = cloud.rule_list
    cloud.rule_list = [replace(first, ref="r-anew"), last]
    rule = "sgr-sg-production-db-100"
    return f"3 of 5 firewall rules ({rule}0, {rule}1, {rule}2)"


def lose_memberships(cloud: MemoryCloud) -> str:
    cloud.port_list = [replace(port, group_refs=()) for port in cloud.port_list]
    port = "default on eni-production"
    return f"6 of 6 memberships ({port}-single-1, {port}-double-1, {port}-double-2, ...)"


LOSSES = [
    lose_tenants,
    lose_networks,
    lose_instances,
    lose_ports,
    lose_groups,
    lose_rules,
    lose_memberships,
]


@pytest.mark.parametrize("lose", LOSSES)
class TestMoreThanHalfGone:
    @pytest.fixture(autouse=True)
    def more(self, cast: Cast) -> None:
        """Of each kind as much as the guard looks at."""
        for number in range(4):
            actors.tenant(cast.acme, f"more {number}")
            actors.network(cast.tenant, f"more {number}")
        for number in range(5):
            actors.rule(cast.production.db, 1000 + number)

    def test_it_is_stopped_changes_nothing_and_says_so(self, lose: Any, cast: Cast, cloud: MemoryCloud) -> None:
        before, gone = everything(), lose(cloud)
        message = (
            f"The refresh of acme was stopped and changed nothing: it would remove {gone}. "
            'If they are really gone, refresh with "force".'
        )
        task = request_refresh(provider=cast.acme, user=None)
        handle_provider_tasks([task], Grip())
        task.refresh_from_db()
        cast.acme.refresh_from_db()
        assert (task.state, task.status, task.message) == ("Finished", "Error", message)
        assert cast.acme.last_refresh_error == message
        assert everything() == before

    def test_it_goes_through_with_force(self, lose: Any, cast: Cast, cloud: MemoryCloud) -> None:
        lose(cloud)
        tasks = [request_refresh(provider=cast.acme, user=None, force=force) for force in (False, True)]
        handle_provider_tasks(tasks, Grip())
        assert {task.status for task in Task.objects.all()} == {"Ok"}
        assert Vm.objects.count() == len(cloud.instance_list)
        assert SecurityGroup.objects.count() == len(cloud.group_list)
        assert NetworkPort.objects.count() == len(cloud.port_list)
        assert CloudNetwork.objects.count() == len(cloud.network_list)
        assert CloudTenant.objects.count() == len(cloud.tenant_list)
        groups = {group.ref for group in cloud.group_list}
        assert FirewallRule.objects.count() == sum(rule.group_ref in groups for rule in cloud.rule_list)
        assert Membership.objects.count() == sum(
            len(groups.intersection(port.group_refs)) for port in cloud.port_list
        )

    def test_it_goes_through_where_the_settings_allow_it(
        self, lose: Any, cast: Cast, cloud: MemoryCloud, settings: Any
    ) -> None:
        lose(cloud)
        settings.REFRESH_GUARD_SHARE = 1.0
        refresh(cast.acme, Grip())

    def test_so_few_are_believed_as_the_settings_say(
        self, lose: Any, cast: Cast, cloud: MemoryCloud, settings: Any
    ) -> None:
        lose(cloud)
        settings.REFRESH_GUARD_MINIMUM = 7
        refresh(cast.acme, Grip())

    def test_of_one_tenant_it_is_stopped_too(self, lose: Any, cast: Cast, cloud: MemoryCloud) -> None:
        before, gone = everything(), lose(cloud)
        if lose is lose_tenants:  # of which this reads one
            refresh(cast.acme, Grip(), scope=Scope("cloud_tenant", "t-account"))
        else:
            with pytest.raises(TooManyGone, match=re.escape(gone)):
                refresh(cast.acme, Grip(), scope=Scope("cloud_tenant", "t-account"))
        assert everything() == before


def test_a_smaller_share_is_stopped_earlier(cast: Cast, cloud: MemoryCloud, settings: Any) -> None:
    cloud.terminate("i-staging-double")
    settings.REFRESH_GUARD_SHARE, settings.REFRESH_GUARD_MINIMUM = 0.2, 1
    with pytest.raises(TooManyGone, match="1 of 4 instances"):
        refresh(cast.acme, Grip())


def test_half_gone_is_believed(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.terminate("i-staging-double")
    cloud.terminate("i-staging-single")
    for name in ("default", "web", "db"):
        cloud.drop_group(f"sg-staging-{name}")
    refresh(cast.acme, Grip())
    assert (Vm.objects.count(), SecurityGroup.objects.count()) == (2, 3)


def test_it_says_of_each_kind_what_appeared_changed_and_went(cast: Cast, cloud: MemoryCloud) -> None:
    for port in (22, 80):
        cloud.rule_list.append(rule_of(actors.rule(cast.production.db, port)))
    cloud.terminate("i-staging-double")  # with two ports, each with a group
    cloud.instance_list.append(Instance("i-new", "new", "on", "running", "t-account"))
    cloud.port_list.append(Port("eni-new", instance_ref="i-new", group_refs=("sg-production-web", "sg-new")))
    cloud.group_list[0] = replace(cloud.group_list[0], description="another")
    cloud.group_list.append(Group("sg-new", "new", tenant_ref="t-account", network_ref="vpc-production"))
    cloud.rule_list = [replace(cloud.rule_list[0], port=443, end_port=443)]
    task = request_refresh(provider=cast.acme, user=None)
    handle_provider_tasks([task], Grip())
    task.refresh_from_db()
    assert task.message == (
        "Refreshed acme: 4 instances and 7 security groups. "
        "1 instance, 1 network port, 1 security group and 2 memberships appeared. "
        "1 security group and 1 firewall rule changed. "
        "1 instance, 2 network ports, 1 firewall rule and 2 memberships went."
    )
    found = task.context_data["found"]
    assert found["memberships"] == {"total": 6, "appeared": 2, "changed": 0, "went": 2}
    assert found["firewall_rules"] == {"total": 1, "appeared": 0, "changed": 1, "went": 1}
    assert found["cloud_tenants"] == {"total": 1, "appeared": 0, "changed": 0, "went": 0}


def test_several_queued_refreshes_are_answered_by_one_reading(cast: Cast, cloud: MemoryCloud) -> None:
    tasks = [request_refresh(provider=cast.acme, user=None) for _ in range(3)]
    handle_provider_tasks(tasks, Grip())
    assert cloud.calls == [("inventory", None)]
    assert {(task.state, task.status, task.message) for task in Task.objects.all()} == {
        ("Finished", "Ok", "Refreshed acme: 4 instances and 6 security groups. Nothing changed.")
    }


def test_a_refresh_that_goes_well_forgets_the_last_error(cast: Cast, cloud: MemoryCloud) -> None:
    Provider.objects.update(last_refresh_error="No answer.")
    before = timezone.now()
    cloud.script("inventory", meanwhile(lambda: times.append(timezone.now())))
    times: list[Any] = []
    refresh(cast.acme, Grip())
    cast.acme.refresh_from_db()
    assert cast.acme.last_refresh_error is None
    assert cast.acme.last_refresh_date is not None
    assert before <= cast.acme.last_refresh_date <= times[0]


def test_each_step_is_counted(cast: Cast, cloud: MemoryCloud) -> None:
    steps: list[int] = []
    refresh(cast.acme, Grip(), progress=lambda: steps.append(1))
    assert len(steps) == STEPS == 16


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"enabled": False}, "Provider acme is disabled."),
        ({"vendor": "nonsense"}, "Portcullis has no driver for nonsense."),
    ],
)
def test_a_provider_that_can_not_be_read_is_an_error(
    attributes: dict[str, Any], message: str, cast: Cast, cloud: MemoryCloud
) -> None:
    for name, value in attributes.items():
        setattr(cast.acme, name, value)
    cast.acme.save()
    before = everything()
    task = request_refresh(provider=cast.acme, user=None)
    handle_provider_tasks([task], Grip())
    cast.acme.refresh_from_db()
    assert (task.status, task.message) == ("Error", message)
    assert cast.acme.last_refresh_error == message
    assert not cloud.calls
    assert everything() == before


def test_the_refresh_of_a_provider_that_was_deleted_is_an_error(cast: Cast, cloud: MemoryCloud) -> None:
    task = request_refresh(provider=cast.acme, user=None)
    cast.acme.delete()
    task.refresh_from_db()
    handle_provider_tasks([task], Grip())
    assert (task.state, task.status, task.message) == ("Finished", "Error", "The provider was deleted.")


@pytest.mark.parametrize(
    ("source", "range_", "group"),
    [
        ({"source_ip_range": "10.0.0.0/8"}, "10.0.0.0/8", None),
        ({"source_group_ref": "sg-staging-db"}, None, "sg-staging-db"),
        ({"source_group_ref": "sg-of-another-account"}, "sg-of-another-account", None),
        ({"source_ip_range": "pl-123"}, "pl-123", None),
        ({}, None, None),
    ],
)
def test_a_rule_says_who_is_on_the_other_side(
    source: dict[str, str], range_: str | None, group: str | None, cast: Cast, cloud: MemoryCloud
) -> None:
    cloud.rule_list.append(Rule("sgr-1", "sg-staging-web", "inbound", **source))
    refresh(cast.acme, Grip())
    rule = FirewallRule.objects.get()
    assert rule.source_ip_range == range_
    assert (rule.source_security_group and rule.source_security_group.ems_ref) == group


def test_a_source_group_that_leaves_the_inventory_keeps_its_name_in_the_rule(
    cast: Cast, cloud: MemoryCloud
) -> None:
    cloud.rule_list.append(Rule("sgr-1", "sg-staging-web", "inbound", source_group_ref="sg-staging-db"))
    refresh(cast.acme, Grip())
    cloud.drop_group("sg-staging-db")
    refresh(cast.acme, Grip())
    rule = FirewallRule.objects.get()
    assert (rule.source_ip_range, rule.source_security_group) == ("sg-staging-db", None)


def test_a_rule_and_a_membership_of_a_group_that_was_not_read_are_left_out(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.rule_list.append(Rule("sgr-1", "sg-nowhere", "inbound"))
    cloud.set_port("eni-staging-single-1", group_refs=("sg-staging-web", "sg-nowhere"))
    refresh(cast.acme, Grip())
    assert not FirewallRule.objects.exists()
    assert actors.memberships(cast.staging.single) == {"eni-staging-single-1": {"sg-staging-web"}}


class TestWhatTheCloudDoesNotList:
    def test_a_tenant_stays_while_something_belongs_to_it(self, cast: Cast, cloud: MemoryCloud) -> None:
        """A project that was deleted, whose servers and groups stay, or one that a short list leaves out."""
        CloudTenant.objects.update(description="as it was")
        cloud.tenant_list.clear()
        cloud.group_list.append(
            Group("sg-other", "other", tenant_ref="t-deleted", shared_with=("t-far", EVERYBODY))
        )
        refresh(cast.acme, Grip())
        tenants = {one.ems_ref: (one.name, one.description) for one in CloudTenant.objects.all()}
        assert tenants == {
            "t-account": ("account", "as it was"),
            "t-deleted": ("t-deleted", None),
            "t-far": ("t-far", None),
        }
        assert Vm.objects.get(ems_ref="i-staging-single").cloud_tenant == cast.tenant

    def test_a_tenant_to_which_nothing_belongs_any_more_goes(self, cast: Cast, cloud: MemoryCloud) -> None:
        actors.tenant(cast.acme, "left")
        refresh(cast.acme, Grip())
        assert [one.ems_ref for one in CloudTenant.objects.all()] == ["t-account"]

    def test_a_tenant_that_is_listed_later_gets_its_name(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.group_list.append(Group("sg-other", "other", tenant_ref="t-new"))
        refresh(cast.acme, Grip())
        known = CloudTenant.objects.get(ems_ref="t-new")
        cloud.tenant_list.append(Tenant("t-new", "the new one"))
        refresh(cast.acme, Grip())
        assert CloudTenant.objects.get(name="the new one") == known

    def test_a_network_stays_while_something_is_in_it(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.network_list.clear()
        cloud.group_list.append(Group("sg-other", "other", network_ref="vpc-hidden"))
        refresh(cast.acme, Grip())
        assert {one.ems_ref: one.name for one in CloudNetwork.objects.all()} == {
            "vpc-production": "production",
            "vpc-staging": "staging",
            "vpc-hidden": "vpc-hidden",
        }
        assert CloudNetwork.objects.get(ems_ref="vpc-staging").cloud_tenant == cast.tenant

    @pytest.mark.parametrize("scope", [Scope("instance", "i-staging-single"), Scope("security_group", "sg-new")])
    def test_a_part_brings_its_tenant_and_network_in(self, scope: Scope, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.group_list.append(Group("sg-new", "new", tenant_ref="t-new", network_ref="vpc-new"))
        cloud.set_port("eni-staging-single-1", group_refs=("sg-staging-default", "sg-new"))
        refresh(cast.acme, Grip(), scope=scope)
        group = SecurityGroup.objects.get(ems_ref="sg-new")
        assert group.cloud_tenant == CloudTenant.objects.get(ems_ref="t-new")
        assert group.cloud_network == CloudNetwork.objects.get(ems_ref="vpc-new")


class TestPeers:
    def peers(self) -> dict[str, set[str]]:
        return {
            network.ems_ref: {peer.ems_ref for peer in network.peers.all()}
            for network in CloudNetwork.objects.all()
        }

    @pytest.mark.parametrize("named", ["both", "production", "staging"])
    def test_they_are_brought_in_both_ways_whichever_names_the_other(
        self, named: str, cast: Cast, cloud: MemoryCloud
    ) -> None:
        peers = {"vpc-production": ("vpc-staging", "vpc-elsewhere"), "vpc-staging": ("vpc-production",)}
        cloud.network_list = [
            replace(one, peer_refs=peers[one.ref]) if named in {one.name, "both"} else one
            for one in cloud.network_list
        ]
        refresh(cast.acme, Grip())
        assert self.peers() == {"vpc-production": {"vpc-staging"}, "vpc-staging": {"vpc-production"}}
        cloud.network_list = [replace(one, peer_refs=()) for one in cloud.network_list]
        refresh(cast.acme, Grip())
        assert self.peers() == {"vpc-production": set(), "vpc-staging": set()}

    def test_a_tenant_brings_those_of_its_networks_in_and_leaves_those_of_others(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        other = actors.tenant(cast.acme, "other")
        far, further = actors.network(other, "far"), actors.network(other, "further")
        far.peers.add(further)
        cast.production.network.peers.add(further)
        cloud.network_list = [
            replace(one, peer_refs=("vpc-far",)) if one.ref == "vpc-production" else one
            for one in cloud.network_list
        ]
        refresh(cast.acme, Grip(), scope=Scope("cloud_tenant", "t-account"))
        assert self.peers() == {
            "vpc-production": {"vpc-far"},
            "vpc-far": {"vpc-production", "vpc-further"},
            "vpc-further": {"vpc-far"},
            "vpc-staging": set(),
        }


class TestAssociations:
    @pytest.mark.parametrize("scope", [None, Scope("security_group", "sg-staging-web")])
    def test_they_are_brought_in(self, scope: Scope | None, cast: Cast, cloud: MemoryCloud) -> None:
        [web] = [one for one in cloud.group_list if one.ref == "sg-staging-web"]
        rest = [one for one in cloud.group_list if one is not web]
        for networks in [("vpc-production", "vpc-hidden"), ("vpc-staging",), ()]:
            cloud.group_list = [*rest, replace(web, associated_network_refs=networks)]
            refresh(cast.acme, Grip(), scope=scope)
            known = {one.ems_ref for one in cast.staging.web.associated_networks.all()}
            assert known == set(networks) - {"vpc-hidden"}
            [value] = SecurityGroup.objects.filter(pk=cast.staging.web.pk).as_values()
            assert set(value.associated_network_refs) == known

    def test_a_part_leaves_those_of_other_groups(self, cast: Cast, cloud: MemoryCloud) -> None:
        cast.staging.db.associated_networks.add(cast.production.network)
        refresh(cast.acme, Grip(), scope=Scope("security_group", "sg-staging-web"))
        assert cast.staging.db.associated_networks.count() == 1
