"""What every cloud must do, by the rules for adding and removing groups: a suite for each driver's live service.

A case is a test. One that a driver can't have is None in its class, with the reason beside it; in one that is
marked `injected` a proxy before the service gives the service's own error, which it would not give when asked.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any

import pytest

from inventory.drivers.boundary import PARTS
from inventory.drivers.values import Scope
from inventory.guard import TooManyGone
from inventory.models import CallRate, CloudNetwork, NetworkPort, Provider, Task, Vm
from inventory.refresh import refresh
from secgroups.models import AddressList, FirewallRule, SecurityGroup
from secgroups.plan import Action
from secgroups.services import (
    Edit,
    GroupReference,
    Refused,
    group_creation,
    group_deletion,
    group_edit,
    request_changes,
    rule_creation,
    rule_deletion,
)
from tests.cast import memberships
from tests.clouds import Grip
from tests.live.faults import FaultProxy
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.editing import edited

injected = pytest.mark.injected


class Site(ABC):
    """An account at a live service: what a test builds in it, sees of it, and does to it beside us."""

    provider: Provider
    faults: FaultProxy
    #: What the port of an instance belongs to, in the cloud's word.
    owner: str
    #: The write of a port's groups, and the deletion of a group, in the words of the proxy.
    write: str
    deletion: str

    @abstractmethod
    def group(self, name: str) -> str:
        """Make a group that the instances here can have."""

    @abstractmethod
    def foreign_group(self, name: str) -> str:
        """Make a group that they can't have: of another VPC or project."""

    @abstractmethod
    def address_list(self, name: str, *entries: str) -> str:
        """Make a list of addresses: a prefix list, an address group."""

    @abstractmethod
    def let_in_from(self, group: str, address_list: str) -> None:
        """Give a group a rule for the addresses of a list, beside us."""

    @abstractmethod
    def deny_address_lists(self) -> None:
        """Answer the next reading of lists of addresses as the cloud does to who may not read them."""

    @abstractmethod
    def instance(self, *groups: str, ports: int = 1) -> str:
        """Make an instance with these groups on each of its ports."""

    @abstractmethod
    def ports(self, instance: str) -> list[str]: ...

    @abstractmethod
    def groups_of(self, port: str) -> set[str]: ...

    @abstractmethod
    def set_groups(self, port: str, *groups: str) -> None: ...

    @abstractmethod
    def end(self, instance: str) -> None: ...

    def publish(self, port: str) -> str:
        """Have a public address translated to a port."""
        raise NotImplementedError

    def withdraw(self, port: str) -> None:
        """Undo that."""
        raise NotImplementedError

    def peered(self) -> tuple[str, str]:
        """Make two networks that are peered."""
        raise NotImplementedError

    @abstractmethod
    def throttle(self) -> None:
        """Answer the next write of a port as the cloud does when it is asked too often."""

    @abstractmethod
    def deny_deletion(self) -> None:
        """Answer the next deletion of a group as the cloud does while it is in use, if the service does not."""

    def read(self) -> None:
        """Bring the inventory in."""
        refresh(self.provider, Grip(), force=True)

    def vm(self, instance: str) -> Vm:
        found: Vm = Vm.objects.get(provider=self.provider, ems_ref=instance)
        return found

    def known(self, group: str) -> SecurityGroup:
        found: SecurityGroup = SecurityGroup.objects.get(provider=self.provider, ems_ref=group)
        return found

    def change(self, instance: str, action: Action, *groups: str | GroupReference) -> list[Task]:
        """Ask for changes and have them carried out."""
        queue(self.vm(instance), action, *groups)
        return carried_out(self.vm(instance))

    def let_in(self, group: str) -> None:
        """Give a group a rule for those who have it."""
        row, tcp = self.known(group), {"host_protocol": "tcp", "port": 443, "end_port": 443}
        [task] = edited(self.provider, rule_creation(row, direction="inbound", source_security_group=row, **tcp))
        assert task.status == "Ok"

    def delete(self, group: str) -> None:
        [task] = edited(self.provider, group_deletion(self.known(group)))
        assert task.status == "Ok"


