"""What the EC2 driver makes of EC2's dicts: the cases that no test endpoint can show."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.drivers.boundary import fitted
from inventory.drivers.ec2 import parsers, payloads
from inventory.drivers.values import Inventory, Rule

OURS, THEIRS = "111111111111", "222222222222"


def rule_item(**fields: Any) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": "sgr-1",
        "GroupId": "sg-1",
        "GroupOwnerId": OURS,
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        **fields,
    }


def instance_item(state: str, **fields: Any) -> dict[str, Any]:
    return {"InstanceId": "i-1", "State": {"Name": state}, **fields}


def test_a_group_of_another_account_is_named_as_ec2_names_it() -> None:
    item = rule_item(ReferencedGroupInfo={"GroupId": "sg-9", "UserId": THEIRS, "PeeringStatus": "active"})
    rule = parsers.rule(item, {"sg-1"})
    assert (rule.source_group_ref, rule.source_ip_range) == (None, f"{THEIRS}/sg-9")


def test_a_group_of_our_account_that_is_not_in_the_inventory_is_named_by_its_id() -> None:
    item = rule_item(ReferencedGroupInfo={"GroupId": "sg-9", "UserId": OURS, "PeeringStatus": "deleted"})
    rule = parsers.rule(item, {"sg-1"})
    assert (rule.source_group_ref, rule.source_ip_range) == (None, "sg-9")


def test_a_group_of_another_account_in_the_inventory_is_a_source_group() -> None:
    item = rule_item(ReferencedGroupInfo={"GroupId": "sg-9", "UserId": THEIRS})
    rule = parsers.rule(item, {"sg-1", "sg-9"})
    assert (rule.source_group_ref, rule.source_ip_range, rule.network_protocol) == ("sg-9", None, None)


@pytest.mark.parametrize("said", [{}, {"CidrIpv4": ""}, {"ReferencedGroupInfo": {"UserId": THEIRS}}])
def test_a_rule_that_shows_no_source_is_not_from_anywhere(said: dict[str, Any]) -> None:
    item = {key: value for key, value in rule_item().items() if key != "CidrIpv4"} | said
    inventory = fitted(Inventory(rules=(parsers.rule(item, {"sg-1"}),)))
    assert not inventory.rules
    assert [misfit.attribute for misfit in inventory.misfits] == ["source_ip_range"]


def test_an_outbound_rule_is_outbound() -> None:
    assert parsers.rule(rule_item(IsEgress=True), ()).direction == "outbound"


def test_the_ports_of_a_protocol_without_ports_do_not_count() -> None:
    rule = parsers.rule(rule_item(IpProtocol="47", FromPort=22, ToPort=80), ())
    assert (rule.host_protocol, rule.port, rule.end_port) == ("gre", None, None)


@pytest.mark.parametrize(
    ("said", "name"), [("6", "tcp"), ("58", "icmpv6"), ("icmpv6", "icmpv6"), ("0", "hopopt"), ("-1", None)]
)
def test_a_protocol_has_one_spelling(said: str, name: str | None) -> None:
    assert parsers.rule(rule_item(IpProtocol=said), ()).host_protocol == name


def test_the_ports_of_tcp_count_also_where_it_is_a_number() -> None:
    rule = parsers.rule(rule_item(IpProtocol="6", FromPort=22, ToPort=80), ())
    assert (rule.port, rule.end_port) == (22, 80)


@pytest.mark.parametrize(("name", "asked"), [("tcp", "tcp"), ("icmpv6", "icmpv6"), ("vrrp", "112"), ("61", "61")])
def test_ec2_is_asked_for_a_protocol_by_a_name_that_it_knows_or_by_number(name: str, asked: str) -> None:
    rule = Rule("", "sg-1", "inbound", host_protocol=name, source_ip_range="10.0.0.0/8")
    assert payloads.permission(rule)["IpProtocol"] == asked


def test_the_type_zero_of_icmp_is_a_type() -> None:
    rule = parsers.rule(rule_item(IpProtocol="icmp", FromPort=0, ToPort=-1), ())
    assert (rule.port, rule.end_port) == (0, None)


def test_an_empty_description_is_none() -> None:
    assert parsers.rule(rule_item(Description=""), ()).description is None
    assert parsers.group({"GroupId": "sg-1", "GroupName": "web", "Description": ""}).description is None


def test_a_group_has_the_networks_that_it_is_associated_with() -> None:
    items = [
        {"GroupId": "sg-1", "VpcId": "vpc-3", "State": "associated"},
        {"GroupId": "sg-1", "VpcId": "vpc-2", "State": "associated"},
        {"GroupId": "sg-1", "VpcId": "vpc-4", "State": "disassociating"},
        {"GroupId": "sg-2", "State": "associated"},
    ]
    associations = parsers.associations(items)
    web, db = (parsers.group({"GroupId": ref, "GroupName": "web"}, associations) for ref in ("sg-1", "sg-2"))
    assert (web.associated_network_refs, db.associated_network_refs) == (("vpc-2", "vpc-3"), ())


@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_an_instance_on_its_way_out_is_left_out(state: str) -> None:
    assert parsers.instances({"Instances": [instance_item(state)]}, "us-east-1") == []


@pytest.mark.parametrize(
    ("state", "power_state"),
    [("running", "on"), ("stopped", "off"), ("pending", "unknown"), ("stopping", "unknown"), ("new", "unknown")],
)
def test_only_running_is_on_and_only_stopped_is_off(state: str, power_state: str) -> None:
    (instance,) = parsers.instances({"OwnerId": OURS, "Instances": [instance_item(state)]}, "us-east-1")
    assert (instance.power_state, instance.raw_power_state, instance.tenant_ref) == (power_state, state, OURS)


def test_an_instance_in_a_local_zone_is_in_its_region() -> None:
    item = instance_item("running", Placement={"AvailabilityZone": "us-west-2-lax-1a"})
    (instance,) = parsers.instances({"Instances": [item]}, "us-west-2")
    assert (instance.availability_zone_name, instance.location) == ("us-west-2-lax-1a", "us-west-2")


def test_an_empty_name_tag_is_no_name() -> None:
    item = instance_item("running", Tags=[{"Key": "name", "Value": "other"}, {"Key": "Name", "Value": ""}])
    (instance,) = parsers.instances({"Instances": [item]}, "us-east-1")
    assert instance.name == "i-1"


def test_an_interface_has_its_private_then_its_ipv6_then_its_public_addresses() -> None:
    association = {"PublicIp": "198.51.100.7"}
    port = parsers.port(
        {
            "NetworkInterfaceId": "eni-1",
            "Association": association,
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.0.4", "Primary": True, "Association": association},
                {"PrivateIpAddress": "10.0.0.5", "Association": {"PublicIp": "198.51.100.8"}},
            ],
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8::4"}],
        }
    )
    assert port.ip_addresses == ("10.0.0.4", "10.0.0.5", "2001:db8::4", "198.51.100.7", "198.51.100.8")

    assert port.public_ip_addresses == ("198.51.100.7", "198.51.100.8")
    assert port.own_ip_addresses == ("10.0.0.4", "10.0.0.5", "2001:db8::4")


def test_an_address_that_is_associated_with_itself_is_the_interfaces_own() -> None:
    item = {"PrivateIpAddress": "198.51.100.7", "Association": {"PublicIp": "198.51.100.7"}}
    port = parsers.port({"NetworkInterfaceId": "eni-1", "PrivateIpAddresses": [item]})
    assert (port.own_ip_addresses, port.public_ip_addresses) == (("198.51.100.7",), ())


@pytest.mark.parametrize(
    ("fields", "owner", "managed"),
    [
        ({"InterfaceType": "nat_gateway", "RequesterManaged": True}, "nat_gateway", True),
        ({"InterfaceType": "", "RequesterManaged": False}, None, False),
        ({}, None, False),
    ],
)
def test_an_interface_says_what_it_belongs_to(fields: dict[str, Any], owner: str | None, managed: bool) -> None:
    port = parsers.port({"NetworkInterfaceId": "eni-1", **fields})
    assert (port.device_owner, port.requester_managed) == (owner, managed)


def test_vpcs_are_peered_both_ways_by_active_connections() -> None:
    def peering(one: str | None, other: str | None, code: str = "active") -> dict[str, Any]:
        sides = {"RequesterVpcInfo": {"VpcId": one} if one else {}, "AccepterVpcInfo": {"VpcId": other}}
        return sides | {"Status": {"Code": code}}

    peers = parsers.peers(
        [
            peering("vpc-1", "vpc-3"),
            peering("vpc-2", "vpc-1"),
            peering("vpc-1", "vpc-4", "pending-acceptance"),
            peering(None, "vpc-1"),
            {},
        ]
    )
    first, third, fourth = (parsers.network({"VpcId": f"vpc-{number}"}, peers) for number in (1, 3, 4))
    assert (first.peer_refs, third.peer_refs, fourth.peer_refs) == (("vpc-2", "vpc-3"), ("vpc-1",), ())


def test_a_public_address_that_only_the_interface_tells_is_read_too() -> None:
    port = parsers.port(
        {
            "NetworkInterfaceId": "eni-1",
            "Association": {"PublicIp": "198.51.100.7"},
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.4"}],
        }
    )
    assert port.ip_addresses == ("10.0.0.4", "198.51.100.7")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"TagSet": [{"Key": "Name", "Value": "eth0"}], "Description": "Primary"}, "eth0"),
        ({"TagSet": [], "Description": "Primary"}, "Primary"),
        ({"Description": ""}, None),
    ],
)
def test_an_interface_is_called_by_its_tag_or_its_description(fields: dict[str, Any], name: str | None) -> None:
    assert parsers.port({"NetworkInterfaceId": "eni-1", **fields}).name == name


def test_an_interface_of_a_service_belongs_to_no_instance() -> None:
    item = {"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceOwnerId": "amazon-elb"}, "OwnerId": OURS}
    port = parsers.port(item)
    assert (port.instance_ref, port.tenant_ref, port.group_refs) == (None, OURS, ())
