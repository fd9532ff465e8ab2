"""Reverting what was done to groups and rules: just that, and only if nothing else has touched it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied

from inventory.backoff import ShutdownRequested
from inventory.drivers.exceptions import AlreadyThere, GroupNotFound
from inventory.drivers.values import Rule
from inventory.messages import RIGHT_LOST
from inventory.models import Grant, Task
from inventory.refresh import refresh
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.reverting import messages
from secgroups.services import (
    Edit,
    GroupReference,
    Refused,
    group_creation,
    group_deletion,
    group_edit,
    rule_creation,
    rule_deletion,
)
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Clock, Grip, MemoryCloud, fail, mirror, refuse, throttle, unavailable
from tests.contracts import grant as give
from tests.readers import grant
from tests.secgroups.carrying import carried_out
from tests.secgroups.carrying import queue as queue_change
from tests.secgroups.editing import edited
from tests.secgroups.reverting import accepted, refusal, reverted, run

SSH: Any = {
    "direction": "inbound",
    "host_protocol": "tcp",
    "port": 22,
    "end_port": 22,
    "network_protocol": "IPV4",
    "description": "for Ada",
}


@pytest.fixture
def web(cast: Cast, cloud: MemoryCloud) -> SecurityGroup:
    """A group with a rule for everybody, one that names another group, and one that names itself."""
    web, db = cast.production.web, cast.production.db
    for number, source in enumerate((None, db, web)):
        actors.rule(web, 80 + number)
        rules = web.firewall_rules.filter(port=80 + number)
        rules.update(source_security_group=source, source_ip_range=None if source else "0.0.0.0/0")
    fresh = mirror(cast.acme)
    cloud.rule_list = fresh.rule_list
    refresh(cast.acme, Grip())  # the first one leaves no events of what it finds
    return web


def done(cast: Cast, edit: Edit | Refused) -> Task:
    [task] = edited(cast.acme, edit)
    assert task.status == "Ok", task.message
    return task


def rules_at(cloud: MemoryCloud, group: str) -> set[Rule]:
    """The rules of a group, whatever their ids."""
    return {replace(rule, ref="") for rule in cloud.rule_list if rule.group_ref == group}


def rules_known(group: str) -> set[Rule]:
    rows = FirewallRule.objects.filter(security_group__ems_ref=group)
    return {replace(rule, ref="") for rule in rows.as_values()}


class TestRules:
    def test_a_creation_is_deleted(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        before = list(cloud.rule_list)
        task = done(cast, rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"))
        reverting = reverted(task)
        assert (reverting.status, reverting.message) == (
            "Ok",
            "Deleted rule inbound tcp 22 from 10.0.0.0/8 of security group web.",
        )
        assert reverting.name.startswith(f"Reverting task {task.pk}: deleting rule inbound tcp 22")
        assert reverting.context_data["reverts"] == str(task.pk)
        assert cloud.rule_list == before
        assert rules_known(web.ems_ref) == rules_at(cloud, web.ems_ref)

    @pytest.mark.parametrize("port", [80, 81, 82])
    def test_a_deletion_is_created_again(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup, port: int
    ) -> None:
        before = rules_at(cloud, web.ems_ref)
        task = done(cast, rule_deletion(web.firewall_rules.get(port=port)))
        assert rules_at(cloud, web.ems_ref) != before
        assert reverted(task).status == "Ok"
        assert rules_at(cloud, web.ems_ref) == rules_known(web.ems_ref) == before

    def test_a_list_of_addresses_is_named_again(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        offices = actors.address_list(cast.acme, "offices", ["10.0.0.0/8"])
        done(cast, rule_creation(web, **SSH, source_address_list=offices))
        before = rules_at(cloud, web.ems_ref)
        task = done(cast, rule_deletion(web.firewall_rules.get(port=22)))
        assert reverted(task).status == "Ok"
        assert rules_at(cloud, web.ems_ref) == before

    def test_a_revert_is_reverted_though_ids_change(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        without = rules_at(cloud, web.ems_ref)
        task = done(cast, rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"))
        having = rules_at(cloud, web.ems_ref)
        again = reverted(reverted(task))
        assert again.status == "Ok"
        assert rules_at(cloud, web.ems_ref) == having
        assert reverted(task).status == "Ok"
        assert rules_at(cloud, web.ems_ref) == without

    def test_another_task_is_in_the_way(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        task = done(cast, rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"))
        later = done(cast, rule_deletion(web.firewall_rules.get(port=22)))
        message = refusal(task)
        assert "A rule of security group web was deleted: inbound tcp 22 from 10.0.0.0/8, by system" in message
        assert f"in task {later.pk} at 20" in message

    def test_what_a_refresh_found_is_in_the_way(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        """Also that only its description has changed."""
        task = done(cast, rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"))
        rule = cloud.rule_list[-1]
        cloud.rule_list[-1] = replace(rule, description="for everybody")
        refresh(cast.acme, Grip())
        rule_of_ssh = "A rule of security group web was created: inbound tcp 22 from 10.0.0.0/8"
        assert f"{rule_of_ssh}, found at the cloud at 20" in refusal(task)

    def test_the_same_rule_by_somebody_else_is_in_the_way(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        [rule] = [rule for rule in cloud.rule_list if rule.port == 80]
        task = done(cast, rule_deletion(web.firewall_rules.get(port=80)))
        cloud._create_rule(replace(rule, ref="", description="mine"))
        reverting = reverted(task)
        assert reverting.status == "Error"
        assert "already exists, found at the cloud" in reverting.message
        refresh(cast.acme, Grip())
        assert "A rule of security group web was created" in refusal(task)

    def test_another_rule_is_not_in_the_way(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        task = done(cast, rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"))
        done(cast, rule_creation(web, **SSH | {"port": 21}, source_ip_range="10.0.0.0/8"))
        done(cast, rule_deletion(web.firewall_rules.get(port=80)))
        assert reverted(task).status == "Ok"

    def test_what_only_the_cloud_knows_is_in_the_way(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        task = done(cast, rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"))
        cloud.rule_list[-1] = replace(cloud.rule_list[-1], source_ip_range="0.0.0.0/0")
        before = list(cloud.rule_list)
        reverting = reverted(task)
        assert reverting.status == "Error"
        assert "is not as it was left, found at the cloud at 20" in reverting.message
        assert cloud.rule_list == before
        cloud.rule_list.pop()
        assert "no longer exists, found at the cloud at 20" in reverted(task).message

    def test_a_change_before_it_in_the_queue_is_in_the_way(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        task = done(cast, rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"))
        reverting = accepted(task)
        Task.objects.filter(pk=reverting.pk).update(state="Finished")
        later = done(cast, rule_deletion(web.firewall_rules.get(port=22)))
        Task.objects.filter(pk=reverting.pk).update(state="Queued")
        run(reverting.queue)
        reverting.refresh_from_db()
        assert reverting.status == "Error"
        assert f"in task {later.pk} at" in reverting.message

    def test_what_it_names_is_gone(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        task = done(cast, rule_deletion(web.firewall_rules.get(port=81)))
        done(cast, group_deletion(cast.production.db))
        assert refusal(task).endswith(messages.SOURCE_GONE)
        done(cast, rule_creation(cast.staging.web, **SSH, source_security_group=cast.staging.db))
        task = done(cast, group_deletion(cast.staging.web))
        done(cast, group_deletion(cast.staging.db))
        assert refusal(task).endswith(messages.SOURCE_GONE)

    def test_a_lost_answer_is_no_change_of_somebody_else(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        task = done(cast, rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"))
        cloud.script("delete_rule", unavailable(done=True))
        assert reverted(task).status == "Ok"


class TestGroups:
    def test_a_creation_is_deleted(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        before = cloud.inventory()
        task = done(cast, group_creation(cast.acme, name="new", cloud_network=cast.production.network))
        assert reverted(task).status == "Ok"
        assert cloud.inventory() == before
        assert not SecurityGroup.objects.filter(name="new").exists()

    def test_an_edit_is_edited_back(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        before = cloud.inventory()
        first = done(cast, group_edit(web, name="front"))
        web.refresh_from_db()
        second = done(cast, group_edit(web, description="of the shop"))
        assert f"Security group front was edited, by system in task {second.pk} at 20" in refusal(first)
        for task in (second, first):
            assert reverted(task).status == "Ok"
        assert cloud.inventory() == before

    def test_a_deletion_is_created_again_with_its_rules(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        before = rules_at(cloud, web.ems_ref)
        task = done(cast, group_deletion(web))
        reverting = reverted(task)
        assert reverting.status == "Ok"
        assert reverting.message == (
            "Created security group web. It has a new id. What named the old one, such as rules of other groups, "
            "does not name it."
        )
        made = SecurityGroup.objects.get(pk=reverting.context_data["security_group"]["id"])
        assert (made.name, made.cloud_network, made.cloud_tenant) == ("web", web.cloud_network, web.cloud_tenant)

        def renamed(ref: str | None) -> str | None:
            return made.ems_ref if ref == web.ems_ref else ref

        expected = {
            replace(rule, group_ref=made.ems_ref, source_group_ref=renamed(rule.source_group_ref))
            for rule in before
        }
        # The cloud gives a new group a rule that this one did not have.
        assert rules_at(cloud, made.ems_ref) == rules_known(made.ems_ref) == expected

    def test_what_was_created_again_is_deleted_and_so_on(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        task = done(cast, group_deletion(web))
        back = reverted(task)
        assert "was created, by root" in refusal(task)
        assert reverted(back).status == "Ok"
        assert not SecurityGroup.objects.filter(cloud_network=web.cloud_network, name="web").exists()
        assert reverted(task).status == "Ok"
        made = SecurityGroup.objects.get(cloud_network=web.cloud_network, name="web")
        assert made.firewall_rules.count() == 3

    def test_members_rules_and_names_in_other_rules_are_in_the_way(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        vm = cast.production.single
        task = done(cast, group_creation(cast.acme, name="new", cloud_network=cast.production.network))
        new = SecurityGroup.objects.get(name="new")
        rule = done(cast, rule_creation(new, **SSH, source_ip_range="10.0.0.0/8"))
        assert "A rule of security group new was created: inbound tcp 22" in refusal(task)
        reverted(rule)
        queue_change(vm, "add", "new")
        carried_out(vm)
        assert "Security group new was added to production-single on port eni-production-single-1" in refusal(task)
        queue_change(vm, "remove", GroupReference("new"))
        carried_out(vm)
        naming = done(cast, rule_creation(web, **SSH, source_security_group=new))
        assert "A rule of security group web was created: inbound tcp 22 from a security group" in refusal(task)
        reverted(naming)
        edit = done(cast, group_edit(new, description="x"))
        assert "Security group new was edited" in refusal(task)
        reverted(edit)
        # What it got and has lost again is not.
        assert reverted(task).status == "Ok"

    def test_what_only_the_cloud_knows_is_in_the_way(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        task = done(cast, group_creation(cast.acme, name="new", cloud_network=cast.production.network))
        new = SecurityGroup.objects.get(name="new").ems_ref
        cloud._create_rule(Rule("", new, "inbound", "IPV4", "tcp", 1, 1, "0.0.0.0/0"))
        assert "Security group new has other rules, found at the cloud" in reverted(task).message
        cloud.rule_list.pop()
        cloud.set_port("eni-production-single-1", group_refs=(new,))
        assert "Security group new is on port eni-production-single-1, found at" in reverted(task).message
        edit = done(cast, group_edit(web, description="x"))
        cloud._edit_group(web.ems_ref, None, "y")
        reverting = reverted(edit)
        assert "Security group web is not as it was left, found at the cloud" in reverting.message
        assert not cloud.called("delete_group")
        assert len(cloud.called("edit_group")) == 1

    def test_a_group_of_that_name_is_in_the_way(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        task = done(cast, group_deletion(web))
        done(
            cast,
            group_creation(cast.acme, name="web", cloud_network=cast.production.network, cloud_tenant=cast.tenant),
        )
        assert "Security group web was created, by system" in refusal(task)

    def test_a_stateless_group(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        SecurityGroup.objects.filter(pk=web.pk).update(stateful=False)
        task = done(cast, group_deletion(web))
        assert refusal(task).endswith(messages.STATELESS)

    def test_a_place_that_is_gone(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        network = web.cloud_network
        task = done(cast, group_deletion(web))
        assert network is not None
        network.delete()
        assert refusal(task).endswith(messages.PLACE_GONE)


class TestFaultsOfARestoration:
    def test_a_rule_that_is_refused_is_told(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        task = done(cast, group_deletion(web))
        cloud.script("create_rule", refuse("There are too many rules."))
        reverting = reverted(task)
        assert reverting.status == "Warn"
        assert "Its rules are not as they were: There are too many rules." in reverting.message
        made = SecurityGroup.objects.get(pk=reverting.context_data["security_group"]["id"])
        assert made.firewall_rules.count() == 2

    def test_a_group_that_the_cloud_does_not_show_yet(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        task = done(cast, group_deletion(web))
        cloud.script("create_rule", *[fail(GroupNotFound("There is no such group."))] * 3)
        assert reverted(task).status == "Ok"

    @pytest.mark.parametrize("call", ["create_group", "rules_of", "delete_rule", "create_rule"])
    def test_a_worker_that_dies(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup, call: str) -> None:
        """The next one goes on with the same group."""
        task = done(cast, group_deletion(web))
        reverting = accepted(task)

        def die(act: Any) -> Any:
            act()
            raise KeyboardInterrupt

        cloud.script(call, die)
        with pytest.raises(KeyboardInterrupt):
            run(reverting.queue)
        run(reverting.queue)
        reverting.refresh_from_db()
        assert reverting.status == "Ok", reverting.message
        made = SecurityGroup.objects.get(cloud_network=web.cloud_network, name="web")
        assert len(rules_at(cloud, made.ems_ref)) == made.firewall_rules.count() == 3
        assert len([group for group in cloud.group_list if group.name == "web"]) == 2  # the other is in staging

    def test_a_worker_that_hands_it_over(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup, clock: Clock
    ) -> None:
        """Meanwhile a refresh finds the new group, which is not in the way of itself."""
        task = done(cast, group_deletion(web))
        reverting = accepted(task)
        cloud.script("create_rule", throttle())
        clock.stop_asked = True
        with pytest.raises(ShutdownRequested):
            run(reverting.queue)
        clock.stop_asked = False
        refresh(cast.acme, Grip())
        run(reverting.queue)
        reverting.refresh_from_db()
        assert reverting.status == "Ok", reverting.message
        assert SecurityGroup.objects.get(cloud_network=web.cloud_network, name="web").firewall_rules.count() == 3

    def test_a_name_that_is_taken_at_the_cloud(self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup) -> None:
        task = done(cast, group_deletion(web))
        cloud.script("create_group", fail(AlreadyThere("There is a group web.")))
        assert reverted(task).status == "Error"


class TestRights:
    EDITS = ("create_rule", "delete_rule", "create_group", "edit_group", "delete_group")

    def task(self, kind: str, cast: Cast, web: SecurityGroup) -> Task:
        network = cast.production.network
        edits = {
            "create_rule": lambda: rule_creation(web, **SSH, source_ip_range="10.0.0.0/8"),
            "delete_rule": lambda: rule_deletion(web.firewall_rules.get(port=80)),
            "create_group": lambda: group_creation(cast.acme, name="new", cloud_network=network),
            "edit_group": lambda: group_edit(web, description="x"),
            "delete_group": lambda: group_deletion(web),
        }
        return done(cast, edits[kind]())

    @pytest.mark.parametrize("kind", EDITS)
    def test_are_those_of_the_reverse_edit(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup, kind: str, django_user_model: type[User]
    ) -> None:
        ada = django_user_model.objects.create_user("ada")
        grant(ada, "operator", cast.acme)
        task = self.task(kind, cast, web)
        with pytest.raises(PermissionDenied):
            refusal(task, ada)
        Grant.objects.update(role="manager")
        Grant.objects.update(provider=987_654)
        with pytest.raises(PermissionDenied):
            refusal(task, User.objects.get(pk=ada.pk))
        Grant.objects.update(provider=cast.acme)
        before = cloud.inventory()
        reverting = accepted(task, User.objects.get(pk=ada.pk))
        Grant.objects.update(role="operator")
        run(reverting.queue)
        reverting.refresh_from_db()
        assert reverting.status == "Error"
        assert RIGHT_LOST in reverting.message
        assert cloud.inventory() == before

    def test_of_a_group_with_rules_are_those_of_its_rules_too(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup, django_user_model: type[User]
    ) -> None:
        ada = django_user_model.objects.create_user("ada")
        give(ada, "secgroups.add_securitygroup")
        task = self.task("delete_group", cast, web)
        with pytest.raises(PermissionDenied):
            refusal(task, ada)
        both = give(ada, "secgroups.add_securitygroup", "secgroups.add_firewallrule")
        reverting = accepted(task, both)
        ada.user_permissions.remove(Permission.objects.get(codename="add_firewallrule"))
        run(reverting.queue)
        reverting.refresh_from_db()
        assert RIGHT_LOST in reverting.message
        assert not cloud.called("create_group")

    def test_to_see_decide_which_ports_are_named(
        self, cast: Cast, cloud: MemoryCloud, web: SecurityGroup, django_user_model: type[User]
    ) -> None:
        ada = django_user_model.objects.create_user("ada")
        grant(ada, "manager", cast.tenant)
        network = cast.production.network
        creation = group_creation(cast.acme, name="new", cloud_network=network, cloud_tenant=cast.tenant)
        task = done(cast, creation)
        new = SecurityGroup.objects.get(name="new").ems_ref
        cloud.set_port("eni-production-single-1", group_refs=(new,))
        assert "Security group new is on port eni-production-single-1, found" in reverted(task, ada).message
        cast.production.single.network_ports.update(cloud_tenant=actors.tenant(cast.acme, "other"))
        assert "Security group new is in use, found" in reverted(task, ada).message
