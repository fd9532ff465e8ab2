"""An installation of f3d7f62 with unfinished tasks goes on under the code of today."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client

from inventory.drivers.values import EVERYBODY
from inventory.models import CallRate, CloudTenant, Grant, IdempotencyKey, NetworkPort, Provider, Tally, Task, Vm
from inventory.runner import run_queue, sweep
from secgroups.models import FirewallRule, Membership, SecurityGroup
from tests.clouds import Clock, MemoryCloud, mirror
from tests.upgrade.conftest import Upgraded, rows_by_table

# As `populate` has them, which is a script for the old code.
LONG = "n" * 255
TOKEN = "0" * 64
#: What grows with the code, or is written anew by its migrations.
OF_THE_CODE = {"auth_permission", "django_content_type", "django_migrations", "inventory_tally"}
TALLIED: list[Any] = [Vm, NetworkPort, SecurityGroup, FirewallRule]

#: The unfinished tasks that can't end well: theirs is gone, or disabled.
IN_VAIN = {"Orphan of vms/999", "Orphan of providers/999", "Orphan of security_groups/999", "Refresh of asleep"}


def test_nothing_is_lost(upgraded: Upgraded) -> None:
    after = rows_by_table()
    # Groups for the roles, of which nobody is a member. The viewers that were there before have got nothing.
    made = {"operator", "manager", "owner"}
    assert set(Grant.objects.values_list("group__name", "role")) == {(role, role) for role in made}
    assert not Grant.objects.filter(group__user__isnull=False).exists()
    assert Group.objects.filter(name__in=made | {"viewer"}).count() == 4
    after["auth_group"] -= len(made)
    assert {table: after.get(table) for table in upgraded.before.keys() - OF_THE_CODE} == {
        table: number for table, number in upgraded.before.items() if table not in OF_THE_CODE
    }
    assert all(upgraded.before[table] for table in ("inventory_task", "inventory_lease", "secgroups_membership"))
    assert (IdempotencyKey.objects.count(), CallRate.objects.count()) == (2, 1)
    long = Vm.objects.get(ems_ref="i-production-long")
    assert (long.name, long.description, long.security_groups.get().name) == (LONG, LONG, LONG)
    assert CloudTenant.objects.get(ems_ref="t-beta").security_groups_shared_with_it.get().name == "web"
    assert Vm.objects.get(name="nobody-1").cloud_tenant is None


def test_finished_changes_may_name_a_group_of_another_tenant(upgraded: Upgraded) -> None:
    changes = Task.objects.filter(queue__startswith="vms/")
    marked = changes.filter(arguments__has_key="names_others")
    assert set(marked) == set(changes.filter(state="Finished"))
    assert 0 < marked.count() < changes.count()
    assert not Task.objects.exclude(queue__startswith="vms/").filter(arguments__has_key="names_others").exists()


def test_what_is_counted_is_right_and_goes_on_being_counted(upgraded: Upgraded) -> None:
    def assert_exact() -> None:
        for model in TALLIED:
            assert model.objects.count() == len(model.objects.values_list("pk"))
            for provider in Provider.objects.all():
                of = model.objects.filter(provider=provider)
                assert of.count() == len(of.values_list("pk"))
        for model in (Vm, NetworkPort, SecurityGroup):
            for tenant in CloudTenant.objects.all():
                of = model.objects.filter(cloud_tenant=tenant)
                assert of.stored_count_query() is not None
                assert of.count() == len(of.values_list("pk"))

    assert_exact()
    acme = Provider.objects.get(name="acme")
    FirewallRule.objects.filter(provider=acme).first().delete()  # type: ignore[union-attr]
    Vm.objects.get(name="beta-1").delete()
    NetworkPort.objects.create(provider=acme, ems_ref="eni-new")
    SecurityGroup.objects.filter(name="unused").update(provider=Provider.objects.get(name="asleep"))
    Vm.objects.filter(cloud_tenant=None).update(cloud_tenant=CloudTenant.objects.get(ems_ref="t-beta"))
    assert_exact()
    Tally.objects.fold()
    assert_exact()


@pytest.mark.parametrize(
    "again",
    [
        lambda: Provider.objects.create(name="acme"),
        lambda: NetworkPort.objects.create(provider_id=1, ems_ref="eni-of-a-balancer"),
        lambda: Membership.objects.create(**Membership.objects.values("security_group_id", "network_port_id")[0]),
    ],
    ids=["a name", "an id of the cloud", "a membership"],
)
def test_what_was_unique_still_is(upgraded: Upgraded, again: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        again()


def test_secrets_are_still_understood(upgraded: Upgraded) -> None:
    assert Provider.objects.get(name="acme").credentials == {"userid": "AKIDOLD", "password": "old secret"}
    assert Client().login(username="operator", password="secret")
    answer = Client().get("/api/instances", headers={"X-Auth-Token": TOKEN})
    assert answer.status_code == 200


def test_each_protocol_has_one_spelling_before_the_next_refresh(upgraded: Upgraded) -> None:
    def spelled(provider: str) -> set[str | None]:
        return set(FirewallRule.objects.filter(provider__name=provider).values_list("host_protocol", flat=True))

    assert spelled("acme") == {"tcp", "icmpv6", "esp", None}
    assert spelled("private") == {"tcp", "udp", "icmp", "icmpv6", "vrrp", "99", "ipv4", None}
    assert spelled("picture") == {"tcp", "hopopt", None}
    assert not FirewallRule.objects.filter(network_protocol="IPV6", host_protocol="icmp").exists()


def test_rows_have_the_vendor_of_which_their_type_is_made(upgraded: Upgraded) -> None:
    vendors = dict(Provider.objects.values_list("name", "vendor"))
    whole = "ManageIQ::Providers::Vmware::InfraManager"  # of another form than those of clouds
    assert {name: vendors[name] for name in ("acme", "private", "picture", "vsphere")} == {
        "acme": "amazon",
        "private": "openstack",
        "picture": "file",
        "vsphere": whole,
    }
    assert set(SecurityGroup.objects.values_list("vendor", flat=True)) == {"amazon", "openstack"}
    assert set(Vm.objects.values_list("vendor", flat=True)) == {"amazon", "openstack", "vmware"}
    client = Client()
    assert client.login(username="admin", password="secret")
    listed = client.get("/api/providers", {"expand": "resources"}).json()["resources"]
    types = {provider["name"]: provider["type"] for provider in listed}
    assert (types["private"], types["vsphere"]) == ("ManageIQ::Providers::Openstack::CloudManager", whole)


@pytest.fixture
def clouds(upgraded: Upgraded, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> dict[str, MemoryCloud]:
    """The clouds that the providers were refreshed from, with what the workers did before they died."""
    clouds = {provider.name: mirror(provider) for provider in Provider.objects.all()}
    acme = clouds["acme"]
    acme.set_port("eni-staging-double-1", group_refs=("sg-staging-default", "sg-staging-web"))
    begun = next(group for group in acme.group_list if group.ref == "sg-staging-db")
    acme.group_list += [
        replace(begun, ref="sg-begun", name="begun"),
        replace(begun, ref="sg-behind", name="behind", network_ref="vpc-production"),
    ]
    private = clouds["private"]
    private.minimum_groups_per_port, private.groups_have_networks = 0, False
    shares = {"group-alpha-web": ("t-beta",), "group-alpha-for-all": (EVERYBODY,)}
    private.group_list = [replace(group, shared_with=shares.get(group.ref, ())) for group in private.group_list]
    monkeypatch.setattr(Provider, "driver", lambda provider, *args, **kwargs: clouds[provider.name])
    return clouds


def carry_out_everything() -> None:
    """As workers do that are told of every queue; each is told twice, and the second finds nothing."""
    sweep()
    for _ in range(2):
        for queue in Task.objects.unfinished().order_by("queue").values_list("queue", flat=True).distinct():
            run_queue(queue)


def test_unfinished_tasks_are_carried_out(clouds: dict[str, MemoryCloud]) -> None:
    unfinished = dict(Task.objects.unfinished().values_list("pk", "name"))
    carry_out_everything()
    ended = Task.objects.filter(pk__in=unfinished)
    assert {task.state for task in ended} == {"Finished"}
    assert {task.name: task.message for task in ended if task.status != "Ok" and task.name not in IN_VAIN} == {}
    assert {task.name for task in ended if task.status == "Error"} == IN_VAIN

    acme, private = clouds["acme"], clouds["private"]
    web, db = "sg-production-web", "sg-production-db"
    assert set(acme.port("eni-production-single-1").group_refs) == {web, db, "sg-behind"}
    assert set(acme.port("eni-production-double-1").group_refs) == {"sg-production-default", db}
    assert set(acme.port("eni-production-double-2").group_refs) == {"sg-production-default"}
    for port in ("eni-staging-double-1", "eni-staging-double-2"):
        assert set(acme.port(port).group_refs) == {"sg-staging-default", "sg-staging-web"}
    assert private.port("port-beta").group_refs == ("group-alpha-web",)

    # What one of them began was found again, not made a second time.
    assert [group.ref for group in acme.group_list if group.name == "begun"] == ["sg-begun"]
    assert {group.name for group in acme.group_list} >= {"new"}
    assert "sg-production-unused" not in {group.ref for group in acme.group_list}
    assert "sgr-list" not in {rule.ref for rule in acme.rule_list}
    assert {(rule.group_ref, rule.port) for rule in acme.rule_list} >= {(db, 443)}
    assert ("www", "edited") in {(group.name, group.description) for group in private.group_list}


def test_a_rule_that_was_asked_for_in_another_spelling_is_found(clouds: dict[str, MemoryCloud]) -> None:
    carry_out_everything()
    task = Task.objects.get(name="Creating rule inbound ipv6-icmp from 10.0.0.0/8 of security group web")
    shown = task.context_data["firewall_rule"]
    found = FirewallRule.objects.get(pk=shown["id"])
    assert (found.ems_ref, found.host_protocol) == (shown["ems_ref"], "icmpv6")
    assert found.security_group.ems_ref == "group-beta-web"


def test_what_was_done_is_in_the_inventory(clouds: dict[str, MemoryCloud]) -> None:
    carry_out_everything()
    for name, cloud in clouds.items():
        of = {"provider__name": name}
        assert set(SecurityGroup.objects.filter(**of).values_list("ems_ref", "name")) == {
            (group.ref, group.name) for group in cloud.group_list
        }
        assert set(FirewallRule.objects.filter(**of).values_list("ems_ref", flat=True)) == {
            rule.ref for rule in cloud.rule_list
        }
        memberships = Membership.objects.filter(security_group__provider__name=name)
        assert set(memberships.values_list("network_port__ems_ref", "security_group__ems_ref")) == {
            (port.ref, group) for port in cloud.port_list for group in port.group_refs
        }


@pytest.mark.parametrize(
    "collection",
    [
        "providers",
        "cloud_tenants",
        "cloud_networks",
        "instances",
        "vms",
        "security_groups",
        "firewall_rules",
        "network_ports",
        "tasks",
        "users",
        "groups",
    ],
)
def test_it_is_read_over_the_api(upgraded: Upgraded, collection: str) -> None:
    client = Client()
    assert client.login(username="admin", password="secret")
    listed = client.get(f"/api/{collection}", {"expand": "resources"}).json()
    assert listed["count"] == listed["subcount"] == len(listed["resources"]) > 0
    for resource in listed["resources"]:
        assert client.get(f"/api/{collection}/{resource['id']}").json()["href"] == resource["href"]
