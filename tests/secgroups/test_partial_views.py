"""Who is shown a part of a cloud: what the inventory has of the rest stays, and what is shown is brought in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone

from inventory.deletion import handle_provider_tasks
from inventory.drivers.values import Scope
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Task, Vm
from inventory.services import request_refresh, request_refresh_of
from secgroups.models import AddressList, FirewallRule, Membership, SecurityGroup
from secgroups.services.edits import group_deletion, rule_deletion
from tests.clouds import Grip
from tests.secgroups.editing import edited
from tests.secgroups.small_clouds import Account, Stack, provider_of

OWN, OTHER = "own", "other"
SHARES, ASSOCIATIONS = SecurityGroup.shared_with.through, SecurityGroup.associated_networks.through
PEERS = CloudNetwork.peers.through
INVENTORY: list[Any] = [
    CloudTenant, CloudNetwork, Vm, NetworkPort, SecurityGroup, FirewallRule, Membership, AddressList, SHARES,
    ASSOCIATIONS, PEERS,
]  # fmt: skip
EVERY_SERVICE = {"identity", "compute", "network"}


def of(project: str) -> dict[str, list[dict[str, Any]]]:
    """What a project has: a server whose port has a group with a rule, which names an address group, and a group
    that is shared with both.
    """
    return {
        "servers": [{"id": f"s-{project}", "name": project, "status": "ACTIVE", "tenant_id": project}],
        "networks": [{"id": f"n-{project}", "name": project, "project_id": project}],
        "groups": [{"id": f"sg-{name}-{project}", "name": name, "project_id": project} for name in ("web", "all")],
        "rules": [
            {"id": f"r-{project}", "security_group_id": f"sg-web-{project}", "direction": "ingress"}
            | {"ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
            | {"remote_address_group_id": f"ag-{project}"}
        ],
        "address_groups": [
            {"id": f"ag-{project}", "name": project, "project_id": project, "addresses": ["10.0.0.0/8"]}
        ],
        "ports": [
            {
                "id": f"p-{project}",
                "device_id": f"s-{project}",
                "project_id": project,
                "network_id": f"n-{project}",
            }
            | {"security_groups": [f"sg-web-{project}"], "fixed_ips": [{"ip_address": "10.0.0.1"}]}
        ],
        "floating": [
            {"id": f"f-{project}", "port_id": f"p-{project}", "project_id": project}
            | {"floating_ip_address": f"198.51.100.{len(project)}"}
        ],
    }


@pytest.fixture
def stack() -> Stack:
    """Two projects, each with the other's group on a port as well, and a group that is shared with everybody."""
    own, other = of(OWN), of(OTHER)
    found = {kind: own[kind] + other[kind] for kind in own}
    for port in found["ports"]:
        port["security_groups"] += ["sg-all-own", "sg-all-other", "sg-web-own", "sg-web-other"]
    shares = [("sg-all-other", "*"), ("sg-all-other", "third"), ("sg-all-other", OWN), ("sg-all-own", OTHER)]
    policies = [
        {"id": f"rbac-{at}", "object_id": group, "target_tenant": to} for at, (group, to) in enumerate(shares)
    ]
    projects = [{"id": one, "name": one} for one in (OWN, OTHER, "third")]
    return Stack(projects=projects, policies=policies, project_ref=OWN, **found)


@pytest.fixture
def provider(db: None, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """A provider that has read all of it as an administrator."""
    return connected(stack, monkeypatch)


def connected(cloud: Stack | Account, monkeypatch: pytest.MonkeyPatch) -> Provider:
    provider = provider_of(cloud, monkeypatch)
    refreshed(provider)
    return provider


def refreshed(provider: Provider, scope: Scope | None = None, *, force: bool = False) -> Task:
    task = (
        request_refresh_of(scope=scope, name="it", provider=provider, user=None, force=force)
        if scope
        else request_refresh(provider=provider, user=None, force=force)
    )
    handle_provider_tasks([task], Grip())
    task.refresh_from_db()
    return task


def everything() -> dict[str, list[dict[str, Any]]]:
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in INVENTORY}


def refs(model: Any) -> set[str]:
    return set(model.objects.values_list("ems_ref", flat=True))


