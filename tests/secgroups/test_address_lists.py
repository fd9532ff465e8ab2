"""Lists of addresses that rules name come in with these rules, and what is not known of them stays unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.drivers.values import AddressList, Inventory, Rule, Scope
from inventory.guard import TooManyGone
from inventory.models import CloudTenant
from inventory.refresh import refresh
from secgroups.models import AddressList as Row
from secgroups.models import FirewallRule
from secgroups.services import rule_creation, rule_deletion
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud
from tests.queries import writes
from tests.secgroups.editing import edited
from tests.secgroups.test_misfits import refreshed

OFFICES = AddressList("pl-offices", "offices", "t-account", "IPV4", 20, ("10.0.0.0/8", "192.0.2.0/24"))
WEB, DB = "sg-staging-web", "sg-staging-db"


def naming(address_list: str, group: str = WEB) -> Rule:
    ref = f"sgr-{group}-{address_list}"
    return Rule(ref, group, "inbound", None, "tcp", 443, 443, address_list, address_list_ref=address_list)


@pytest.fixture
def offices(cast: Cast, cloud: MemoryCloud) -> Row:
    """A list that a rule names, after a refresh."""
    cloud.rule_list.append(naming(OFFICES.ref))
    cloud.address_lists.append(OFFICES)
    refresh(cast.acme, Grip())
    row: Row = Row.objects.get()
    return row


def entries(ref: str = OFFICES.ref) -> list[str] | None:
    return Row.objects.values_list("entries", flat=True).get(ems_ref=ref)


class TestAFullRefresh:
    def test_a_list_comes_in_with_the_rule_that_names_it(self, cast: Cast, offices: Row) -> None:
        assert (offices.name, offices.cloud_tenant, offices.network_protocol) == ("offices", cast.tenant, "IPV4")
        assert (offices.max_entries, offices.entries) == (20, ["10.0.0.0/8", "192.0.2.0/24"])
        rule = FirewallRule.objects.get()
        assert (rule.source_address_list, rule.source_ip_range) == (offices, "pl-offices")

    def test_its_owner_comes_in_as_well(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list.append(naming(OFFICES.ref))
        cloud.address_lists.append(replace(OFFICES, tenant_ref="t-partner"))
        refresh(cast.acme, Grip())
        assert Row.objects.get().cloud_tenant == CloudTenant.objects.get(ems_ref="t-partner")

    def test_what_changes_is_changed(self, cast: Cast, cloud: MemoryCloud, offices: Row) -> None:
        for changed in (("10.1.0.0/16",), (), None):
            cloud.address_lists = [replace(OFFICES, entries=changed)]
            task = refreshed(cast.acme)
            assert entries() == (None if changed is None else list(changed))
            assert Row.objects.filter(entries__isnull=True).exists() == (changed is None)
            assert "1 address list changed." in task.message

    def test_nothing_is_written_without_news(self, cast: Cast, cloud: MemoryCloud, offices: Row) -> None:
        with CaptureQueriesContext(connection) as queries:
            refresh(cast.acme, Grip())
        assert len(writes(queries)) == 1  # the outcome at the provider

    def test_one_that_no_rule_names_is_left_out(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list.append(naming("pl-of-nobody", "sg-nowhere"))
        cloud.address_lists += [OFFICES, AddressList("pl-of-nobody", "of nobody")]
        assert "Nothing changed." in refreshed(cast.acme).message
        assert not Row.objects.exists()

    def test_it_stays_while_a_rule_names_it(self, cast: Cast, cloud: MemoryCloud, offices: Row) -> None:
        cloud.rule_list = [naming(OFFICES.ref, DB)]
        refresh(cast.acme, Grip())
        assert Row.objects.get() == offices
        cloud.rule_list = []
        assert refreshed(cast.acme).message.endswith("1 address list and 1 firewall rule went.")
        assert not Row.objects.exists()

    def test_a_rule_that_stays_as_it_was_keeps_its_list(
        self, cast: Cast, cloud: MemoryCloud, offices: Row
    ) -> None:
        cloud.rule_list = [replace(naming(OFFICES.ref), port=70000)]
        assert refreshed(cast.acme).status == "Warn"
        assert FirewallRule.objects.get().source_address_list == offices

    def test_a_rule_keeps_the_name_of_a_list_that_is_gone(self, offices: Row) -> None:
        offices.delete()
        rule = FirewallRule.objects.get()
        assert (rule.source_address_list, rule.source_ip_range) == (None, "pl-offices")

    def test_a_rule_that_names_a_list_alone_is_not_from_anywhere(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list.append(replace(naming("pl-1"), source_ip_range=None))
        refresh(cast.acme, Grip())
        assert FirewallRule.objects.get().source_ip_range == "pl-1"

    def test_the_loss_of_most_lists_stops_it(self, cast: Cast, cloud: MemoryCloud) -> None:
        lists = [f"pl-{number}" for number in range(4)]
        cloud.rule_list = [*map(naming, lists), *(naming("pl-0", group.ref) for group in cloud.group_list)]
        refresh(cast.acme, Grip())
        cloud.rule_list = [rule for rule in cloud.rule_list if rule.address_list_ref == "pl-0"]
        with pytest.raises(TooManyGone, match=r"3 of 4 address lists \(pl-1, pl-2, pl-3\)"):
            refresh(cast.acme, Grip())
        assert Row.objects.count() == 4
        refresh(cast.acme, Grip(), force=True)
        assert Row.objects.get().ems_ref == "pl-0"


class TestWhatIsNotKnown:
    def test_a_list_that_is_not_shown_is_known_by_its_ref(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list.append(naming("pl-foreign"))
        refresh(cast.acme, Grip())
        row = FirewallRule.objects.get().source_address_list
        assert row
        assert (row.ems_ref, row.name, row.cloud_tenant, row.max_entries) == (
            "pl-foreign",
            "pl-foreign",
            None,
            None,
        )
        assert row.entries is None

    @pytest.mark.parametrize("scope", [None, Scope("security_group", WEB), Scope("cloud_tenant", "t-account")])
    @pytest.mark.parametrize("shown", [(), (replace(OFFICES, name="renamed", entries=None),)])
    def test_what_can_not_be_read_stays_as_known(
        self, cast: Cast, cloud: MemoryCloud, offices: Row, shown: Any, scope: Scope | None
    ) -> None:
        cloud.address_lists, cloud.untold = list(shown), {"entries"}
        refresh(cast.acme, Grip(), scope=scope)
        row = Row.objects.get()
        assert (row.cloud_tenant, row.max_entries, row.entries) == (cast.tenant, 20, offices.entries)
        assert row.name == ("renamed" if shown else "offices")

    @pytest.mark.parametrize("shown", [(), (replace(OFFICES, entries=None),)])
    def test_force_makes_it_unknown(self, cast: Cast, cloud: MemoryCloud, offices: Row, shown: Any) -> None:
        cloud.address_lists, cloud.untold = list(shown), {"entries"}
        refresh(cast.acme, Grip(), force=True)
        assert entries() is None
        assert Row.objects.get().name == "offices"

    @pytest.mark.parametrize("untold", [set(), {"entries"}])
    def test_a_malformed_entry_makes_it_unknown(
        self, cast: Cast, cloud: MemoryCloud, offices: Row, untold: set[str]
    ) -> None:
        cloud.address_lists, cloud.untold = [replace(OFFICES, entries=("10.0.0.0/8", "the office"))], untold
        task = refreshed(cast.acme)
        assert entries() is None
        assert (task.status, "entries of address list pl-offices became unknown" in task.message) == ("Warn", True)
        cloud.address_lists = [OFFICES]
        refresh(cast.acme, Grip())
        assert entries() == offices.entries

    def test_a_list_that_does_not_fit_stays_as_it_was(self, cast: Cast, cloud: MemoryCloud, offices: Row) -> None:
        cloud.address_lists = [replace(OFFICES, entries=(), max_entries=-1)]
        assert refreshed(cast.acme).status == "Warn"
        assert (Row.objects.get().max_entries, entries()) == (20, offices.entries)


class TestAPart:
    def test_a_group_comes_in_with_the_lists_of_its_rules(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list += [naming("pl-web"), naming("pl-db", DB)]
        cloud.address_lists += [AddressList(ref, ref, entries=()) for ref in ("pl-web", "pl-db")]
        refresh(cast.acme, Grip(), scope=Scope("security_group", WEB))
        assert FirewallRule.objects.get().source_address_list == Row.objects.get()
        assert entries("pl-web") == []

    def test_it_leaves_other_lists(self, cast: Cast, cloud: MemoryCloud, offices: Row) -> None:
        cloud.rule_list.clear()
        refresh(cast.acme, Grip(), scope=Scope("security_group", DB))
        refresh(cast.acme, Grip(), scope=Scope("instance", "i-staging-single"))
        assert FirewallRule.objects.get().source_address_list == offices
        refresh(cast.acme, Grip(), scope=Scope("security_group", WEB))
        assert not FirewallRule.objects.exists()
        assert Row.objects.get() == offices  # an edit may be about to name it
        refresh(cast.acme, Grip())
        assert not Row.objects.exists()

    def test_a_list_that_is_not_shown_keeps_an_owner_who_is_not_of_the_part(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        cloud.rule_list.append(naming(OFFICES.ref))
        cloud.address_lists.append(replace(OFFICES, tenant_ref="t-partner"))
        refresh(cast.acme, Grip())
        cloud.address_lists, cloud.untold = [], {"entries"}
        refresh(cast.acme, Grip(), scope=Scope("security_group", WEB))
        owner = Row.objects.get().cloud_tenant
        assert owner
        assert owner.ems_ref == "t-partner"


class TestAnEdit:
    """The cloud says what it recorded; a list that is new is not known before the next refresh."""

    @pytest.fixture(autouse=True)
    def links_by_name(self, cloud: MemoryCloud) -> None:
        make = cloud._create_rule
        named = lambda rule: replace(rule, address_list_ref=rule.source_ip_range)  # noqa: E731
        cloud._create_rule = lambda rule: make(named(rule))  # type: ignore[method-assign]

    @pytest.mark.parametrize("known", [True, False])
    def test_a_new_rule_is_linked_to_its_list(self, cast: Cast, cloud: MemoryCloud, known: bool) -> None:
        if known:
            actors.address_list(cast.acme, "1", ["10.0.0.0/8"])
        [task] = edited(cast.acme, rule_creation(cast.staging.web, direction="inbound", source_ip_range="pl-1"))
        assert task.status == "Ok"
        rule = FirewallRule.objects.get()
        assert rule.source_ip_range == "pl-1"
        assert rule.source_address_list == Row.objects.get()
        assert entries("pl-1") == (["10.0.0.0/8"] if known else None)

    def test_a_refresh_that_read_before_it_keeps_rule_and_list(self, cast: Cast, cloud: MemoryCloud) -> None:
        def read_too_early(call: Any) -> Inventory:
            read: Inventory = call()
            edited(cast.acme, rule_creation(cast.staging.web, direction="inbound", source_ip_range="pl-1"))
            return read

        cloud.script("inventory", read_too_early)
        refresh(cast.acme, Grip())
        assert FirewallRule.objects.get().source_address_list == Row.objects.get()

    def test_a_rule_that_is_deleted_leaves_its_list_to_the_refresh(
        self, cast: Cast, cloud: MemoryCloud, offices: Row
    ) -> None:
        edited(cast.acme, rule_deletion(FirewallRule.objects.get()))
        assert Row.objects.get() == offices
        refresh(cast.acme, Grip())
        assert not Row.objects.exists()
