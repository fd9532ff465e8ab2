"""What the OpenStack driver makes of what Nova and Neutron answer, and what it asks them for."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.drivers.boundary import fitted
from inventory.drivers.openstack import parsers, payloads
from inventory.drivers.values import EVERYBODY, Direction, Inventory, Rule


def rule_item(**fields: Any) -> dict[str, Any]:
    return {
        "id": "r-1",
        "security_group_id": "sg-1",
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": 22,
        "port_range_max": 22,
        "remote_ip_prefix": None,
        "remote_group_id": None,
        **fields,
    }


def server_item(**fields: Any) -> dict[str, Any]:
    return {"id": "s-1", "name": "web-1", "status": "ACTIVE", "tenant_id": "t-1", **fields}


@pytest.mark.parametrize(("ethertype", "everything"), [("IPv4", "0.0.0.0/0"), ("IPv6", "::/0")])
def test_a_rule_without_a_source_is_from_anywhere(ethertype: str, everything: str) -> None:
    assert parsers.rule(rule_item(ethertype=ethertype)).source_ip_range == everything


def test_a_rule_for_a_group_has_no_range() -> None:
    rule = parsers.rule(rule_item(remote_group_id="sg-2"))
    assert (rule.source_group_ref, rule.source_ip_range) == ("sg-2", None)


@pytest.mark.parametrize("field", ["remote_ip_prefix", "remote_group_id", "remote_address_group_id"])
@pytest.mark.parametrize("odd", ["", [], {}, False, 0, ["10.0.0.0/8"]])
def test_a_source_that_is_none_is_not_everybody(field: str, odd: Any) -> None:
    inventory = fitted(Inventory(rules=(parsers.rule(rule_item(**{field: odd})),)))
    assert not inventory.rules
    [misfit] = inventory.misfits
    assert misfit.attribute == ("source_group_ref" if field == "remote_group_id" else "source_ip_range")


@pytest.mark.parametrize("ethertype", [None, "", "IPv5", 4, []])
def test_a_family_that_is_none_is_not_any(ethertype: Any) -> None:
    inventory = fitted(Inventory(rules=(parsers.rule(rule_item(ethertype=ethertype)),)))
    assert not inventory.rules
    assert [misfit.attribute for misfit in inventory.misfits] == ["network_protocol"]


def test_a_port_whose_groups_are_not_shown_has_not_none() -> None:
    [port] = parsers.ports([{"id": "p-1", "project_id": "t-1"}], [])
    inventory = fitted(Inventory(ports=(port,)))
    assert not inventory.ports
    assert str(*inventory.misfits) == "network port p-1 was left unchanged: group_refs is missing"


def test_an_address_group_is_named_by_its_id() -> None:
    rule = parsers.rule(rule_item(remote_address_group_id="ag-1"))
    assert (rule.source_ip_range, rule.address_list_ref) == ("ag-1", "ag-1")


def test_the_type_zero_of_icmp_is_a_type() -> None:
    rule = parsers.rule(rule_item(protocol="icmp", port_range_min=0, port_range_max=None))
    assert (rule.host_protocol, rule.port, rule.end_port) == ("icmp", 0, None)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("6", "tcp"),
        (6, "tcp"),
        ("58", "icmpv6"),
        ("ipv6-icmp", "icmpv6"),
        ("vrrp", "vrrp"),
        ("112", "vrrp"),
        ("ipip", "ipv4"),  # to Neutron it is 4, which IANA calls so
        ("99", "99"),
    ],
)
def test_a_protocol_has_one_spelling(said: Any, name: str) -> None:
    assert parsers.rule(rule_item(protocol=said)).host_protocol == name


@pytest.mark.parametrize("protocol", ["1", "icmp", "icmpv6", "58"])
def test_icmp_of_ipv6_is_icmpv6(protocol: str) -> None:
    assert parsers.rule(rule_item(protocol=protocol, ethertype="IPv6")).host_protocol == "icmpv6"


@pytest.mark.parametrize("protocol", [None, "any", "0", 0, "ip"])
def test_any_protocol_is_none(protocol: str | None) -> None:
    assert parsers.rule(rule_item(protocol=protocol)).host_protocol is None


@pytest.mark.parametrize(
    ("status", "power_state"),
    [("ACTIVE", "on"), ("SHUTOFF", "off"), ("PAUSED", "paused"), ("SUSPENDED", "suspended"), ("ERROR", "unknown")],
)
def test_a_status_of_nova_is_a_power_state(status: str, power_state: str) -> None:
    instance = parsers.instance(server_item(status=status), "RegionOne")
    assert (instance.power_state, instance.raw_power_state) == (power_state, status)


def test_a_server_has_the_name_of_its_flavor_and_its_region() -> None:
    item = server_item(**{"flavor": {"original_name": "tiny"}, "OS-EXT-AZ:availability_zone": "nova"})
    instance = parsers.instance(item, "RegionOne")
    assert (instance.flavor_name, instance.location) == ("tiny", "RegionOne")
    assert instance.availability_zone_name == "nova"


def test_groups_are_shared_with_the_tenants_of_neutrons_policies() -> None:
    policies = [
        {"object_id": "sg-1", "target_tenant": "t-2"},
        {"object_id": "sg-1", "target_project": "t-3"},
        {"object_id": "sg-2", "target_tenant": "*"},
    ]
    shares = parsers.shares(policies)
    assert parsers.group({"id": "sg-1", "name": "a"}, shares).shared_with == ("t-2", "t-3")
    assert parsers.group({"id": "sg-2", "name": "b"}, shares).shared_with == (EVERYBODY,)
    assert parsers.group({"id": "sg-3", "name": "c"}, shares).shared_with == ()


def test_who_sees_no_policies_learns_from_neutron_what_is_shared_with_him() -> None:
    assert parsers.group({"id": "sg-1", "name": "a", "shared": True}, {}, "t-1").shared_with == ("t-1",)
    assert parsers.group({"id": "sg-1", "name": "a", "shared": False}, {}, "t-1").shared_with == ()


def test_a_share_with_nobody_is_none() -> None:
    assert parsers.shares([{"object_id": "sg-1", "target_tenant": ""}, {"object_id": "sg-1"}]) == {}


@pytest.mark.parametrize(
    ("project", "owner", "attached"),
    [("t-1", "t-1", True), ("t-2", "t-1", False), ("", "", False), (None, None, False), ("t-1", None, False)],
)
def test_a_port_is_a_servers_only_if_they_are_of_one_project(
    project: str | None, owner: str | None, attached: bool
) -> None:
    server = parsers.instance(server_item(tenant_id=owner), "RegionOne")
    [port] = parsers.ports([{"id": "p-1", "device_id": "s-1", "project_id": project}], [server])
    assert port.instance_ref == ("s-1" if attached else None)


def test_a_port_has_the_addresses_that_it_may_use_and_what_it_belongs_to() -> None:
    pairs = [{"ip_address": "10.0.0.9", "mac_address": "02:00:00:00:00:01"}, {"ip_address": "10.1.0.0/16"}]
    item = {"id": "p-1", "project_id": "t-1", "allowed_address_pairs": pairs, "device_owner": "network:dhcp"}
    [port] = parsers.ports([item], [])
    assert (port.allowed_address_pairs, port.device_owner) == (("10.0.0.9", "10.1.0.0/16"), "network:dhcp")
    [bare] = parsers.ports([{"id": "p-2", "project_id": "t-1", "device_owner": ""}], [])
    assert (bare.allowed_address_pairs, bare.device_owner) == ((), None)


@pytest.mark.parametrize("device", ["s-9", "", None])
def test_a_port_of_no_server_has_none(device: str | None) -> None:
    server = parsers.instance(server_item(), "RegionOne")
    [port] = parsers.ports([{"id": "p-1", "device_id": device, "project_id": "t-1"}], [server])
    assert port.instance_ref is None


def a_rule(direction: Direction = "inbound", **fields: Any) -> Rule:
    return Rule("", "sg-1", direction, **fields)


def asked(rule: Rule) -> dict[str, Any]:
    body: dict[str, Any] = payloads.rule(rule, "t-1")["security_group_rule"]
    return body


def test_a_rule_is_asked_for_in_the_project_of_its_group() -> None:
    assert asked(a_rule("outbound", host_protocol="tcp", port=80, end_port=81, source_ip_range="10.0.0.0/8")) == {
        "security_group_id": "sg-1",
        "direction": "egress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": 80,
        "port_range_max": 81,
        "remote_ip_prefix": "10.0.0.0/8",
        "description": "",
        "project_id": "t-1",
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [("tcp", "tcp"), ("icmpv6", "icmpv6"), ("vrrp", "vrrp"), ("hopopt", "hopopt"), ("ipip", "94"), ("ospf", "89")],
)
def test_neutron_is_asked_for_a_protocol_by_a_name_that_it_knows_or_by_number(name: str, said: str) -> None:
    assert asked(a_rule(host_protocol=name))["protocol"] == said


@pytest.mark.parametrize(("family", "ethertype"), [(None, "IPv4"), ("IPV6", "IPv6")])
def test_a_rule_can_be_for_an_address_group(family: Any, ethertype: str) -> None:
    body = asked(a_rule(network_protocol=family, source_ip_range="ag-1", address_list_ref="ag-1"))
    assert (body["remote_address_group_id"], body["ethertype"]) == ("ag-1", ethertype)
    assert "remote_ip_prefix" not in body


@pytest.mark.parametrize("ports", [(0, 65535), (1, 65535), (None, None)])
def test_all_ports_are_asked_for_without_a_range(ports: tuple[int | None, int | None]) -> None:
    body = asked(a_rule(host_protocol="tcp", port=ports[0], end_port=ports[1]))
    assert body.keys().isdisjoint({"port_range_min", "port_range_max"})


@pytest.mark.parametrize(
    ("rule", "ethertype"),
    [
        (a_rule(source_ip_range="fd00::/8"), "IPv6"),
        (a_rule(source_group_ref="sg-2"), "IPv4"),
        (a_rule(source_group_ref="sg-2", network_protocol="IPV6"), "IPv6"),
        (a_rule(source_group_ref="sg-2", host_protocol="icmpv6"), "IPv6"),
    ],
)
def test_a_rule_is_for_the_family_of_its_source(rule: Rule, ethertype: str) -> None:
    assert asked(rule)["ethertype"] == ethertype