@pytest.mark.django_db
class DriverContract:
    """The fixture `site` is an account of the driver's cloud, with nothing in it that matters."""

    #: Whether the last group of a port can be removed.
    can_be_without_groups: bool
    #: Whether name and description of a group can be changed.
    can_edit_groups: bool

    @pytest.fixture
    def site(self) -> Site:
        raise NotImplementedError

    # Adding and removing

    def test_a_group_is_added_to_and_removed_from_every_port(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        instance = site.instance(web, ports=2)
        site.read()
        [added] = site.change(instance, "add", "db")
        assert (added.status, added.context_data["after"]) == ("Ok", ["db", "web"])
        assert added.context_data["request_id"]
        assert [site.groups_of(port) for port in site.ports(instance)] == [{web, db}] * 2
        [removed] = site.change(instance, "remove", "web")
        assert removed.status == "Ok"
        assert [site.groups_of(port) for port in site.ports(instance)] == [{db}] * 2
        assert list(memberships(site.vm(instance)).values()) == [{db}] * 2

    def test_a_change_can_be_narrowed_to_some_ports(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        instance = site.instance(web, ports=2)
        site.read()
        first, second = site.ports(instance)
        [task] = site.change(instance, "add", GroupReference("db", ports=(second,)))
        assert task.status == "Ok"
        assert (site.groups_of(first), site.groups_of(second)) == ({web}, {web, db})

    def test_many_changes_are_one_write_of_each_port(self, site: Site) -> None:
        names = ["a", "b", "c", "d"]
        refs = {name: site.group(name) for name in names}
        instance = site.instance(refs["a"], ports=2)
        site.read()
        queue(site.vm(instance), "add", "b", "c", "d")
        queue(site.vm(instance), "remove", "a", "c")
        assert [task.status for task in carried_out(site.vm(instance))] == ["Ok"] * 5
        assert [site.groups_of(port) for port in site.ports(instance)] == [{refs["b"], refs["d"]}] * 2
        assert site.faults.count(site.write) == 2

    def test_what_is_so_already_is_not_written(self, site: Site) -> None:
        web = site.group("web")
        site.group("db")
        instance = site.instance(web)
        site.read()
        [added] = site.change(instance, "add", "web")
        [removed] = site.change(instance, "remove", "db")
        assert (added.status, removed.status) == ("Ok", "Ok")
        assert added.message.startswith("Nothing to do")
        assert removed.message.startswith("Nothing to do")
        assert site.faults.count(site.write) == 0

    def test_a_change_by_others_before_the_reading_is_kept(self, site: Site) -> None:
        web, db, ops = (site.group(name) for name in ("web", "db", "ops"))
        instance = site.instance(web)
        site.read()
        [port] = site.ports(instance)
        site.set_groups(port, web, ops)
        site.change(instance, "add", "db")
        assert site.groups_of(port) == {web, db, ops}

    def test_a_change_by_others_between_reading_and_writing_is_kept(self, site: Site) -> None:
        web, db, ops = (site.group(name) for name in ("web", "db", "ops"))
        instance = site.instance(web)
        site.read()
        [port] = site.ports(instance)
        site.faults.meanwhile(site.write, lambda: site.set_groups(port, web, ops))
        [task] = site.change(instance, "add", "db")
        assert task.status == "Ok"
        assert site.groups_of(port) == {web, db, ops}

    # Which group is meant

    def test_a_name_is_that_of_the_instances_own_place(self, site: Site) -> None:
        instance = site.instance(site.group("web"))
        site.read()
        ours, _ = site.group("bastion"), site.foreign_group("bastion")  # the inventory knows neither
        [task] = site.change(instance, "add", "bastion")
        assert task.status == "Ok"
        assert ours in site.groups_of(site.ports(instance)[0])

    def test_an_unknown_group_is_named(self, site: Site) -> None:
        web = site.group("web")
        instance = site.instance(web)
        site.read()
        [task] = site.change(instance, "add", "no-such-group")
        assert task.status == "Error"
        assert task.message.startswith("Cannot add no-such-group to ")
        assert site.groups_of(site.ports(instance)[0]) == {web}

    def test_a_group_from_elsewhere_is_refused_before_anything_is_written(self, site: Site) -> None:
        web = site.group("web")
        instance = site.instance(web)
        site.read()
        [task] = site.change(instance, "add", GroupReference(ems_ref=site.foreign_group("foreign")))
        assert task.status == "Error"
        assert re.search("belongs (only )?to ", task.message)
        assert site.groups_of(site.ports(instance)[0]) == {web}
        assert site.faults.count(site.write) == 0

    # What a port can't take

    def test_the_last_group(self, site: Site) -> None:
        web = site.group("web")
        instance = site.instance(web)
        site.read()
        [task] = site.change(instance, "remove", "web")
        [port] = site.ports(instance)
        if self.can_be_without_groups:
            assert task.status == "Warn"
            assert "has no security group left" in task.message
            assert site.groups_of(port) == set()
        else:
            assert task.status == "Error"
            assert "it is the last security group" in task.message
            assert site.groups_of(port) == {web}
            assert site.faults.count(site.write) == 0

    def test_a_port_without_port_security_is_left_out(self, site: Site) -> None:
        web = site.group("web")
        site.group("db")
        instance = site.instance(web, ports=2)
        [first, open_] = site.ports(instance)
        self.open_up(site, open_)
        site.read()
        [task] = site.change(instance, "add", "db")
        assert task.status == "Ok"
        assert f"Skipped port {open_}: it has port security disabled" in task.message
        assert len(site.groups_of(first)) == 2

    def open_up(self, site: Site, port: str) -> None:
        """Switch port security off on a port."""
        raise NotImplementedError

    def test_stateful_and_stateless_groups_are_kept_apart(self, site: Site) -> None:
        web = site.group("web")
        self.stateless_group(site, "quick")
        instance = site.instance(web)
        site.read()
        [task] = site.change(instance, "add", "quick")
        assert task.status == "Error"
        assert "has stateful groups, but quick is stateless" in task.message
        assert site.faults.count(site.write) == 0

    def stateless_group(self, site: Site, name: str) -> str:
        raise NotImplementedError

    @injected
    def test_a_limit_is_told_in_plain_words(self, site: Site) -> None:
        web = site.group("web")
        site.group("db")
        instance = site.instance(web)
        site.read()
        self.limit(site)
        [task] = site.change(instance, "add", "db")
        assert task.status == "Error"
        assert "more security groups than" in task.message
        assert site.groups_of(site.ports(instance)[0]) == {web}

    def limit(self, site: Site) -> None:
        """Answer the next writes of a port as the cloud does where it would have too many groups."""
        raise NotImplementedError

    # What goes wrong

    def test_an_instance_that_is_gone(self, site: Site) -> None:
        instance = site.instance(site.group("web"))
        site.group("db")
        site.read()
        site.end(instance)
        [task] = site.change(instance, "add", "db")
        assert task.status == "Error"
        assert instance in task.message
        site.read()
        assert not Vm.objects.filter(provider=site.provider, ems_ref=instance).exists()

    def test_of_many_those_that_can_be_done_are_done(self, site: Site) -> None:
        web, db, ops = (site.group(name) for name in ("web", "db", "ops"))
        instance = site.instance(web)
        site.read()
        foreign = GroupReference(ems_ref=site.foreign_group("foreign"))
        tasks = site.change(instance, "add", "db", foreign, "no-such-group", "ops")
        assert [task.status for task in tasks] == ["Ok", "Error", "Error", "Ok"]
        assert site.groups_of(site.ports(instance)[0]) == {web, db, ops}

    @injected
    def test_throttling_is_waited_for(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        instance = site.instance(web)
        site.read()
        site.throttle()
        [task] = site.change(instance, "add", "db")
        assert task.status == "Ok"
        assert site.groups_of(site.ports(instance)[0]) == {web, db}
        assert CallRate.objects.filter(provider=site.provider).count() == 1  # all workers are slower from now on

    @injected
    def test_a_lost_answer_is_resolved_by_reading(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        instance = site.instance(web)
        site.read()
        site.faults.lose_answer(site.write)
        [task] = site.change(instance, "add", "db")
        assert task.status == "Ok"
        assert site.groups_of(site.ports(instance)[0]) == {web, db}

    @injected
    def test_a_failure_of_the_cloud_is_tried_again(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        instance = site.instance(web)
        site.read()
        site.faults.answer(site.write, "Service Unavailable", status=503, content_type="text/plain")
        [task] = site.change(instance, "add", "db")
        assert task.status == "Ok"
        assert site.groups_of(site.ports(instance)[0]) == {web, db}

    # Groups and rules

    def test_groups_and_rules_are_made_and_deleted(self, site: Site) -> None:
        site.instance(site.group("web"))
        site.read()
        assert self.edited(site, group_creation(site.provider, name="new", description="for a test")) == ["Ok"]
        new = SecurityGroup.objects.get(provider=site.provider, name="new")
        assert new.firewall_rules.filter(direction="outbound").exists()  # which the cloud puts in itself
        tcp: Any = {"host_protocol": "tcp", "port": 443, "end_port": 443, "direction": "inbound"}
        rules = [
            rule_creation(new, source_ip_range="10.0.0.0/8", network_protocol="IPV4", **tcp),
            rule_creation(new, source_security_group=new, **tcp),
        ]
        assert self.edited(site, *rules) == ["Ok", "Ok"]
        before = self.rules(new)
        site.read()
        assert self.rules(new) == before
        first = new.firewall_rules.filter(direction="inbound").first()
        assert first
        assert self.edited(site, rule_deletion(first), group_deletion(new)) == ["Ok", "Ok"]
        site.read()
        assert not SecurityGroup.objects.filter(provider=site.provider, name="new").exists()

    @pytest.mark.parametrize(
        ("first", "again"),
        [
            ({"host_protocol": "tcp", "port": 80, "end_port": 80}, {"host_protocol": "6"}),
            ({"host_protocol": "tcp"}, {}),
            ({"host_protocol": "icmpv6", "network_protocol": "IPV6"}, {"host_protocol": "ipv6-icmp"}),
            ({"host_protocol": "112"}, {"host_protocol": "vrrp"}),
            ({}, {}),
        ],
        ids=str,
    )
    def test_a_rule_that_is_asked_for_twice_at_once_is_shown_twice(
        self, site: Site, first: dict[str, Any], again: dict[str, Any]
    ) -> None:
        web = site.group("web")
        site.read()
        source = "::/0" if first.get("network_protocol") else "10.0.0.0/8"
        given = {"direction": "inbound", "network_protocol": "IPV4", "source_ip_range": source} | first
        made, found = edited(
            site.provider, *(rule_creation(site.known(web), **one) for one in (given, given | again))
        )
        assert (made.status, found.status) == ("Ok", "Ok")
        assert "nothing to do" in found.message
        shown = [task.context_data["firewall_rule"] for task in (made, found)]
        assert shown[0]["ems_ref"] == shown[1]["ems_ref"]
        assert shown[0]["id"] == shown[1]["id"] is not None

    def test_a_rule_for_a_list_of_addresses_is_made_once(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        listed = site.address_list("offices", "10.0.0.0/8")
        site.let_in_from(web, listed)
        site.read()
        addresses = AddressList.objects.get(provider=site.provider, ems_ref=listed)
        rule: Any = {"host_protocol": "tcp", "port": 443, "end_port": 443, "direction": "inbound"}
        wanted = [rule_creation(site.known(db), **rule, source_address_list=addresses) for _ in range(2)]
        made, found = edited(site.provider, *wanted)
        assert (made.status, found.status) == ("Ok", "Ok"), (made.message, found.message)
        assert "nothing to do" in found.message
        assert found.context_data["firewall_rule"]["ems_ref"] == made.context_data["firewall_rule"]["ems_ref"]
        row = FirewallRule.objects.get(security_group=site.known(db), direction="inbound")
        assert (row.source_ip_range, row.source_address_list) == (listed, addresses)
        site.read()
        assert FirewallRule.objects.get(security_group=site.known(db), direction="inbound") == row
        assert [task.status for task in edited(site.provider, rule_deletion(row))] == ["Ok"]

    def edited(self, site: Site, *edits: Edit | Refused) -> list[str]:
        return [task.status for task in edited(site.provider, *edits)]

    def rules(self, group: SecurityGroup) -> list[Any]:
        found = FirewallRule.objects.filter(security_group=group).order_by("pk")
        return list(found.values_list("ems_ref", "direction", "host_protocol", "port", "source_ip_range"))

    def test_a_group_is_edited_or_refused_before_anything_is_queued(self, site: Site) -> None:
        web = site.group("web")
        site.read()
        asked = group_edit(site.known(web), name="www", description="")
        if not self.can_edit_groups:
            assert isinstance(asked, Refused)
            assert asked.message.startswith("Cannot edit security group web: ")
            return
        assert self.edited(site, asked) == ["Ok"]
        site.read()
        assert (site.known(web).name, site.known(web).description) == ("www", None)

    def test_a_group_in_use_is_kept_and_says_what_has_it(self, site: Site) -> None:
        web = site.group("web")
        instance = site.instance(web)
        site.read()
        site.deny_deletion()
        [task] = edited(site.provider, group_deletion(site.known(web)))
        assert task.status == "Error"
        assert "The security group is in use." in task.message
        assert site.ports(instance)[0] in task.message
        site.read()
        assert site.known(web)

    def test_a_cloud_that_takes_no_change_is_not_asked(self, site: Site) -> None:
        web = site.group("web")
        instance = site.instance(web)
        site.let_in(web)
        site.read()
        group, vm = site.known(web), site.vm(instance)
        answers: list[object] = [
            *request_changes(vm=vm, action="add", references=[GroupReference("web")], user=None),
            *request_changes(vm=vm, action="remove", references=[GroupReference("web")], user=None),
            group_creation(site.provider, name="new"),
            group_edit(group, name="new"),
            group_deletion(group),
            rule_creation(group, direction="inbound", source_ip_range="10.0.0.0/8"),
            *map(rule_deletion, group.firewall_rules.all()),
        ]
        assert [answer for answer in answers if not isinstance(answer, Refused)] == []
        assert not Task.objects.exists()

    # Reading

    def test_a_refresh_that_would_remove_more_than_half_is_stopped(self, site: Site) -> None:
        web = site.group("web")
        instances = [site.instance(web) for _ in range(4)]
        site.read()
        others = Vm.objects.filter(provider=site.provider).exclude(ems_ref__in=instances)
        others.delete()
        for instance in instances[:3]:
            site.end(instance)
        with pytest.raises(TooManyGone):
            refresh(site.provider, Grip())
        assert Vm.objects.filter(provider=site.provider, ems_ref__in=instances).count() == 4
        site.read()
        assert Vm.objects.filter(provider=site.provider, ems_ref__in=instances).count() == 1

    def test_everything_is_read_with_what_it_belongs_to(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        instance = site.instance(web, db, ports=2)
        site.read()
        vm = site.vm(instance)
        assert vm.cloud_tenant is not None
        assert (vm.power_state, vm.vendor) == ("on", site.provider.driver().vendor)
        assert {port.ems_ref for port in vm.network_ports.all()} == set(site.ports(instance))
        assert {port.cloud_network is not None for port in vm.network_ports.all()} == {True}
        owners = set(vm.network_ports.values_list("device_owner", "requester_managed", "port_security_enabled"))
        assert owners == {(site.owner, False, True)}
        assert list(memberships(vm).values()) == [{web, db}] * 2
        group = site.known(web)
        assert (group.name, group.cloud_tenant) == ("web", vm.cloud_tenant)
        assert group.firewall_rules.filter(direction="outbound").exists()  # which the cloud puts in itself

    def test_a_part_is_what_the_whole_has_of_it(self, site: Site) -> None:
        web = site.group("web")
        instance = site.instance(web, ports=2)
        site.instance(web)
        site.let_in_from(web, site.address_list("offices", "10.0.0.0/8"))
        site.let_in_from(site.group("db"), site.address_list("partners"))
        site.read()
        site.let_in(web)
        driver = site.provider.driver()
        whole = driver.inventory()
        tenant = site.vm(instance).cloud_tenant
        assert tenant
        parts = [Scope("cloud_tenant", tenant.ems_ref), Scope("instance", instance), Scope("security_group", web)]
        for part in parts:
            read, expected = (asdict(found) for found in (driver.inventory_of(part), whole.within(part)))
            for kind in PARTS:
                values = expected[kind]
                assert sorted(read[kind], key=_ref) == sorted(values, key=_ref), (part, kind)
        of_group = driver.inventory_of(parts[2])
        assert (len(of_group.ports), len(of_group.address_lists)) == (3, 1)

    def test_a_list_of_addresses_comes_with_the_rules_that_name_it(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        offices, empty = site.address_list("offices", "10.0.0.0/8", "192.0.2.0/24"), site.address_list("empty")
        site.let_in_from(web, offices)
        site.read()
        rule = FirewallRule.objects.get(provider=site.provider, source_ip_range=offices)
        listed = rule.source_address_list
        assert listed
        assert (listed.ems_ref, listed.name) == (offices, "offices")
        assert listed.entries == ["10.0.0.0/8", "192.0.2.0/24"]
        assert listed.cloud_tenant == site.known(web).cloud_tenant
        site.let_in_from(db, empty)
        refresh(site.provider, Grip(), scope=Scope("security_group", db))
        assert AddressList.objects.get(provider=site.provider, ems_ref=empty).entries == []

    @injected
    def test_a_list_of_addresses_that_is_not_shown_stays_as_known(self, site: Site) -> None:
        web, known = site.group("web"), site.address_list("known", "10.0.0.0/8")
        site.let_in_from(web, known)
        site.read()
        new = site.address_list("new", "10.0.0.0/8")
        site.let_in_from(web, new)
        site.deny_address_lists()
        refresh(site.provider, Grip())
        lists = AddressList.objects.filter(provider=site.provider)
        assert dict(lists.values_list("ems_ref", "entries")) == {known: ["10.0.0.0/8"], new: None}

    def test_ports_are_found_whosever_they_are(self, site: Site) -> None:
        instance = site.instance(site.group("web"), ports=2)
        first, _ = site.ports(instance)
        driver = site.provider.driver()
        whole = {port.ref: port for port in driver.inventory().ports}
        found = driver.inventory_of_ports([first])
        assert (found.ports, found.misfits) == ((whole[first],), ())

    def test_public_addresses_are_told_apart_and_survive_a_change(self, site: Site) -> None:
        web = site.group("web")
        site.group("db")
        instance = site.instance(web)
        site.read()
        [port] = site.ports(instance)
        own = self.addresses(port)[0]
        address = site.publish(port)
        for scope in (None, Scope("instance", instance), Scope("security_group", web)):
            refresh(site.provider, Grip(), scope=scope)
            assert self.addresses(port) == ([*own, address], [address]), scope
        if site.provider.driver().supports_security_groups:
            assert [task.status for task in site.change(instance, "add", "db")] == ["Ok"]
            assert self.addresses(port) == ([*own, address], [address])
        site.withdraw(port)
        refresh(site.provider, Grip(), scope=Scope("instance", instance))
        assert self.addresses(port) == (own, [])

    def addresses(self, port: str) -> tuple[list[str], list[str]]:
        """All addresses of a port, and the public ones, as the inventory has them."""
        row = NetworkPort.objects.get(ems_ref=port)
        return row.ipaddresses, row.public_ipaddresses

    def test_peered_networks_are_known_as_such(self, site: Site) -> None:
        one, other = site.peered()
        site.read()
        networks = CloudNetwork.objects.filter(provider=site.provider)
        assert {network.ems_ref for network in networks.filter(peers__isnull=False)} == {one, other}
        assert networks.get(ems_ref=one).peers.get().ems_ref == other

    def test_a_part_is_refreshed_without_the_rest(self, site: Site) -> None:
        web, db = site.group("web"), site.group("db")
        first, second = site.instance(web), site.instance(web)
        site.read()
        for instance in (first, second):
            site.set_groups(site.ports(instance)[0], web, db)
        refresh(site.provider, Grip(), scope=Scope("instance", first))
        assert [list(memberships(site.vm(one)).values()) for one in (first, second)] == [[{web, db}], [{web}]]
        site.set_groups(site.ports(first)[0], web)
        refresh(site.provider, Grip(), scope=Scope("security_group", db))
        assert [list(memberships(site.vm(one)).values()) for one in (first, second)] == [[{web}], [{web, db}]]

    def test_a_part_that_is_gone_is_removed(self, site: Site) -> None:
        web, new = site.group("web"), site.group("new")
        instance, other = site.instance(web), site.instance(web)
        site.read()
        site.end(instance)
        refresh(site.provider, Grip(), scope=Scope("instance", instance))
        site.delete(new)
        refresh(site.provider, Grip(), scope=Scope("security_group", new))
        assert not Vm.objects.filter(provider=site.provider, ems_ref=instance).exists()
        assert not SecurityGroup.objects.filter(provider=site.provider, ems_ref=new).exists()
        assert site.vm(other).security_groups.get() == site.known(web)


def _ref(value: dict[str, Any]) -> str:
    return str(value["ref"])
