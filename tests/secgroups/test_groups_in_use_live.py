"""Replacing groups in use and deleting them at a live endpoint of EC2, which keeps groups in use as EC2 does."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from inventory.models import NetworkPort, Provider
from inventory.refresh import refresh
from secgroups.models import FirewallRule, Membership, SecurityGroup
from secgroups.services import detached_deletion, group_deletion
from tests import cast as actors
from tests.clouds import Grip
from tests.live.ec2 import Cast
from tests.live.faults import Answer, Call, FaultProxy, error_of_ec2
from tests.secgroups.editing import edited
from tests.secgroups.in_use import deleted, end, group_of, replaced, run

pytestmark = [pytest.mark.live, pytest.mark.django_db]

KEYS = {"userid": "AKIDTEST", "password": "secret"}


class KeepsGroupsInUse:
    """moto deletes any group. EC2 deletes none that an interface has, or a rule of another group names."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.refused: list[str] = []

    def __call__(self, call: Call) -> Answer | None:
        group = call.parameters["GroupId"]
        filters = [{"Name": "group-id", "Values": [group]}]
        interfaces = self.api.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        groups = self.api.describe_security_groups()["SecurityGroups"]
        if not interfaces and not any(_names(other, group) for other in groups):
            return None
        self.refused.append(group)
        return error_of_ec2("DependencyViolation", f"resource {group} has a dependent object")


def _names(other: Any, group: str) -> bool:
    """Whether another group has a rule that names this one."""
    permissions = (*other["IpPermissions"], *other["IpPermissionsEgress"])
    named = {pair["GroupId"] for permission in permissions for pair in permission["UserIdGroupPairs"]}
    return other["GroupId"] != group and group in named


@pytest.fixture
def admin(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_superuser("root")


@pytest.fixture
def ec2(ec2_api: Any) -> Cast:
    """Two groups that name each other. Both are on an instance, web alone is on another and on a port of none."""
    account = Cast(ec2_api)
    for group, port, source in (
        (account.web, 80, account.db),
        (account.db, 5432, account.web),
        (account.web, 22, account.web),
    ):
        account.allow(group, "tcp", port, port, UserIdGroupPairs=[{"GroupId": source}])
    account.instance(account.web, account.db, name="both", interfaces=2)
    account.instance(account.web, name="one")
    ec2_api.create_network_interface(SubnetId=account.subnet, Groups=[account.web])
    return account


@pytest.fixture
def keeper(ec2: Cast, ec2_proxy: FaultProxy) -> KeepsGroupsInUse:
    keeper = KeepsGroupsInUse(ec2.api)
    ec2_proxy.judge("DeleteSecurityGroup", keeper)
    return keeper


@pytest.fixture
def provider(keeper: KeepsGroupsInUse, ec2_proxy: FaultProxy) -> Provider:
    made = actors.provider("aws", url=ec2_proxy.url, credentials=KEYS)
    refresh(made, Grip())
    return made


def named(name: str) -> SecurityGroup:
    return SecurityGroup.objects.get(name=name)


def known() -> tuple[Any, ...]:
    """What the inventory has of who has which group, and of rules."""
    memberships = Membership.objects.values_list("network_port__ems_ref", "security_group__ems_ref")
    rules = FirewallRule.objects.values_list(
        "ems_ref", "security_group__ems_ref", "source_security_group__ems_ref"
    )
    return sorted(memberships), sorted(rules, key=str), [*SecurityGroup.objects.values_list("pk", "ems_ref")]


def test_one_that_is_in_use_is_kept_without_it(provider: Provider, keeper: KeepsGroupsInUse) -> None:
    [task] = edited(provider, group_deletion(group_of(named("web"))))
    assert (task.status, len(keeper.refused)) == ("Error", 1)


def test_both_are_deleted_and_nothing_is_refused(
    provider: Provider, keeper: KeepsGroupsInUse, admin: User, ec2: Cast
) -> None:
    tasks = [deleted(named(name), admin) for name in ("web", "db")]
    run()
    assert [end(task)[:2] for task in tasks] == [("Finished", "Ok")] * 2
    assert not keeper.refused
    there = {group["GroupId"] for group in ec2.api.describe_security_groups()["SecurityGroups"]}
    assert not there & {ec2.web, ec2.db}
    before = known()
    refresh(provider, Grip())
    assert known() == before


def test_one_is_replaced_in_one_write_a_port(
    provider: Provider, admin: User, ec2: Cast, ec2_proxy: FaultProxy
) -> None:
    ports = NetworkPort.objects.filter(security_groups=named("web")).count()
    ec2_proxy.calls.clear()
    task = replaced(named("web"), named("db"), admin)
    run()
    assert end(task)[:2] == ("Finished", "Ok")
    assert ec2_proxy.count("ModifyNetworkInterfaceAttribute") == ports == 4
    written = [call for call in ec2_proxy.calls if call.action == "ModifyNetworkInterfaceAttribute"]
    assert all(ec2.db in call.parameters.values() for call in written)
    assert not named("web").memberships.exists()
    assert not named("web").rules_that_name_it.exists()
    before = known()
    refresh(provider, Grip())
    assert known() == before


def test_a_lost_answer_leaves_nothing_half_done(
    provider: Provider, admin: User, keeper: KeepsGroupsInUse, ec2_proxy: FaultProxy
) -> None:
    for action in ("ModifyNetworkInterfaceAttribute", "RevokeSecurityGroupIngress", "DeleteSecurityGroup"):
        ec2_proxy.lose_answer(action)
    task = deleted(named("web"), admin)
    run()
    assert (end(task)[:2], keeper.refused) == (("Finished", "Ok"), [])


def test_the_default_group_is_kept(provider: Provider, admin: User) -> None:
    group = SecurityGroup.objects.filter(name="default").first()
    assert group
    decided: Any = detached_deletion(group_of(group), user=admin)
    assert "Cannot delete security group default" in decided.message
