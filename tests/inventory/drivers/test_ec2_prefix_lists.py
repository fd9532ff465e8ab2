"""Prefix lists that rules name, against a live endpoint: those of the account, and those that AWS manages."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.exceptions import CloudUnavailable
from inventory.drivers.values import AddressList, Rule, Scope
from tests.live.ec2 import Cast, by_ref, driver_of
from tests.live.faults import FaultProxy

pytestmark = pytest.mark.live

ACCOUNT = "123456789012"
LISTS, ENTRIES = "DescribeManagedPrefixLists", "GetManagedPrefixListEntries"
OFFICES = ("10.0.0.0/8", "192.0.2.0/24")


@pytest.fixture
def cast(ec2_api: Any) -> Cast:
    return Cast(ec2_api)


@pytest.fixture
def driver(ec2_proxy: FaultProxy) -> Ec2Driver:
    return driver_of(ec2_proxy.url)


def prefix_list(cast: Cast, name: str, *entries: str, family: str = "IPv4") -> str:
    listed = [{"Cidr": entry} for entry in entries]
    made = cast.api.create_managed_prefix_list(
        PrefixListName=name, AddressFamily=family, MaxEntries=20, Entries=listed
    )
    return str(made["PrefixList"]["PrefixListId"])


def allow(cast: Cast, group: str, prefix_list: str) -> str:
    return cast.allow(group, "tcp", 443, 443, PrefixListIds=[{"PrefixListId": prefix_list}])


@pytest.fixture
def offices(cast: Cast) -> str:
    """A list that the group web names."""
    ref = prefix_list(cast, "offices", *reversed(OFFICES))
    allow(cast, cast.web, ref)
    return ref


class TestReading:
    def test_a_list_has_its_owner_its_family_and_its_entries(
        self, driver: Ec2Driver, cast: Cast, offices: str
    ) -> None:
        assert driver.inventory().address_lists == (AddressList(offices, "offices", ACCOUNT, "IPV4", 20, OFFICES),)

    def test_one_of_ipv6_may_be_empty(self, driver: Ec2Driver, cast: Cast) -> None:
        ref = prefix_list(cast, "new", family="IPv6")
        allow(cast, cast.web, ref)
        [read] = driver.inventory().address_lists
        assert (read.family, read.entries) == ("IPV6", ())

    def test_one_of_aws_has_no_tenant(self, driver: Ec2Driver, cast: Cast) -> None:
        by_owner = [{"Name": "owner-id", "Values": ["AWS"]}]
        [s3] = [
            found["PrefixListId"]
            for found in cast.api.describe_managed_prefix_lists(Filters=by_owner)["PrefixLists"]
            if found["PrefixListName"] == "com.amazonaws.us-east-1.s3"
        ]
        allow(cast, cast.web, s3)
        read = driver.inventory()
        [address_list] = read.address_lists
        assert (address_list.ref, address_list.tenant_ref, address_list.max_entries) == (s3, None, None)
        assert address_list.entries == ("3.5.0.0/19", "52.216.0.0/15", "54.231.0.0/16")
        assert read.tenant_refs == {ACCOUNT}

    def test_only_those_that_rules_name_are_read(self, driver: Ec2Driver, cast: Cast, offices: str) -> None:
        prefix_list(cast, "unnamed", "10.0.0.0/8")
        assert [one.ref for one in driver.inventory().address_lists] == [offices]

    def test_without_any_nothing_is_asked(self, driver: Ec2Driver, ec2_proxy: FaultProxy, cast: Cast) -> None:
        assert driver.inventory().address_lists == ()
        assert ec2_proxy.count(LISTS) == ec2_proxy.count(ENTRIES) == 0

    def test_the_present_version_is_read(self, driver: Ec2Driver, cast: Cast, offices: str) -> None:
        cast.api.modify_managed_prefix_list(
            PrefixListId=offices,
            PrefixListName="offices",
            CurrentVersion=1,
            AddEntries=[{"Cidr": "198.51.100.0/24"}],
            RemoveEntries=[{"Cidr": "10.0.0.0/8"}],
        )
        [read] = driver.inventory().address_lists
        assert read.entries == ("192.0.2.0/24", "198.51.100.0/24")

    def test_a_group_comes_with_the_lists_of_its_rules(self, driver: Ec2Driver, cast: Cast, offices: str) -> None:
        allow(cast, cast.db, prefix_list(cast, "partners"))
        read = driver.inventory_of(Scope("security_group", cast.web))
        assert [one.ref for one in read.address_lists] == [offices]

    def test_a_rule_can_be_made_for_a_list(self, driver: Ec2Driver, cast: Cast, offices: str) -> None:
        wanted = Rule("", cast.db, "inbound", None, "tcp", 22, 22, offices, address_list_ref=offices)
        made, _ = driver.create_rule(wanted)
        assert by_ref(driver.rules_of(cast.db), made.ref) == made
        assert (made.source_ip_range, made.address_list_ref) == (offices, offices)


class TestPages:
    def test_both_lists_are_asked_for_in_pages_of_100(
        self, driver: Ec2Driver, ec2_proxy: FaultProxy, offices: str
    ) -> None:
        driver.inventory()
        sizes = {call.action: call.parameters.get("MaxResults") for call in ec2_proxy.calls}
        assert (sizes[LISTS], sizes[ENTRIES]) == ("100", "100")

    def test_entries_are_read_to_the_last_page(
        self, driver: Ec2Driver, ec2_proxy: FaultProxy, offices: str
    ) -> None:
        first = "<entrySet><item><cidr>198.51.100.0/24</cidr></item></entrySet><nextToken>more</nextToken>"
        ec2_proxy.answer(ENTRIES, answer(ENTRIES, first))
        [read] = driver.inventory().address_lists
        assert read.entries == (*OFFICES, "198.51.100.0/24")
        tokens = [call.parameters.get("NextToken") for call in ec2_proxy.calls if call.action == ENTRIES]
        assert tokens == [None, "more"]

    def test_an_entry_without_a_range_is_left_to_the_boundary(
        self, driver: Ec2Driver, ec2_proxy: FaultProxy, offices: str
    ) -> None:
        items = (
            "<entrySet><item><cidr>10.0.0.0/8</cidr></item><item><description>x</description></item></entrySet>"
        )
        ec2_proxy.answer(ENTRIES, answer(ENTRIES, items))
        [read] = driver.inventory().address_lists
        assert read.entries
        assert set(read.entries) == {"10.0.0.0/8", None}


class TestWhatIsNotShown:
    @pytest.mark.parametrize("code", ["UnauthorizedOperation", "InvalidAction"])
    def test_lists_that_may_not_be_read_are_not_told(
        self, driver: Ec2Driver, ec2_proxy: FaultProxy, offices: str, code: str
    ) -> None:
        ec2_proxy.refuse(LISTS, code)
        read = driver.inventory()
        assert (read.address_lists, "entries" in read.untold) == ((), True)
        assert offices in {rule.address_list_ref for rule in read.rules}

    @pytest.mark.parametrize("code", ["UnauthorizedOperation", "InvalidPrefixListID.NotFound"])
    def test_entries_that_may_not_be_read_are_unknown_and_keep_no_others_out(
        self, driver: Ec2Driver, ec2_proxy: FaultProxy, cast: Cast, offices: str, code: str
    ) -> None:
        allow(cast, cast.web, prefix_list(cast, "partners", *OFFICES))
        ec2_proxy.refuse(ENTRIES, code)
        read = driver.inventory()
        assert sorted(one.entries or () for one in read.address_lists) == [(), OFFICES]
        assert [one.entries for one in read.address_lists].count(None) == 1
        assert "entries" in read.untold

    def test_a_failure_is_not_done_without(self, driver: Ec2Driver, ec2_proxy: FaultProxy, offices: str) -> None:
        ec2_proxy.refuse(ENTRIES, "InternalError", status=503)
        with pytest.raises(CloudUnavailable):
            driver.inventory()

    def test_a_list_that_is_not_shown_to_the_account_is_left_out(self, driver: Ec2Driver, cast: Cast) -> None:
        allow(cast, cast.web, "pl-0123456789abcdef0")
        read = driver.inventory()
        assert read.address_lists == ()
        assert "pl-0123456789abcdef0" in {rule.address_list_ref for rule in read.rules}


def answer(action: str, inside: str) -> str:
    return f"<{action}Response><requestId>r</requestId>{inside}</{action}Response>"
