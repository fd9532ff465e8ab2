"""The EC2 driver against a live endpoint: making and deleting groups and rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.exceptions import AlreadyThere, CloudRefused, CloudUnavailable, GroupNotFound, RuleNotFound
from inventory.drivers.values import Group, Rule
from tests.live.ec2 import Cast, driver_of
from tests.live.faults import FaultProxy

pytestmark = pytest.mark.live

ACCOUNT, OTHER = "123456789012", "210987654321"
NO_GROUP = "sg-0123456789abcdef0"


@pytest.fixture
def driver(ec2_url: str) -> Ec2Driver:
    return driver_of(ec2_url)


@pytest.fixture
def cast(ec2_api: Any) -> Cast:
    return Cast(ec2_api)


def shown(rule: Rule) -> Rule:
    """A rule without what the cloud calls it."""
    return replace(rule, ref="", group_ref="")


def vpcs(*refs_and_owner: str) -> str:
    """The answer that has these, a ref and its owner; none without them."""
    refs, owner = refs_and_owner[:-1], refs_and_owner[-1:]
    items = "".join(f"<item><vpcId>{ref}</vpcId><ownerId>{owner[0]}</ownerId></item>" for ref in refs)
    return f"<DescribeVpcsResponse><requestId>1</requestId><vpcSet>{items}</vpcSet></DescribeVpcsResponse>"


class TestGroups:
    def test_it_makes_a_group_that_the_next_reading_shows_the_same(self, driver: Ec2Driver, cast: Cast) -> None:
        wanted = driver.placed(Group("", "new", "a new one", ACCOUNT, cast.vpc))
        made, request_id = driver.create_group(wanted)
        assert made == Group(made.ref, "new", "a new one", ACCOUNT, cast.vpc)
        assert request_id
        assert driver.groups_by_ref([made.ref]) == (made,)

    def test_without_a_network_it_is_the_default_one_and_without_a_description_the_name(
        self, driver: Ec2Driver, cast: Cast
    ) -> None:
        [vpc] = cast.api.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        assert driver.placed(Group("", "new")) == Group("", "new", "new", network_ref=vpc["VpcId"])

    def test_without_a_default_network_one_has_to_be_named(self, ec2_proxy: FaultProxy) -> None:
        ec2_proxy.answer(
            "DescribeVpcs", "<DescribeVpcsResponse><requestId>1</requestId><vpcSet/></DescribeVpcsResponse>"
        )
        with pytest.raises(CloudRefused, match=r"no default VPC in this region\. Specify a network\."):
            driver_of(ec2_proxy.url).placed(Group("", "new"))

    def test_a_network_that_is_gone_is_refused(self, driver: Ec2Driver) -> None:
        with pytest.raises(CloudRefused, match="The VPC vpc-0 no longer exists"):
            driver.placed(Group("", "new", network_ref="vpc-0"))

    def test_an_account_that_is_not_that_of_the_credentials_is_refused(
        self, driver: Ec2Driver, cast: Cast
    ) -> None:
        with pytest.raises(CloudRefused, match=f"in account {ACCOUNT}, not in {OTHER}"):
            driver.placed(Group("", "new", tenant_ref=OTHER, network_ref=cast.vpc))

    def test_a_participant_makes_groups_in_a_network_that_is_shared_with_it(
        self, ec2_proxy: FaultProxy, cast: Cast
    ) -> None:
        driver, wanted = driver_of(ec2_proxy.url), Group("", "new", "new", ACCOUNT, "vpc-shared")
        ec2_proxy.answer("DescribeVpcs", vpcs("vpc-shared", OTHER))
        assert driver.placed(wanted) == wanted
        ec2_proxy.answer("DescribeVpcs", vpcs("vpc-shared", OTHER))
        with pytest.raises(CloudRefused, match=f"in account {ACCOUNT}, not in {OTHER}"):
            driver.placed(replace(wanted, tenant_ref=OTHER))

    def test_an_account_without_a_default_network_is_known_by_its_instances(
        self, ec2_proxy: FaultProxy, cast: Cast
    ) -> None:
        driver, wanted = driver_of(ec2_proxy.url), Group("", "new", "new", OTHER, "vpc-shared")
        for answer in (vpcs("vpc-shared", OTHER), vpcs()) * 2:
            ec2_proxy.answer("DescribeVpcs", answer)
        assert driver.placed(wanted) == wanted
        cast.instance(cast.web)
        with pytest.raises(CloudRefused, match=f"in account {ACCOUNT}, not in {OTHER}"):
            driver.placed(wanted)

    def test_namesakes_are_of_exactly_that_name_in_that_network(self, driver: Ec2Driver, cast: Cast) -> None:
        other, _ = cast.network("10.2")
        cast.group("web", other)
        assert [one.ref for one in driver.namesakes(Group("", "web", network_ref=cast.vpc))] == [cast.web]
        assert driver.namesakes(Group("", "w*", network_ref=cast.vpc)) == ()

    def test_a_name_that_the_network_has_is_there_already(self, driver: Ec2Driver, cast: Cast) -> None:
        with pytest.raises(AlreadyThere, match="already has a security group with this name"):
            driver.create_group(Group("", "web", "again", network_ref=cast.vpc))

    def test_a_lost_answer_is_not_made_up_for_by_a_second_request(
        self, ec2_proxy: FaultProxy, cast: Cast, driver: Ec2Driver
    ) -> None:
        wanted = Group("", "new", "new", network_ref=cast.vpc)
        ec2_proxy.lose_answer("CreateSecurityGroup")
        with pytest.raises(CloudUnavailable):
            driver_of(ec2_proxy.url).create_group(wanted)
        assert ec2_proxy.count("CreateSecurityGroup") == 1
        assert len(driver.namesakes(wanted)) == 1

    def test_it_deletes_a_group_once(self, driver: Ec2Driver, cast: Cast) -> None:
        assert driver.delete_group(cast.web)
        assert driver.groups_by_ref([cast.web]) == ()
        with pytest.raises(GroupNotFound):
            driver.delete_group(cast.web)

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("DependencyViolation", "The security group is in use"),
            ("CannotDelete", "default security group can't be deleted"),
        ],
    )
    def test_a_group_that_must_stay_is_refused_in_plain_words(
        self, ec2_proxy: FaultProxy, cast: Cast, code: str, words: str
    ) -> None:
        ec2_proxy.refuse("DeleteSecurityGroup", code, "resource sg-1 has a dependent object")
        with pytest.raises(CloudRefused, match=words):
            driver_of(ec2_proxy.url).delete_group(cast.web)

    def test_it_cannot_edit_a_group_and_says_so_beforehand(self, driver: Ec2Driver) -> None:
        assert not driver.supports_group_edits
        with pytest.raises(CloudRefused, match="EC2 can't change"):
            driver.edit_group("sg-1", "name", None)


RULES = [
    Rule("", "", "inbound", "IPV4", "tcp", 443, 443, "10.0.0.0/8", description="from the office"),
    Rule("", "", "outbound", "IPV4", "tcp", 1, 1024, "192.0.2.0/24"),
    Rule("", "", "inbound", "IPV6", "udp", 53, 53, "2001:db8::/32"),
    Rule("", "", "inbound", "IPV4", None, None, None, "192.0.2.0/24"),
    Rule("", "", "inbound", "IPV4", "50", None, None, "192.0.2.0/24"),
    Rule("", "", "inbound", "IPV4", "icmp", 8, None, "192.0.2.0/24"),
    Rule("", "", "inbound", "IPV4", "icmp", None, None, "192.0.2.0/24"),
]


class TestRules:
    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.direction}-{rule.host_protocol}-{rule.port}")
    def test_it_makes_a_rule_that_the_next_reading_shows_the_same(
        self, driver: Ec2Driver, cast: Cast, rule: Rule
    ) -> None:
        made, request_id = driver.create_rule(replace(rule, group_ref=cast.web))
        assert shown(made) == rule
        assert request_id
        assert made in driver.rules_of(cast.web)

    def test_a_source_can_be_a_group(self, driver: Ec2Driver, cast: Cast) -> None:
        wanted = Rule("", cast.db, "inbound", None, "tcp", 5432, 5432, source_group_ref=cast.web)
        made, _ = driver.create_rule(wanted)
        assert made == replace(wanted, ref=made.ref)
        assert made in driver.rules_of(cast.db)

    def test_tcp_without_ports_is_all_of_them(self, driver: Ec2Driver, cast: Cast) -> None:
        wanted = Rule("", cast.web, "inbound", "IPV4", "tcp", source_ip_range="10.0.0.0/8")
        made, _ = driver.create_rule(wanted)
        assert (made.port, made.end_port) == (0, 65535)

    @pytest.mark.parametrize("protocol", [None, "esp"])
    def test_ports_that_ec2_would_ignore_are_refused(
        self, driver: Ec2Driver, cast: Cast, protocol: str | None
    ) -> None:
        wanted = Rule("", cast.web, "inbound", "IPV4", protocol, 22, 22, "10.0.0.0/8")
        before = driver.rules_of(cast.web)
        with pytest.raises(CloudRefused, match=f"not support ports for the protocol {protocol or 'any'}"):
            driver.create_rule(wanted)
        assert driver.rules_of(cast.web) == before

    def test_the_rules_of_a_group_are_its_own(self, driver: Ec2Driver, cast: Cast) -> None:
        [rule] = driver.rules_of(cast.web)
        assert shown(rule) == Rule("", "", "outbound", "IPV4", source_ip_range="0.0.0.0/0")
        assert driver.rules_of(NO_GROUP) == ()

    def test_the_same_rule_is_there_already_whatever_it_is_called(self, driver: Ec2Driver, cast: Cast) -> None:
        wanted = replace(RULES[0], group_ref=cast.web)
        driver.create_rule(wanted)
        with pytest.raises(AlreadyThere, match="already has this rule"):
            driver.create_rule(wanted)

    @pytest.mark.parametrize("direction", ["inbound", "outbound"])
    def test_it_deletes_a_rule_once(self, driver: Ec2Driver, cast: Cast, direction: Any) -> None:
        made, _ = driver.create_rule(replace(RULES[0], group_ref=cast.web, direction=direction))
        assert driver.delete_rule(made)
        assert made not in driver.rules_of(cast.web)
        with pytest.raises(RuleNotFound):
            driver.delete_rule(made)

    def test_a_group_that_is_gone_has_no_rules_to_make_or_delete(self, driver: Ec2Driver) -> None:
        rule = replace(RULES[0], ref="sgr-0123456789abcdef0", group_ref=NO_GROUP)
        with pytest.raises(GroupNotFound):
            driver.create_rule(rule)
        with pytest.raises(GroupNotFound):
            driver.delete_rule(rule)
