"""Reverts from their acceptance to a live endpoint of EC2, and what the next refresh says of them."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.models import CloudNetwork, Provider, Task, Vm
from inventory.refresh import refresh
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.services import Edit, Refused, group_creation, group_deletion, rule_creation, rule_deletion
from tests import cast as actors
from tests.cast import memberships
from tests.clouds import Grip
from tests.live.ec2 import Cast
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.editing import edited
from tests.secgroups.reverting import reverted

pytestmark = [pytest.mark.live, pytest.mark.django_db]

ANYBODY = {"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "everybody"}]}


@pytest.fixture
def account(ec2_api: Any) -> Cast:
    account = Cast(ec2_api)
    account.allow(account.web, "tcp", 443, 443, **ANYBODY)
    account.allow(account.web, "icmp", 8, -1, Ipv6Ranges=[{"CidrIpv6": "2001:db8::/32"}])
    for group in (account.db, account.web):
        account.allow(account.web, "-1", UserIdGroupPairs=[{"GroupId": group}])
    account.instance(account.db, name="double", interfaces=2)
    return account


@pytest.fixture
def provider(account: Cast, ec2_url: str) -> Provider:
    """An account whose inventory was read."""
    made = actors.provider("aws", url=ec2_url, credentials={"userid": "AKIDTEST", "password": "secret"})
    refresh(made, Grip())
    return made


def rules_of(group: SecurityGroup) -> list[Any]:
    """Its rules, whatever their ids; `None` stands for the group itself."""
    columns = (
        "direction",
        "network_protocol",
        "host_protocol",
        "port",
        "end_port",
        "source_ip_range",
        "source_security_group",
        "description",
    )
    rows = FirewallRule.objects.filter(security_group=group).values_list(*columns)
    return sorted((tuple(None if part == group.pk else part for part in row) for row in rows), key=repr)


def done(provider: Provider, edit: Edit | Refused) -> Task:
    [task] = edited(provider, edit)
    assert task.status == "Ok", task.message
    return task


def assert_known(provider: Provider) -> None:
    """The inventory has what the cloud has."""
    found = refresh(provider, Grip(), force=True).findings
    assert not any(kind.appeared + kind.changed for kind in found.found.values()), found
    assert not found.went.total()


def test_memberships(provider: Provider) -> None:
    vm = Vm.objects.get()
    before = memberships(vm)
    for action, group in (("add", "web"), ("remove", "db")):
        queue(vm, action, group)  # type: ignore[arg-type]
    added, removed = carried_out(vm)
    after = memberships(vm)
    assert after != before
    back = [reverted(removed), reverted(added)]
    assert [task.status for task in back] == ["Ok"] * 2
    assert memberships(vm) == before
    assert_known(provider)
    assert [reverted(task).status for task in reversed(back)] == ["Ok"] * 2
    assert memberships(vm) == after
    assert_known(provider)


def test_every_rule_of_a_group(provider: Provider) -> None:
    web = SecurityGroup.objects.get(name="web")
    before = rules_of(web)
    tasks = [done(provider, rule_deletion(rule)) for rule in web.firewall_rules.all()]
    assert len(tasks) == len(before) == 5
    back = [reverted(task) for task in reversed(tasks)]
    assert [task.status for task in back] == ["Ok"] * len(tasks), [task.message for task in back]
    assert rules_of(web) == before
    assert_known(provider)
    assert [reverted(task).status for task in reversed(back)] == ["Ok"] * len(tasks)
    assert not web.firewall_rules.exists()
    assert_known(provider)


def test_a_group_with_its_rules(provider: Provider) -> None:
    web = SecurityGroup.objects.get(name="web")
    before = rules_of(web)
    task = done(provider, group_deletion(web))
    back = reverted(task)
    assert back.status == "Ok", back.message
    made = SecurityGroup.objects.get(name="web")
    assert made.pk != web.pk
    assert (made.description, made.cloud_network) == (web.description, web.cloud_network)
    assert rules_of(made) == before
    assert_known(provider)
    assert reverted(back).status == "Ok"
    assert not SecurityGroup.objects.filter(name="web").exists()
    assert_known(provider)


def test_a_new_group_and_its_rule(provider: Provider) -> None:
    network = CloudNetwork.objects.get(cidr="10.1.0.0/16")
    creation = done(provider, group_creation(provider, name="new", cloud_network=network))
    new = SecurityGroup.objects.get(name="new")
    rule = done(provider, rule_creation(new, direction="inbound", source_ip_range="0.0.0.0/0"))
    assert [reverted(task).status for task in (rule, creation)] == ["Ok"] * 2
    assert not SecurityGroup.objects.filter(name="new").exists()
    assert_known(provider)


def test_what_only_the_cloud_knows(provider: Provider, account: Cast) -> None:
    network = CloudNetwork.objects.get(cidr="10.1.0.0/16")
    creation = done(provider, group_creation(provider, name="new", cloud_network=network))
    new = SecurityGroup.objects.get(name="new")
    rule = done(provider, rule_creation(new, direction="inbound", source_ip_range="10.0.0.0/8"))
    ref = new.firewall_rules.get(direction="inbound").ems_ref
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "10.0.0.0/8"}
    changed = {"SecurityGroupRuleId": ref, "SecurityGroupRule": ssh}
    account.api.modify_security_group_rules(GroupId=new.ems_ref, SecurityGroupRules=[changed])
    assert "is not as it was left, found at the cloud at" in reverted(rule).message
    account.api.revoke_security_group_ingress(GroupId=new.ems_ref, SecurityGroupRuleIds=[ref])
    assert "no longer exists, found at the cloud at" in reverted(rule).message
    refresh(provider, Grip())
    account.instance(new.ems_ref, name="new")
    assert (
        f"Security group new is on port {port_of(account, new)}, found at the cloud at"
        in reverted(creation).message
    )


def port_of(account: Cast, group: SecurityGroup) -> str:
    of_group = [{"Name": "group-id", "Values": [group.ems_ref]}]
    [interface] = account.api.describe_network_interfaces(Filters=of_group)["NetworkInterfaces"]
    return str(interface["NetworkInterfaceId"])
