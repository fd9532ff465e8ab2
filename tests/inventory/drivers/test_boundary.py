"""What a driver returns is checked once, before anything is done with it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from inventory.drivers.boundary import CALLED, PARTS, Checked, fitted
from inventory.drivers.exceptions import Unfit
from inventory.drivers.values import (
    AddressList,
    Connection,
    Group,
    Instance,
    Inventory,
    Network,
    Port,
    Rule,
    Tenant,
)
from tests.clouds import MemoryCloud

PORT = Port("eni-1", "nic", "i-1", "t-1", "vpc-1", "02:00", "in-use", ("10.0.0.1",), ("sg-1",), True, "7")
RULE = Rule("sgr-1", "sg-1", "inbound", "IPV4", "tcp", 80, 81, "10.0.0.0/8", None, "http")
INSTANCE = Instance("i-1", "web", "on", "running", "t-1", "nano", "eu-1a", "eu", "first")
NETWORK = Network("vpc-1", "production", "10.0.0.0/8", "t-1")
LIST = AddressList("pl-1", "offices", "t-1", "IPV4", 20, ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1"))
EVERYTHING = Inventory(
    (Tenant("t-1", "account", "ours"),),
    (NETWORK,),
    (Group("sg-1", "web", "für alle", "t-1", "vpc-1", True, ("*",)),),
    (RULE,),
    (INSTANCE,),
    (PORT,),
    (LIST,),
)


def with_one(value: Any) -> Inventory:
    """The inventory with this in place of the one of its kind."""
    return replace(EVERYTHING, **{part: (value,) for part, kind in PARTS.items() if type(value) is kind})


def told(value: Any) -> list[str]:
    return [str(misfit) for misfit in fitted(with_one(value)).misfits]


def test_what_fits_is_the_same() -> None:
    assert fitted(EVERYTHING) is EVERYTHING


@pytest.mark.parametrize(
    ("name", "kept", "problem"),
    [
        ("x" * 257, "x" * 256, "has 257 characters (limit 256)"),
        ("🧱" * 257, "🧱" * 256, "has 257 characters (limit 256)"),
        ("a\0b", "a�b", "has characters that no database can store"),
        ("a\ud800b", "a�b", "has characters that no database can store"),
        (5, "5", "is not a text but of type int"),
        (None, "i-1", "is missing"),
        (["a"], "['a']", "is not a text but of type list"),
    ],
)
def test_a_name_that_does_not_fit_is_cut(name: Any, kept: str, problem: str) -> None:
    read = fitted(with_one(replace(INSTANCE, name=name)))
    assert read.instances == (replace(INSTANCE, name=kept),)
    assert list(map(str, read.misfits)) == [f"name of instance i-1 was cut: name {problem}"]


@pytest.mark.parametrize("name", ["x" * 256, "🧱" * 256, "naïve", "", " "])
def test_a_name_that_fits_stays(name: str) -> None:
    assert not told(replace(INSTANCE, name=name))


@pytest.mark.parametrize(
    ("value", "attribute", "problem"),
    [
        (replace(RULE, port=65536), "port", "is not between -1 and 65535"),
        (replace(RULE, end_port=2**40), "end_port", "is not between -1 and 65535"),
        (replace(RULE, port=True), "port", "is not a whole number but of type bool"),
        (replace(RULE, port="80"), "port", "is not a whole number but of type str"),
        (replace(RULE, direction="sideways"), "direction", "is not one of inbound, outbound"),
        (replace(RULE, direction=None), "direction", "is not one of inbound, outbound"),
        (replace(RULE, network_protocol="IPv5"), "network_protocol", "is not one of IPV4, IPV6"),
        (replace(RULE, host_protocol="x" * 33), "host_protocol", "has 33 characters (limit 32)"),
        (replace(RULE, host_protocol=6), "host_protocol", "is not a text but of type int"),
        (replace(RULE, source_ip_range=""), "source_ip_range", "is empty"),
        (replace(RULE, source_ip_range="1\0"), "source_ip_range", "has characters that no database can store"),
        (replace(RULE, source_group_ref="x" * 256), "source_group_ref", "has 256 characters (limit 255)"),
        (replace(RULE, group_ref=None), "group_ref", "is missing"),
        (replace(INSTANCE, tenant_ref=["t-1"]), "tenant_ref", "is not a text but of type list"),
        (replace(INSTANCE, ref=""), "ref", "is empty"),
        (replace(INSTANCE, ref=None), "ref", "is missing"),
        (
            replace(INSTANCE, power_state="fire"),
            "power_state",
            "is not one of on, off, paused, suspended, unknown",
        ),
        (replace(PORT, group_refs=None), "group_refs", "is missing"),
        (replace(PORT, group_refs="sg-1"), "group_refs", "is not a list but of type str"),
        (replace(PORT, group_refs=("sg-1", 5)), "group_refs", "has an entry that is not a text but of type int"),
        (replace(PORT, ip_addresses=("",)), "ip_addresses", "has an entry that is empty"),
        (replace(PORT, port_security_enabled=None), "port_security_enabled", "is missing"),
        (replace(PORT, public_ip_addresses="::1"), "public_ip_addresses", "is not a list but of type str"),
        (replace(PORT, public_ip_addresses=("",)), "ip_addresses", "has an entry that is empty"),
        (replace(PORT, allowed_address_pairs=None), "allowed_address_pairs", "is missing"),
        (
            replace(PORT, allowed_address_pairs=("x" * 65,)),
            "allowed_address_pairs",
            "has an entry that has 65 characters (limit 64)",
        ),
        (replace(PORT, requester_managed="no"), "requester_managed", "is not a boolean but of type str"),
        (replace(NETWORK, peer_refs=("",)), "peer_refs", "has an entry that is empty"),
        (replace(NETWORK, peer_refs={"vpc-2"}), "peer_refs", "is not a list but of type set"),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_left_out_and_named(value: Any, attribute: str, problem: str) -> None:
    read = fitted(with_one(value))
    [part] = [part for part, kind in PARTS.items() if type(value) is kind]
    [misfit] = read.misfits
    assert getattr(read, part) == ()
    assert (misfit.attribute, misfit.problem, misfit.left_out) == (attribute, problem, True)
    assert misfit.ref == value.ref
    assert misfit.resource.startswith(CALLED[type(value)])


def test_what_a_port_belongs_to_is_cut() -> None:
    [port] = fitted(with_one(replace(PORT, device_owner="x" * 65))).ports
    assert port.device_owner == "x" * 64


def test_a_rule_is_named_with_its_group() -> None:
    assert told(replace(RULE, port=65536)) == [
        "firewall rule sgr-1 of security group sg-1 was left unchanged: port is not between -1 and 65535"
    ]


def test_one_that_does_not_fit_keeps_no_other_out() -> None:
    rules = tuple(replace(RULE, ref=f"sgr-{number}", port=number) for number in range(65530, 65540))
    assert len(fitted(replace(EVERYTHING, rules=rules)).rules) == 6


@pytest.mark.parametrize("kind", CALLED)
def test_a_truth_value_hides_behind_no_number(kind: Any) -> None:
    """True equals 1: a set of what was found has only one of them."""
    rules = (replace(RULE, port=1), replace(RULE, port=True))
    assert fitted(replace(EVERYTHING, rules=rules)).rules == rules[:1]


class TestAListThatMayBeUnknown:
    @pytest.mark.parametrize(
        ("entries", "problem"),
        [
            (("10.0.0.0/8", "10.0.0.0/33"), "has an entry that is neither a CIDR nor an address"),
            (("10.0.0.0/8", "office"), "has an entry that is neither a CIDR nor an address"),
            (("10.0.0.0/255.0.0.0",), "has an entry that is neither a CIDR nor an address"),
            (("fe80::1%eth0",), "has an entry that is neither a CIDR nor an address"),
            (("",), "has an entry that is neither a CIDR nor an address"),
            (("10.0.0.0/8", None), "has an entry that is missing"),
            (("10.0.0.0/8", ["10.0.0.0/8"]), "has an entry that is not a text but of type list"),
            ("10.0.0.0/8", "is not a list but of type str"),
        ],
    )
    def test_it_is_unknown_rather_than_shorter(self, entries: Any, problem: str) -> None:
        read = fitted(with_one(replace(LIST, entries=entries)))
        assert read.address_lists == (replace(LIST, entries=None),)
        assert list(map(str, read.misfits)) == [f"entries of address list pl-1 became unknown: entries {problem}"]

    def test_it_keeps_no_other_list_from_being_known(self) -> None:
        lists = (replace(LIST, ref="pl-0", entries=("office",)), LIST, replace(LIST, ref="pl-2", entries=()))
        read = fitted(replace(EVERYTHING, address_lists=lists)).address_lists
        assert [one.entries for one in read] == [None, LIST.entries, ()]

    def test_unknown_and_empty_fit_as_they_are(self) -> None:
        lists = (replace(LIST, entries=None), replace(LIST, ref="pl-2", entries=()))
        inventory = replace(EVERYTHING, address_lists=lists)
        assert fitted(inventory) is inventory

    def test_something_else_that_does_not_fit_leaves_the_row_as_it_was(self) -> None:
        read = fitted(with_one(replace(LIST, max_entries=-1, entries=("office",))))
        assert read.address_lists == ()
        assert list(map(str, read.misfits)) == [
            "address list pl-1 was left unchanged: max_entries is not between 0 and 2147483647"
        ]


class TestOneAnswer:
    """Where somebody waits for it a value that decides something is an error, for it must not be left out."""

    @pytest.fixture
    def cloud(self) -> MemoryCloud:
        cloud = MemoryCloud(Connection())
        cloud.instance_list, cloud.port_list = [INSTANCE], [PORT]
        return cloud

    def test_a_text_that_is_only_shown_is_cut(self, cloud: MemoryCloud) -> None:
        cloud.port_list = [replace(PORT, status="x" * 65)]
        [port] = Checked(cloud).ports("i-1")
        assert port.status == "x" * 64

    def test_a_port_without_one_of_its_groups_is_not_answered(self, cloud: MemoryCloud) -> None:
        cloud.port_list = [replace(PORT, group_refs=("sg-1", "x" * 300))]
        with pytest.raises(Unfit) as raised:
            Checked(cloud).ports("i-1")
        assert str(raised.value) == (
            "The group_refs of network port eni-1 has an entry that has 300 characters (limit 255)."
        )
        assert (raised.value.permanent, raised.value.done) == (True, False)

    def test_what_was_written_was_done(self, cloud: MemoryCloud) -> None:
        cloud.create_group = lambda group: (replace(group, ref=""), "req-1")  # type: ignore[method-assign]
        with pytest.raises(Unfit) as raised:
            Checked(cloud).create_group(Group("", "web"))
        assert raised.value.done

    def test_what_else_a_driver_has_is_its_own(self, cloud: MemoryCloud) -> None:
        checked = Checked(cloud)
        assert checked.minimum_groups_per_port == 1
        assert checked.vendor == "amazon"
        assert checked.verify() == cloud.verify()
        assert checked.placed(Group("", "web")).ref == ""


@pytest.mark.parametrize("kind", CALLED)
def test_each_attribute_of_a_value_says_what_fits(kind: Any) -> None:
    [value] = [getattr(EVERYTHING, part)[0] for part, one in PARTS.items() if one is kind]
    for field in fields(kind):
        read = fitted(with_one(replace(value, **{field.name: object()})))
        assert [misfit.attribute for misfit in read.misfits] == [field.name]
