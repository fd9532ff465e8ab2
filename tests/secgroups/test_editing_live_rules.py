"""Edits of rules on a live EC2 endpoint whose answers are not what one would expect."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from inventory.drivers.ec2 import Ec2Driver
from inventory.models import Provider
from inventory.refresh import refresh
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.services import Edit, rule_creation
from tests import cast as actors
from tests.clouds import Grip
from tests.live.ec2 import Cast
from tests.live.faults import FaultProxy
from tests.secgroups.editing import edited

pytestmark = [pytest.mark.django_db, pytest.mark.live]

NOTHING_MADE = (
    "<AuthorizeSecurityGroupIngressResponse><requestId>r</requestId><return>true</return>"
    "</AuthorizeSecurityGroupIngressResponse>"
)


@pytest.fixture
def aws(ec2_proxy: FaultProxy, ec2_api: Any) -> Provider:
    """A provider that was refreshed, behind the proxy."""
    Cast(ec2_api)
    made = actors.provider("aws", url=ec2_proxy.url, credentials={"userid": "AKIDTEST", "password": "secret"})
    refresh(made, Grip())
    return made


@pytest.fixture
def web(aws: Provider) -> SecurityGroup:
    return SecurityGroup.objects.get(name="web")


def rule(group: SecurityGroup, port: int | None, protocol: str | None = "tcp") -> Edit:
    decided = rule_creation(
        group,
        direction="inbound",
        network_protocol="IPV4",
        host_protocol=protocol,
        port=port,
        end_port=port,
        source_ip_range="10.0.0.0/8",
    )
    assert isinstance(decided, Edit)
    return decided


@pytest.mark.parametrize("protocol", ["tcp", "icmp", None])
def test_a_rule_that_is_there_is_named_also_where_it_is_for_all_ports(
    aws: Provider, web: SecurityGroup, protocol: str | None
) -> None:
    [first] = edited(aws, rule(web, None, protocol))
    [again] = edited(aws, rule(web, None, protocol))
    assert "nothing to do" in again.message
    assert again.context_data["firewall_rule"]["ems_ref"] == first.context_data["firewall_rule"]["ems_ref"]
    assert again.context_data["firewall_rule"]["id"]


def test_an_answer_that_names_no_rule_is_asked_for_again(
    aws: Provider, web: SecurityGroup, ec2_proxy: FaultProxy
) -> None:
    ec2_proxy.answer("AuthorizeSecurityGroupIngress", NOTHING_MADE)
    [task] = edited(aws, rule(web, 22))
    assert task.status == "Ok"
    assert FirewallRule.objects.filter(security_group=web, port=22).count() == 1


def test_what_nobody_foresaw_ends_one_task_and_not_those_beside_it(
    aws: Provider, web: SecurityGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_rule = Ec2Driver.create_rule

    def broken(driver: Ec2Driver, wanted: Any) -> Any:
        return {}["odd"] if wanted.port == 1 else create_rule(driver, wanted)

    monkeypatch.setattr(Ec2Driver, "create_rule", broken)
    tasks = edited(aws, rule(web, 1), rule(web, 2))
    assert [task.status for task in tasks] == ["Error", "Ok"]
    assert tasks[0].message.endswith("Internal error (KeyError). See the Portcullis log for details.")


@pytest.mark.parametrize("scoped", ["fe80::1%eth0/64", "fe80::%1/64"])
def test_a_range_that_no_cloud_understands_is_refused(
    admin_client: Client, web: SecurityGroup, scoped: str
) -> None:
    body = {"direction": "inbound", "host_protocol": "tcp", "port": 80, "source_ip_range": scoped}
    answer = admin_client.post(
        f"/api/security_groups/{web.pk}/firewall_rules", body, content_type="application/json"
    )
    assert answer.status_code == 400
    assert f"{scoped} is not a valid CIDR." in answer.json()["results"][0]["message"]
