"""Edits from their acceptance to a live endpoint of EC2, and what the next refresh says of them."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.drivers.values import Inventory
from inventory.models import CloudNetwork, Provider
from inventory.refresh import refresh
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.services import group_creation, group_deletion, rule_creation, rule_deletion
from tests import cast as actors
from tests.clouds import Grip
from tests.live.ec2 import Cast
from tests.live.faults import FaultProxy
from tests.secgroups.editing import edited

pytestmark = [pytest.mark.live, pytest.mark.django_db]

KEYS = {"userid": "AKIDTEST", "password": "secret"}


@pytest.fixture
def provider(ec2_proxy: FaultProxy, ec2_api: Any) -> Provider:
    """An account whose inventory was read."""
    Cast(ec2_api)
    made = actors.provider("aws", url=ec2_proxy.url, credentials=KEYS)
    refresh(made, Grip())
    return made


def rows() -> tuple[list[Any], list[Any]]:
    """Everything that is held of groups and rules, but for times."""
    groups = SecurityGroup.objects.values(
        "pk", "ems_ref", "name", "description", "vendor", "cloud_tenant", "cloud_network"
    )
    return list(groups), list(FirewallRule.objects.values())


def test_what_an_edit_writes_is_what_a_refresh_reads(provider: Provider) -> None:
    network = CloudNetwork.objects.get(cidr="10.1.0.0/16")
    edited(provider, group_creation(provider, name="new", cloud_network=network))
    group = SecurityGroup.objects.get(name="new")
    peer = SecurityGroup.objects.get(name="web")
    tcp = {"host_protocol": "tcp", "port": 443, "end_port": 443}
    tasks = edited(
        provider,
        rule_creation(group, direction="inbound", source_ip_range="10.0.0.0/8", network_protocol="IPV4", **tcp),
        rule_creation(group, direction="outbound", source_ip_range="2001:db8::/32", description="out", **tcp),
        rule_creation(group, direction="inbound", source_security_group=peer, **tcp),
        rule_deletion(group.firewall_rules.get(direction="outbound")),
    )
    assert [task.status for task in tasks] == ["Ok"] * 4
    assert group.firewall_rules.count() == 3

    before = rows()
    refresh(provider, Grip())
    assert rows() == before


def test_what_is_deleted_stays_so(provider: Provider) -> None:
    edited(provider, group_creation(provider, name="new"))
    [task] = edited(provider, group_deletion(SecurityGroup.objects.get(name="new")))
    assert (task.status, task.message) == ("Ok", "Deleted security group new.")
    refresh(provider, Grip())
    assert not SecurityGroup.objects.filter(name="new").exists()


def test_a_lost_answer_makes_no_second_group(provider: Provider, ec2_proxy: FaultProxy) -> None:
    ec2_proxy.lose_answer("CreateSecurityGroup")
    [task] = edited(provider, group_creation(provider, name="new"))
    assert (task.status, task.message) == ("Ok", "Created security group new.")
    assert ec2_proxy.count("CreateSecurityGroup") == 1
    found: Inventory = provider.driver().inventory()
    assert [group.ref for group in found.groups if group.name == "new"] == [
        SecurityGroup.objects.get(name="new").ems_ref
    ]


def test_a_name_that_the_network_has_is_refused_in_plain_words(provider: Provider) -> None:
    network = CloudNetwork.objects.get(cidr="10.1.0.0/16")
    [task] = edited(provider, group_creation(provider, name="web", cloud_network=network))
    assert task.status == "Error"
    assert task.message.startswith(
        "Cannot create security group web: The VPC already has a security group with this name."
    )