class TestACredentialThatIsNoAdministratorsAnyMore:
    @pytest.mark.parametrize("services", ["identity compute network", "compute", "network", "identity"])
    def test_nothing_is_lost(self, stack: Stack, provider: Provider, services: str) -> None:
        before = everything()
        assert len(before["Membership"]) == 8
        stack.member_of = set(services.split())
        task = refreshed(provider)
        assert everything() == before
        assert "Nothing changed." in task.message

    def test_the_refresh_says_what_was_not_shown(self, stack: Stack, provider: Provider) -> None:
        stack.member_of = EVERY_SERVICE
        task = refreshed(provider)
        assert task.status == "Warn"
        assert task.message == (
            "Refreshed cloud: 1 instance and 3 security groups. Nothing changed. "
            "1 cloud tenant, 1 cloud network, 1 instance, 1 network port, 1 security group and 1 firewall rule "
            "were not shown to these credentials and stay as they were. "
            'If they are really gone, refresh with "force".'
        )
        kinds = (
            "cloud_tenants",
            "cloud_networks",
            "instances",
            "network_ports",
            "security_groups",
            "firewall_rules",
        )
        assert task.context_data["not_shown"] == dict.fromkeys(kinds, 1)
        stack.member_of = set()
        assert refreshed(provider).status == "Ok"

    def test_force_removes_it(self, stack: Stack, provider: Provider) -> None:
        stack.member_of = EVERY_SERVICE
        assert refreshed(provider, force=True).status == "Ok"
        assert refs(Vm) == {"s-own"}
        assert refs(SecurityGroup) == {"sg-web-own", "sg-all-own", "sg-all-other"}

    def test_what_is_its_own_goes_and_changes(self, stack: Stack, provider: Provider) -> None:
        stack.member_of = EVERY_SERVICE
        for kind in (stack.servers, stack.ports, stack.rules):
            kind[:] = [one for one in kind if not one["id"].endswith("-own")]
        stack.groups[0]["name"] = "www"
        refreshed(provider)
        assert (refs(Vm), refs(NetworkPort), refs(FirewallRule)) == ({"s-other"}, {"p-other"}, {"r-other"})
        assert SecurityGroup.objects.get(ems_ref="sg-web-own").name == "www"
        assert Membership.objects.count() == 4

    @pytest.mark.parametrize("ref", ["s-other", "s-unknown"])
    def test_a_server_that_is_not_found_is_not_gone(self, stack: Stack, provider: Provider, ref: str) -> None:
        Vm.objects.filter(ems_ref="s-other").update(ems_ref=ref, cloud_tenant=None)
        stack.member_of = EVERY_SERVICE
        before = everything()
        task = refreshed(provider, Scope("instance", ref))
        assert everything() == before
        assert (task.status, "can't see" in task.message) == ("Warn", True)
        refreshed(provider, Scope("instance", ref), force=True)
        assert refs(Vm) == {"s-own"}

    def test_its_own_server_that_is_not_found_is_gone(self, stack: Stack, provider: Provider) -> None:
        stack.member_of = EVERY_SERVICE
        stack.servers, stack.ports = stack.servers[1:], stack.ports[1:]
        assert "was removed from the inventory" in refreshed(provider, Scope("instance", "s-own")).message
        assert (refs(Vm), refs(NetworkPort)) == ({"s-other"}, {"p-other"})

    @pytest.mark.parametrize("ref", ["sg-web-own", "sg-web-other", "sg-all-own", "sg-all-other"])
    def test_a_group_keeps_what_is_not_shown(self, stack: Stack, provider: Provider, ref: str) -> None:
        stack.member_of = EVERY_SERVICE
        before = everything()
        refreshed(provider, Scope("security_group", ref))
        assert everything() == before

    @pytest.mark.parametrize("ref", [OWN, OTHER])
    def test_a_tenant_keeps_what_is_not_shown(self, stack: Stack, provider: Provider, ref: str) -> None:
        stack.member_of = EVERY_SERVICE
        before = everything()
        refreshed(provider, Scope("cloud_tenant", ref))
        assert everything() == before

    @pytest.mark.parametrize(("project", "status"), [(OTHER, "Error"), (OWN, "Ok")])
    def test_what_is_not_found_is_deleted_only_where_it_would_be_shown(
        self, stack: Stack, provider: Provider, project: str, status: str
    ) -> None:
        stack.member_of = EVERY_SERVICE
        old = timezone.now() - timedelta(days=1)
        SecurityGroup.objects.update(created_on=old)
        Membership.objects.all().delete()
        group = SecurityGroup.objects.get(ems_ref=f"sg-web-{project}")
        rule = FirewallRule.objects.get(ems_ref=f"r-{project}")
        [of_rule] = edited(provider, rule_deletion(rule))
        [of_group] = edited(provider, group_deletion(group))
        assert {of_rule.status, of_group.status} == {status}, (of_rule.message, of_group.message)
        assert SecurityGroup.objects.filter(pk=group.pk).exists() == (status == "Error")
        assert FirewallRule.objects.filter(pk=rule.pk).exists() == (status == "Error")

    def test_a_tenant_that_owns_what_is_not_shown_stays(self, stack: Stack, provider: Provider) -> None:
        stack.member_of, stack.policies = {"compute"}, []
        del stack.projects[1:]
        for kind in (stack.networks, stack.groups, stack.ports, stack.rules):
            kind[:] = [one for one in kind if not one["id"].endswith("-other")]
        refreshed(provider)
        assert Vm.objects.get(ems_ref="s-other").cloud_tenant == CloudTenant.objects.get(ems_ref=OTHER)
        assert refs(CloudTenant) == {OWN, OTHER}


