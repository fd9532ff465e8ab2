"""The EC2 driver against a live endpoint: what it reads and what it changes."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.exceptions import CloudRefused, InstanceGone
from inventory.drivers.values import Group, Network, Port, Rule, Scope
from tests.live.ec2 import Cast, by_ref, driver_of
from tests.live.faults import FaultProxy

pytestmark = pytest.mark.live

ACCOUNT = "123456789012"
NOWHERE = "i-0123456789abcdef0"


@pytest.fixture
def driver(ec2_url: str) -> Ec2Driver:
    return driver_of(ec2_url)


@pytest.fixture
def cast(ec2_api: Any) -> Cast:
    return Cast(ec2_api)


class TestReading:
    def test_the_account_is_the_one_tenant(self, driver: Ec2Driver, cast: Cast) -> None:
        cast.instance(cast.web)
        assert driver.inventory().tenant_refs == {ACCOUNT}

    def test_it_reads_a_vpc_by_the_name_of_its_tag(self, driver: Ec2Driver, cast: Cast) -> None:
        cast.api.create_tags(Resources=[cast.vpc], Tags=[{"Key": "Name", "Value": "production"}])
        networks = driver.inventory().networks
        assert by_ref(networks, cast.vpc) == Network(cast.vpc, "production", "10.1.0.0/16", ACCOUNT)
        (default,) = [network for network in networks if network.ref != cast.vpc]
        assert default.name == default.ref

    def test_it_reads_a_group_with_its_vpc_and_account(self, driver: Ec2Driver, cast: Cast) -> None:
        assert by_ref(driver.inventory().groups, cast.web) == Group(
            cast.web, "web", "web servers", tenant_ref=ACCOUNT, network_ref=cast.vpc, stateful=True
        )

    def test_every_group_has_its_outbound_rule_for_all_traffic(self, driver: Ec2Driver, cast: Cast) -> None:
        (rule,) = [rule for rule in driver.inventory().rules if rule.group_ref == cast.web]
        assert rule == Rule(rule.ref, cast.web, "outbound", "IPV4", source_ip_range="0.0.0.0/0")

    @pytest.mark.parametrize(
        ("permission", "expected"),
        [
            (
                {
                    "protocol": "tcp",
                    "first": 80,
                    "last": 81,
                    "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "in"}],
                },
                Rule("", "", "inbound", "IPV4", "tcp", 80, 81, "10.0.0.0/8", description="in"),
            ),
            (
                {"protocol": "udp", "first": 0, "last": 65535, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
                Rule("", "", "inbound", "IPV6", "udp", 0, 65535, "2001:db8::/32"),
            ),
            (
                {"protocol": "icmp", "first": 8, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
                Rule("", "", "inbound", "IPV4", "icmp", 8, None, "0.0.0.0/0"),
            ),
            (
                {"protocol": "icmpv6", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
                Rule("", "", "inbound", "IPV6", "icmpv6", None, None, "::/0"),
            ),
            (
                {"protocol": "50", "IpRanges": [{"CidrIp": "192.0.2.0/24"}]},
                Rule("", "", "inbound", "IPV4", "50", None, None, "192.0.2.0/24"),
            ),
            (
                {"protocol": "-1", "IpRanges": [{"CidrIp": "192.0.2.0/24"}]},
                Rule("", "", "inbound", "IPV4", None, None, None, "192.0.2.0/24"),
            ),
            (
                {"protocol": "tcp", "first": 443, "last": 443, "PrefixListIds": [{"PrefixListId": "pl-63a5400a"}]},
                Rule("", "", "inbound", None, "tcp", 443, 443, "pl-63a5400a", address_list_ref="pl-63a5400a"),
            ),
        ],
        ids=["tcp", "udp-ipv6", "icmp-type", "icmpv6", "protocol-number", "all-traffic", "prefix-list"],
    )
    def test_it_reads_a_rule(
        self, driver: Ec2Driver, cast: Cast, permission: dict[str, Any], expected: Rule
    ) -> None:
        ref = cast.allow(cast.web, **permission)
        read = by_ref(driver.inventory().rules, ref)
        assert (read.ref, read.group_ref) == (ref, cast.web)
        shared = [name for name in Rule.__slots__ if name not in ("ref", "group_ref")]
        assert {name: getattr(read, name) for name in shared} == {name: getattr(expected, name) for name in shared}

    def test_it_reads_one_rule_for_each_source_of_a_permission(self, driver: Ec2Driver, cast: Cast) -> None:
        cast.allow(cast.web, "tcp", 22, 22, IpRanges=[{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "172.16.0.0/12"}])
        rules = [r for r in driver.inventory().rules if r.group_ref == cast.web and r.direction == "inbound"]
        assert {rule.source_ip_range for rule in rules} == {"10.0.0.0/8", "172.16.0.0/12"}
        assert len({rule.ref for rule in rules}) == 2

    def test_it_reads_a_source_group_of_the_account(self, driver: Ec2Driver, cast: Cast) -> None:
        ref = cast.allow(cast.db, "tcp", 5432, 5432, UserIdGroupPairs=[{"GroupId": cast.web}])
        assert by_ref(driver.inventory().rules, ref) == Rule(
            ref, cast.db, "inbound", None, "tcp", 5432, 5432, source_group_ref=cast.web
        )

    def test_it_reads_a_running_instance(self, driver: Ec2Driver, cast: Cast) -> None:
        ref = cast.instance(cast.web, name="web-1")
        read = by_ref(driver.inventory().instances, ref)
        assert (read.name, read.power_state, read.raw_power_state) == ("web-1", "on", "running")
        assert (read.tenant_ref, read.flavor_name) == (ACCOUNT, "t3.small")
        assert (read.availability_zone_name, read.location) == ("us-east-1b", "us-east-1")

    def test_an_instance_without_a_name_is_called_by_its_id(self, driver: Ec2Driver, cast: Cast) -> None:
        ref = cast.instance(cast.web)
        assert by_ref(driver.inventory().instances, ref).name == ref

    def test_a_stopped_instance_is_off(self, driver: Ec2Driver, cast: Cast) -> None:
        ref = cast.instance(cast.web)
        cast.api.stop_instances(InstanceIds=[ref])
        assert by_ref(driver.inventory().instances, ref).power_state == "off"

    def test_a_terminated_instance_is_not_inventory(self, driver: Ec2Driver, cast: Cast) -> None:
        cast.api.terminate_instances(InstanceIds=[cast.instance(cast.web)])
        assert driver.inventory().instances == ()

    def test_it_reads_the_interfaces_with_their_groups(self, driver: Ec2Driver, cast: Cast) -> None:
        ref = cast.instance(cast.web, cast.db)
        (port,) = driver.inventory().ports
        assert (port.instance_ref, port.tenant_ref, port.network_ref) == (ref, ACCOUNT, cast.vpc)
        assert set(port.group_refs) == {cast.web, cast.db}
        assert (port.name, port.status) == ("Primary network interface", "in-use")
        assert port.mac_address is not None
        assert port.ip_addresses[0].startswith("10.1.1.")

    def test_it_reads_an_interface_that_no_instance_has(self, driver: Ec2Driver, cast: Cast) -> None:
        made = cast.api.create_network_interface(SubnetId=cast.subnet, Groups=[cast.db])["NetworkInterface"]
        (port,) = driver.inventory().ports
        assert (port.ref, port.instance_ref, port.group_refs) == (
            made["NetworkInterfaceId"],
            None,
            (cast.db,),
        )

    def test_it_reads_the_public_address_of_an_interface(self, driver: Ec2Driver, cast: Cast) -> None:
        (port,) = driver.ports(cast.instance(cast.web))
        address = cast.publish(port.ref)
        (read,) = driver.inventory().ports
        assert read.public_ip_addresses == (address,)
        assert read.own_ip_addresses == port.ip_addresses
        assert read.ip_addresses == (*port.ip_addresses, address)
        assert (read.device_owner, read.requester_managed) == ("interface", False)

    def test_it_reads_which_vpcs_are_peered(self, driver: Ec2Driver, cast: Cast) -> None:
        (other, _), (third, _) = cast.network("10.2"), cast.network("10.3")
        cast.peer(cast.vpc, other)
        networks = driver.inventory().networks
        assert by_ref(networks, cast.vpc).peer_refs == (other,)
        assert by_ref(networks, other).peer_refs == (cast.vpc,)
        assert by_ref(networks, third).peer_refs == ()

    @pytest.mark.parametrize("code", ["InvalidAction", "UnauthorizedOperation"])
    def test_an_endpoint_that_does_not_tell_peers_says_so(
        self, code: str, ec2_proxy: FaultProxy, cast: Cast
    ) -> None:
        ec2_proxy.refuse("DescribeVpcPeeringConnections", code)
        read = driver_of(ec2_proxy.url).inventory()
        assert by_ref(read.networks, cast.vpc).peer_refs == ()
        assert "peer_refs" in read.untold

    def test_it_reads_only_its_own_region(self, ec2_url: str, cast: Cast) -> None:
        cast.instance(cast.web)
        elsewhere = driver_of(ec2_url, region="eu-west-1").inventory()
        assert elsewhere.instances == ()
        assert cast.vpc not in [network.ref for network in elsewhere.networks]


class TestPaging:
    def test_every_list_is_asked_for_in_pages(self, ec2_proxy: FaultProxy, cast: Cast) -> None:
        cast.instance(cast.web)
        driver_of(ec2_proxy.url).inventory()
        assert {call.action: call.parameters.get("MaxResults") for call in ec2_proxy.calls} == dict.fromkeys(
            [
                "DescribeVpcs",
                "DescribeSecurityGroups",
                "DescribeSecurityGroupVpcAssociations",
                "DescribeVpcPeeringConnections",
                "DescribeSecurityGroupRules",
                "DescribeInstances",
                "DescribeNetworkInterfaces",
            ],
            "1000",
        )

    def test_it_reads_on_until_the_last_page(self, ec2_proxy: FaultProxy, cast: Cast) -> None:
        first = "<item><groupId>sg-first</groupId><groupName>first</groupName></item>"
        ec2_proxy.answer(
            "DescribeSecurityGroups",
            "<DescribeSecurityGroupsResponse><requestId>r</requestId>"
            f"<securityGroupInfo>{first}</securityGroupInfo><nextToken>onward</nextToken>"
            "</DescribeSecurityGroupsResponse>",
        )
        groups = driver_of(ec2_proxy.url).inventory().groups
        assert {"sg-first", cast.web, cast.db} <= {group.ref for group in groups}
        tokens = [c.parameters.get("NextToken") for c in ec2_proxy.calls if c.action == "DescribeSecurityGroups"]
        assert tokens == [None, "onward"]

    def test_many_groups_are_asked_for_by_the_two_hundred(self, ec2_proxy: FaultProxy, cast: Cast) -> None:
        refs = [f"sg-{number:08x}" for number in range(250)]
        found = driver_of(ec2_proxy.url).groups_by_ref([*refs, cast.web])
        assert [group.ref for group in found] == [cast.web]
        calls = [call for call in ec2_proxy.calls if call.action == "DescribeSecurityGroups"]
        asked = [sum("Value" in name for name in call.parameters) for call in calls]
        assert asked == [200, 51]


class TestPorts:
    def test_it_reads_all_interfaces_of_an_instance_and_no_others(self, driver: Ec2Driver, cast: Cast) -> None:
        cast.instance(cast.db)
        ref = cast.instance(cast.web, interfaces=2)
        ports = driver.ports(ref)
        assert [(port.instance_ref, port.group_refs) for port in ports] == [(ref, (cast.web,))] * 2

    def test_an_unknown_instance_is_gone(self, driver: Ec2Driver) -> None:
        with pytest.raises(InstanceGone, match=NOWHERE) as refused:
            driver.ports(NOWHERE)
        assert refused.value.request_id

    def test_a_terminated_instance_is_gone(self, driver: Ec2Driver, cast: Cast) -> None:
        ref = cast.instance(cast.web)
        cast.api.terminate_instances(InstanceIds=[ref])
        with pytest.raises(InstanceGone, match=f"{ref} is terminated"):
            driver.ports(ref)


def associated(vpc: str, *groups: str) -> str:
    """The answer that has these groups associated with a VPC."""
    items = "".join(
        f"<item><groupId>{ref}</groupId><vpcId>{vpc}</vpcId><state>associated</state></item>" for ref in groups
    )
    return (
        "<DescribeSecurityGroupVpcAssociationsResponse><requestId>r</requestId><securityGroupVpcAssociationSet>"
        f"{items}</securityGroupVpcAssociationSet></DescribeSecurityGroupVpcAssociationsResponse>"
    )


class TestFindingGroups:
    def test_it_finds_a_group_by_name_in_the_vpc_of_the_ports(self, driver: Ec2Driver, cast: Cast) -> None:
        other_vpc, _ = cast.network("10.2")
        cast.group("web", other_vpc)
        ports = driver.ports(cast.instance(cast.db))
        assert [group.ref for group in driver.groups_named("web", ports)] == [cast.web]

    def test_a_group_of_another_vpc_is_not_found_by_name(self, driver: Ec2Driver, cast: Cast) -> None:
        other_vpc, _ = cast.network("10.2")
        cast.group("elsewhere", other_vpc)
        ports = driver.ports(cast.instance(cast.db))
        assert driver.groups_named("elsewhere", ports) == ()

    def test_every_vpc_has_its_own_default_group(self, driver: Ec2Driver, cast: Cast) -> None:
        (default,) = driver.groups_named("default", driver.ports(cast.instance(cast.db)))
        assert default.network_ref == cast.vpc

    @pytest.mark.parametrize("name", ["w*", "we?", "*", "WEB"])
    def test_a_wildcard_or_another_case_finds_nothing(self, driver: Ec2Driver, cast: Cast, name: str) -> None:
        assert driver.groups_named(name, driver.ports(cast.instance(cast.db))) == ()

    def test_a_name_with_a_star_finds_only_itself(self, driver: Ec2Driver, cast: Cast) -> None:
        starred = cast.group("we*")
        found = driver.groups_named("we*", driver.ports(cast.instance(cast.db)))
        assert [group.ref for group in found] == [starred]

    def test_the_wildcards_of_a_name_are_escaped_for_ec2(self, ec2_proxy: FaultProxy, cast: Cast) -> None:
        driver_of(ec2_proxy.url).groups_named(r"a*b?c\d", [Port("eni-1", network_ref=cast.vpc)])
        [asked] = [call.parameters for call in ec2_proxy.calls if call.action == "DescribeSecurityGroups"]
        assert asked["Filter.1.Value.1"] == r"a\*b\?c\\d"

    def test_it_finds_a_group_of_another_vpc_that_is_associated_with_this_one(
        self, ec2_proxy: FaultProxy, cast: Cast
    ) -> None:
        other_vpc, _ = cast.network("10.2")
        shared, unwanted = cast.group("shared", other_vpc), cast.group("unwanted", other_vpc)
        ec2_proxy.answer("DescribeSecurityGroupVpcAssociations", associated(cast.vpc, shared, unwanted))
        (group,) = driver_of(ec2_proxy.url).groups_named("shared", [Port("eni-1", network_ref=cast.vpc)])
        assert (group.ref, group.network_ref) == (shared, other_vpc)
        assert group.fits(Port("eni-1", network_ref=cast.vpc))
        assert not group.fits(Port("eni-1", network_ref="vpc-3"))
        (asked,) = [c.parameters for c in ec2_proxy.calls if c.action == "DescribeSecurityGroupVpcAssociations"]
        assert (asked["Filter.1.Value.1"], asked["Filter.2.Value.1"]) == (cast.vpc, "associated")

    def test_every_way_to_find_a_group_has_its_associations(self, ec2_proxy: FaultProxy, cast: Cast) -> None:
        other_vpc, _ = cast.network("10.2")
        shared = cast.group("shared", other_vpc)
        for read in (
            lambda driver: driver.groups_by_ref([shared]),
            lambda driver: driver.inventory().groups,
            lambda driver: driver.inventory_of(Scope("security_group", shared)).groups,
        ):
            ec2_proxy.answer("DescribeSecurityGroupVpcAssociations", associated(cast.vpc, shared))
            assert by_ref(read(driver_of(ec2_proxy.url)), shared).associated_network_refs == (cast.vpc,)

    @pytest.mark.parametrize("code", ["InvalidAction", "UnauthorizedOperation"])
    def test_an_endpoint_that_does_not_tell_associations_has_none(
        self, code: str, ec2_proxy: FaultProxy, cast: Cast
    ) -> None:
        ec2_proxy.refuse("DescribeSecurityGroupVpcAssociations", code)
        found = driver_of(ec2_proxy.url).groups_named("web", [Port("eni-1", network_ref=cast.vpc)])
        assert [group.ref for group in found] == [cast.web]

    def test_without_a_network_nothing_is_asked(self, ec2_proxy: FaultProxy) -> None:
        assert driver_of(ec2_proxy.url).groups_named("web", [Port("eni-1")]) == ()
        assert ec2_proxy.calls == []

    def test_one_unknown_ref_does_not_hide_the_others(self, driver: Ec2Driver, cast: Cast) -> None:
        found = driver.groups_by_ref([cast.web, "sg-0123456789abcdef0", "nonsense", cast.web])
        assert [group.ref for group in found] == [cast.web]

    def test_no_refs_are_no_question(self, ec2_proxy: FaultProxy) -> None:
        assert driver_of(ec2_proxy.url).groups_by_ref([]) == ()
        assert ec2_proxy.calls == []


class TestChanging:
    def test_it_replaces_the_whole_list_of_one_interface(self, driver: Ec2Driver, cast: Cast) -> None:
        first, second = driver.ports(cast.instance(cast.web, interfaces=2))
        request_id = driver.change_groups(first, [cast.web, cast.db])
        assert cast.groups_of(first) == [cast.web, cast.db]
        assert cast.groups_of(second) == [cast.web]
        assert request_id

    def test_it_takes_a_group_away(self, driver: Ec2Driver, cast: Cast) -> None:
        (port,) = driver.ports(cast.instance(cast.web, cast.db))
        driver.change_groups(port, [cast.db])
        assert cast.groups_of(port) == [cast.db]
        assert driver.ports(port.instance_ref or "")[0].group_refs == (cast.db,)

    def test_it_never_asks_for_an_interface_without_groups(self, ec2_proxy: FaultProxy) -> None:
        with pytest.raises(CloudRefused, match="eni-1 must keep at least one"):
            driver_of(ec2_proxy.url).change_groups(Port("eni-1"), [])
        assert ec2_proxy.calls == []

    def test_an_interface_that_is_gone_is_named(self, driver: Ec2Driver, cast: Cast) -> None:
        with pytest.raises(CloudRefused, match="'eni-gone' does not exist") as refused:
            driver.change_groups(Port("eni-gone"), [cast.web])
        assert refused.value.permanent
