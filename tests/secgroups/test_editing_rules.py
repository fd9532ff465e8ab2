"""Carrying out edits of rules, and edits beside a refresh that read the cloud before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import asdict

from inventory.drivers.exceptions import AlreadyThere
from inventory.drivers.values import Inventory, Rule
from inventory.refresh import refresh
from inventory.runner import run_queue
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.services import Edit, group_creation, group_edit, rule_creation, rule_deletion
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Event, Grip, MemoryCloud, fail, forget, throttle, unavailable
from tests.secgroups.editing import edited, queue

SUBJECT = "rule inbound tcp 443 from 10.0.0.0/8 of security group web"


def https(group: SecurityGroup, **attributes: Any) -> Edit:
    given = {
        "direction": "inbound",
        "network_protocol": "IPV4",
        "host_protocol": "tcp",
        "port": 443,
        "end_port": 443,
    }
    decided = rule_creation(group, **given | {"source_ip_range": "10.0.0.0/8"} | attributes)
    assert isinstance(decided, Edit)
    return decided


def neighbours(rule: Rule) -> list[Rule]:
    """Rules that differ from this one in what they let through."""
    changes: list[dict[str, Any]] = [
        {"direction": "outbound"},
        {"host_protocol": "udp" if rule.host_protocol == "tcp" else "tcp"},
        {"port": 7, "end_port": 9},
        {"source_ip_range": "192.0.2.0/24" if rule.network_protocol == "IPV4" else "2001:db8::/32"},
        {"source_ip_range": None, "source_group_ref": "sg-production-db"},
    ]
    return [replace(rule, ref=f"r-not-{number}", **change) for number, change in enumerate(changes)]


@pytest.fixture
def known(cast: Cast) -> FirewallRule:
    """A rule that the group has from the beginning; to be asked for before `cloud`."""
    return actors.rule(cast.production.web, 443)


class TestCreating:
    def test_it_is_in_the_inventory_at_once(self, cast: Cast, cloud: MemoryCloud) -> None:
        [task] = edited(cast.acme, https(cast.production.web, description="office"))
        row = FirewallRule.objects.get()
        [rule] = cloud.rule_list
        assert (task.status, task.message) == ("Ok", f"Created {SUBJECT}.")
        assert (row.ems_ref, row.security_group, row.description) == (rule.ref, cast.production.web, "office")
        assert task.context_data["firewall_rule"]["id"] == str(row.pk)
        assert task.context_data["security_group"]["name"] == "web"

    @pytest.mark.parametrize("event", [unavailable(done=True), unavailable(), throttle()])
    def test_it_is_made_once_whatever_is_lost(self, cast: Cast, cloud: MemoryCloud, event: Event) -> None:
        cloud.script("create_rule", event)
        [task] = edited(cast.acme, https(cast.production.web))
        assert (task.status, task.message) == ("Ok", f"Created {SUBJECT}.")
        assert len(cloud.rule_list) == 1
        assert FirewallRule.objects.get().ems_ref == cloud.rule_list[0].ref
        assert task.context_data["firewall_rule"]["ems_ref"] == cloud.rule_list[0].ref

    def test_one_that_is_there_already_is_brought_in(self, cast: Cast, cloud: MemoryCloud) -> None:
        ours = Rule("r-1", "sg-production-web", "inbound", "IPV4", "tcp", 443, 443, "10.0.0.0/8")
        cloud.rule_list += [replace(ours, ref="r-0", port=80, end_port=80), ours]
        [task] = edited(cast.acme, https(cast.production.web))
        assert (task.status, task.message) == ("Ok", f"There was nothing to do: {SUBJECT} already exists.")
        assert task.context_data["firewall_rule"]["ems_ref"] == "r-1"
        assert set(FirewallRule.objects.values_list("ems_ref", flat=True)) == {"r-0", "r-1"}

    @pytest.mark.parametrize(
        ("asked", "there"),
        [
            ({}, {"host_protocol": "6"}),
            ({"host_protocol": "6"}, {"host_protocol": "TCP"}),
            ({"port": None, "end_port": None}, {"port": 1, "end_port": 65535}),
            ({"port": None, "end_port": None}, {"port": 0, "end_port": 65535}),
            ({"port": 0, "end_port": 65535}, {"port": None, "end_port": None}),
            ({"port": 1, "end_port": 65535}, {"port": 0, "end_port": 65535}),
            ({"end_port": None}, {}),
            ({"source_ip_range": "10.0.0.5/8"}, {"source_ip_range": "10.0.0.0/8"}),
            ({"network_protocol": None}, {}),
            ({"network_protocol": "IPV6", "source_ip_range": "0::0/0"}, {"source_ip_range": "::/0"}),
            ({"host_protocol": "icmp", "port": 8, "end_port": None}, {"host_protocol": "1"}),
            (
                {"host_protocol": "icmp", "network_protocol": "IPV6", "source_ip_range": "::/0"},
                {"host_protocol": "ipv6-icmp"},
            ),
            ({"host_protocol": "112", "port": None, "end_port": None}, {"host_protocol": "vrrp"}),
            ({"host_protocol": None, "port": None, "end_port": None}, {"host_protocol": "any"}),
        ],
    )
    def test_one_that_is_there_is_found_however_the_cloud_says_it(
        self, cast: Cast, cloud: MemoryCloud, asked: dict[str, Any], there: dict[str, Any]
    ) -> None:
        decided = https(cast.production.web, **asked)
        given = {"network_protocol": "IPV4"} | asdict(decided.spec.arguments.rule)
        family = {"network_protocol": given["network_protocol"] or "IPV4"}
        ours = Rule(**given | family | there | {"ref": "r-1"})
        cloud.rule_list += [*neighbours(ours), ours]
        cloud.script("create_rule", fail(AlreadyThere("There is such a rule.")))
        [task] = edited(cast.acme, decided)
        shown = task.context_data["firewall_rule"]
        assert (task.status, shown["ems_ref"]) == ("Ok", "r-1")
        assert shown["id"] == str(FirewallRule.objects.get(ems_ref="r-1").pk)

    @pytest.mark.parametrize("family", ["IPV4", "IPV6"])
    def test_of_a_rule_for_a_group_the_family_counts(self, cast: Cast, cloud: MemoryCloud, family: str) -> None:
        source = {"source_ip_range": None, "source_security_group": cast.production.db}
        decided = https(cast.production.web, **source, network_protocol=family)
        given = asdict(decided.spec.arguments.rule) | {"ref": ""}
        cloud.rule_list += [Rule(**given | {"ref": f, "network_protocol": f}) for f in ("IPV4", "IPV6")]
        [task] = edited(cast.acme, decided)
        assert task.context_data["firewall_rule"]["ems_ref"] == family

    def test_a_rule_for_a_group_that_is_for_both_families_is_found(self, cast: Cast, cloud: MemoryCloud) -> None:
        source = {"source_ip_range": None, "source_security_group": cast.production.db}
        decided = https(cast.production.web, **source)
        cloud.rule_list.append(
            Rule(**asdict(decided.spec.arguments.rule) | {"ref": "r-1", "network_protocol": None})
        )
        cloud.script("create_rule", fail(AlreadyThere("There is such a rule.")))
        [task] = edited(cast.acme, decided)
        assert task.context_data["firewall_rule"]["ems_ref"] == "r-1"

    def test_another_rule_is_not_taken_for_one_that_is_not_shown(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list.append(Rule("r-0", "sg-production-web", "inbound", "IPV4", "tcp", 80, 80, "10.0.0.0/8"))
        cloud.script("create_rule", fail(AlreadyThere("There is such a rule.")))
        [task] = edited(cast.acme, https(cast.production.web))
        shown = task.context_data["firewall_rule"]
        assert (task.status, shown["ems_ref"], shown["id"]) == ("Ok", None, None)

    def test_one_that_is_asked_for_twice_at_once_is_made_once_and_shown_twice(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        tasks = edited(cast.acme, https(cast.production.web), https(cast.production.web, host_protocol="6"))
        [rule] = cloud.rule_list
        assert [task.context_data["firewall_rule"]["ems_ref"] for task in tasks] == [rule.ref, rule.ref]

    def test_a_group_that_is_gone_is_an_error(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.drop_group("sg-production-web")
        [task] = edited(cast.acme, https(cast.production.web))
        assert (task.status, task.message) == (
            "Error",
            f"Cannot create {SUBJECT}: There is no group sg-production-web.",
        )

    @pytest.mark.parametrize("fresh", ["sg-production-web", "sg-production-db"])
    def test_a_group_or_source_that_was_just_made_is_waited_for(
        self, cast: Cast, cloud: MemoryCloud, fresh: str
    ) -> None:
        row = SecurityGroup.objects.get(ems_ref=fresh)
        SecurityGroup.objects.filter(pk=row.pk).update(created_on=row.updated_on)
        cloud.script("create_rule", forget(fresh))
        source = {"source_ip_range": None, "source_security_group": cast.production.db}
        [task] = edited(cast.acme, https(cast.production.web, **source))
        assert task.status == "Ok"
        assert FirewallRule.objects.get().source_security_group == cast.production.db


class TestDeleting:
    @pytest.mark.parametrize("event", [unavailable(done=True), unavailable(), throttle()])
    def test_it_is_gone_from_the_cloud_and_from_here_whatever_is_lost(
        self, cast: Cast, known: FirewallRule, cloud: MemoryCloud, event: Event
    ) -> None:
        cloud.script("delete_rule", event)
        [task] = edited(cast.acme, rule_deletion(known))
        assert (task.status, task.message) == ("Ok", f"Deleted {SUBJECT}.")
        assert cloud.rule_list == []
        assert not FirewallRule.objects.exists()

    @pytest.mark.parametrize("what", ["rule", "group"])
    def test_what_is_gone_already_is_no_error(
        self, cast: Cast, known: FirewallRule, cloud: MemoryCloud, what: str
    ) -> None:
        if what == "rule":
            cloud.rule_list.clear()
        else:
            cloud.drop_group("sg-production-web")
        [task] = edited(cast.acme, rule_deletion(known))
        assert (task.status, task.message) == ("Ok", f"There was nothing to do: {SUBJECT} no longer exists.")
        assert not FirewallRule.objects.exists()


class TestBesideARefresh:
    """A refresh that read the cloud before an edit, and writes after it, does not undo the edit here."""

    @pytest.fixture
    def late(self, cast: Cast, cloud: MemoryCloud) -> Callable[..., None]:
        def late(*decided: Edit) -> None:
            queue(*decided)

            def read_then_edit(call: Callable[[], Inventory]) -> Inventory:
                found = call()
                run_queue(f"security_groups/{cast.acme.pk}")
                return found

            cloud.script("inventory", read_then_edit)
            refresh(cast.acme, Grip())

        return late

    def test_a_new_group_stays_with_its_rules(self, cast: Cast, cloud: MemoryCloud, late: Any) -> None:
        late(group_creation(cast.acme, name="new"))
        assert SecurityGroup.objects.get(name="new").firewall_rules.count() == 1

    def test_a_new_group_does_not_make_the_refresh_find_that_too_much_is_gone(
        self, cast: Cast, cloud: MemoryCloud, late: Any
    ) -> None:
        late(*[group_creation(cast.acme, name=f"new-{number}") for number in range(20)])
        assert SecurityGroup.objects.filter(name__startswith="new-").count() == 20

    def test_an_edited_group_stays_edited(self, cast: Cast, cloud: MemoryCloud, late: Any) -> None:
        late(group_edit(cast.production.web, name="www"))
        cast.production.web.refresh_from_db()
        assert cast.production.web.name == "www"

    def test_a_new_rule_stays(self, cast: Cast, known: FirewallRule, cloud: MemoryCloud, late: Any) -> None:
        late(https(cast.production.web, port=80, end_port=80))
        assert set(FirewallRule.objects.values_list("port", flat=True)) == {80, 443}

    def test_a_deleted_rule_stays_deleted(
        self, cast: Cast, known: FirewallRule, cloud: MemoryCloud, late: Any
    ) -> None:
        late(rule_deletion(known))
        assert not FirewallRule.objects.exists()

    def test_the_rules_of_other_groups_are_brought_in(
        self, cast: Cast, known: FirewallRule, cloud: MemoryCloud, late: Any
    ) -> None:
        cloud.rule_list.append(Rule("r-db", "sg-production-db", "inbound", source_ip_range="10.0.0.0/8"))
        late(rule_deletion(known))
        assert [rule.ems_ref for rule in FirewallRule.objects.all()] == ["r-db"]

    def test_the_next_refresh_brings_in_what_changed_since(
        self, cast: Cast, known: FirewallRule, cloud: MemoryCloud, late: Any
    ) -> None:
        late(https(cast.production.web, port=80, end_port=80))
        cloud.rule_list.clear()
        refresh(cast.acme, Grip())
        assert not FirewallRule.objects.exists()