class TestAListThatIsRefusedAltogether:
    """It is of an extension, and so it ends no refresh; but it tells nothing."""

    def test_shares_stay(self, stack: Stack, provider: Provider) -> None:
        before = everything()
        stack.refused = {"rbac_policies"}
        refreshed(provider)
        assert everything() == before
        refreshed(provider, Scope("security_group", "sg-all-other"))
        assert everything() == before
        refreshed(provider, force=True)
        assert not SecurityGroup.objects.filter(Q(shared=True) & Q(ems_ref="sg-all-own")).exists()
        assert not SHARES.objects.filter(securitygroup__ems_ref="sg-all-own").exists()

    def test_floating_addresses_stay(self, stack: Stack, provider: Provider) -> None:
        before = everything()
        assert all(len(port["ipaddresses"]) == 2 for port in before["NetworkPort"])
        stack.refused = {"floatingips"}
        for scope in (
            None,
            Scope("cloud_tenant", OWN),
            Scope("instance", "s-own"),
            Scope("security_group", "sg-all-own"),
        ):
            refreshed(provider, scope)
            assert everything() == before

    def test_peers_stay(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        vpcs = [{"VpcId": f"vpc-{number}", "OwnerId": "1"} for number in (1, 2, 3)]
        peerings = [
            {"RequesterVpcInfo": {"VpcId": one}, "AccepterVpcInfo": {"VpcId": other}, "Status": {"Code": code}}
            for one, other, code in (
                ("vpc-1", "vpc-2", "active"),
                ("vpc-1", "vpc-3", "deleted"),
                ("vpc-9", "vpc-1", "active"),
            )
        ]
        account = Account(vpcs=vpcs, peerings=peerings)
        provider = connected(account, monkeypatch)
        assert set(PEERS.objects.values_list("from_cloudnetwork__ems_ref", "to_cloudnetwork__ems_ref")) == {
            ("vpc-1", "vpc-2"),
            ("vpc-2", "vpc-1"),
        }
        before = everything()
        account.refused = {"VpcPeeringConnections"}
        refreshed(provider)
        assert everything() == before
        refreshed(provider, Scope("cloud_tenant", "1"))
        assert everything() == before
        account.refused, account.peerings = set(), []
        refreshed(provider)
        assert not PEERS.objects.exists()

    @pytest.mark.parametrize(
        "scope", [None, Scope("security_group", "sg-web-other"), Scope("cloud_tenant", OTHER)]
    )
    def test_address_groups_stay(self, stack: Stack, provider: Provider, scope: Scope | None) -> None:
        before = everything()
        assert [row["entries"] for row in before["AddressList"]] == [["10.0.0.0/8"]] * 2
        stack.refused = {"address_groups"}
        refreshed(provider, scope)
        assert everything() == before
        stack.refused = set()
        for address_group in stack.address_groups:
            address_group["addresses"] = []
        refreshed(provider)
        assert set(AddressList.objects.values_list("entries__0", flat=True)) == {None}
        assert not AddressList.objects.filter(entries__isnull=True).exists()

    @pytest.mark.parametrize("key", ["PrefixLists", "Entries"])
    def test_prefix_lists_stay(self, key: str, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        account = Account(
            groups=[{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "OwnerId": "1"}],
            rules=[
                {"SecurityGroupRuleId": "r-1", "GroupId": "sg-1", "IsEgress": False, "IpProtocol": "-1"}
                | {"PrefixListId": "pl-1"}
            ],
            prefix_lists=[{"PrefixListId": "pl-1", "PrefixListName": "offices", "OwnerId": "1"}],
            entries={"pl-1": [{"Cidr": "10.0.0.0/8"}]},
        )
        provider = connected(account, monkeypatch)
        before = everything()
        assert before["AddressList"][0]["entries"] == ["10.0.0.0/8"]
        account.refused = {key}
        refreshed(provider)
        assert everything() == before
        refreshed(provider, Scope("security_group", "sg-1"))
        assert everything() == before
        refreshed(provider, force=True)
        assert AddressList.objects.get().entries is None

    def test_associations_stay(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        vpcs = [{"VpcId": f"vpc-{number}", "OwnerId": "1"} for number in (1, 2)]
        group = {"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "OwnerId": "1"}
        association = {"GroupId": "sg-1", "VpcId": "vpc-2", "State": "associated"}
        account = Account(vpcs=vpcs, groups=[group], associations=[association])
        provider = connected(account, monkeypatch)
        before = everything()
        assert len(before[ASSOCIATIONS.__name__]) == 1
        account.refused = {"SecurityGroupVpcAssociations"}
        refreshed(provider)
        assert everything() == before
        refreshed(provider, Scope("security_group", "sg-1"))
        assert everything() == before
        account.refused, account.associations = set(), []
        refreshed(provider)
        assert not ASSOCIATIONS.objects.exists()
