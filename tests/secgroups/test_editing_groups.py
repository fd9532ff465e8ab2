"""Carrying out edits of groups: once, whatever gets lost on the way, and with the inventory right afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError

from inventory.backoff import ShutdownRequested
from inventory.drivers.values import Group
from inventory.leases import LeaseLost
from inventory.models import CloudNetwork, CloudTenant, Task
from inventory.refresh import refresh
from secgroups import editing
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.services import Edit, group_creation, group_deletion, group_edit
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Clock, Grip, MemoryCloud, forget, meanwhile, refuse, throttle, unavailable
from tests.secgroups.editing import edited, queue


def new(cast: Cast, name: str = "new", **attributes: Any) -> Edit:
    decided = group_creation(cast.acme, name=name, **attributes)
    assert isinstance(decided, Edit)
    return decided


def ends(tasks: list[Task]) -> list[tuple[str, str, str]]:
    return [(task.state, task.status, task.message) for task in tasks]


def named(cloud: MemoryCloud, name: str) -> list[Group]:
    return [group for group in cloud.group_list if group.name == name]


CREATED = [("Finished", "Ok", "Created security group new.")]
DELETED = [("Finished", "Ok", "Deleted security group web.")]


class TestCreating:
    def test_the_group_and_its_rules_are_in_the_inventory_at_once(self, cast: Cast, cloud: MemoryCloud) -> None:
        [task] = edited(cast.acme, new(cast, description="a new one"))
        row = SecurityGroup.objects.get(name="new")
        [group] = named(cloud, "new")
        assert ends([task]) == CREATED
        assert (row.ems_ref, row.description) == (group.ref, "a new one")
        assert (row.cloud_network, row.cloud_tenant) == (cast.production.network, cast.tenant)
        assert [rule.ems_ref for rule in row.firewall_rules.all()] == [f"r-of-{group.ref}"]
        assert task.context_data["security_group"]["id"] == str(row.pk)
        assert task.context_data["request_id"].startswith("req-")

    @pytest.mark.parametrize("said", [True, False])
    def test_it_has_its_tenant_and_its_network_though_nobody_knows_them_yet(
        self, cast: Cast, cloud: MemoryCloud, said: bool
    ) -> None:
        """EC2 lists no accounts: that of an empty one is known by its first group."""
        decided = new(cast, cloud_network=cast.production.network)
        CloudNetwork.objects.all().delete()
        CloudTenant.objects.all().delete()
        if not said:
            cloud.script("create_group", lambda call: (replace((made := call())[0], tenant_ref=None), made[1]))
        assert ends(edited(cast.acme, decided)) == CREATED
        row = SecurityGroup.objects.get(name="new")
        assert (row.cloud_tenant.ems_ref, row.cloud_network.ems_ref) == ("t-account", "vpc-production")
        ids = (row.pk, row.cloud_tenant_id, row.cloud_network_id)
        refresh(cast.acme, Grip())
        row = SecurityGroup.objects.select_related("cloud_tenant", "cloud_network").get(name="new")
        assert (row.pk, row.cloud_tenant_id, row.cloud_network_id) == ids
        assert (row.cloud_tenant.name, row.cloud_network.name) == ("account", "production")

    def test_a_lost_answer_is_looked_for_before_anything_is_repeated(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.script("create_group", unavailable(done=True))
        assert ends(edited(cast.acme, new(cast))) == CREATED
        assert len(cloud.called("create_group")) == 1
        assert SecurityGroup.objects.get(name="new").ems_ref == named(cloud, "new")[0].ref

    def test_what_was_not_done_is_done_again(self, cast: Cast, cloud: MemoryCloud, clock: Clock) -> None:
        cloud.script("create_group", unavailable(), throttle(3), throttle(4))
        assert ends(edited(cast.acme, new(cast))) == CREATED
        assert 7 <= clock.now < 8
        assert len(named(cloud, "new")) == 1

    def test_what_the_cloud_has_but_does_not_show_yet_is_waited_for(self, cast: Cast, cloud: MemoryCloud) -> None:
        hidden = lambda call: ()  # noqa: E731
        cloud.script("namesakes", hidden, hidden, hidden)
        cloud.script("create_group", unavailable(done=True))
        assert ends(edited(cast.acme, new(cast))) == CREATED
        assert len(named(cloud, "new")) == 1

    def test_a_task_whose_worker_died_after_the_write_finds_its_group(
        self, cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as dying:
            dying.setattr(editing, "finish", _die)
            with pytest.raises(OperationalError):
                edited(cast.acme, new(cast))
        assert Task.objects.get().state == "Active"
        assert ends(edited(cast.acme)) == CREATED
        assert len(cloud.called("create_group")) == 1
        assert SecurityGroup.objects.filter(name="new").count() == 1

    def test_a_task_whose_worker_died_before_the_write_makes_the_group_that_it_had_in_mind(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        grip = Grip()
        cloud.script("namesakes", meanwhile(grip.lose))
        with pytest.raises(LeaseLost):
            edited(cast.acme, new(cast), grip=grip)
        assert cloud.called("create_group") == []
        assert ends(edited(cast.acme)) == CREATED

    def test_a_group_of_that_name_from_before_is_not_taken_for_the_new_one(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        error = ("Finished", "Error", "Cannot create security group web: There is a group web.")
        assert ends(edited(cast.acme, new(cast, "web"))) == [error]
        cloud.script("create_group", unavailable())
        assert ends(edited(cast.acme, new(cast, "web"))) == [error]

    def test_where_names_are_not_unique_a_second_of_a_name_is_made_once(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        cloud.unique_names = False
        cloud.script("create_group", unavailable(done=True))
        [task] = edited(cast.acme, new(cast, "web"))
        assert task.status == "Ok"
        refs = [group.ref for group in named(cloud, "web") if group.network_ref == "vpc-production"]
        assert refs == ["sg-production-web", task.context_data["security_group"]["ems_ref"]]

    def test_a_refusal_is_passed_on_and_hurts_no_other_task(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.script("create_group", refuse("The account has too many groups."))
        tasks = edited(cast.acme, new(cast), new(cast, "newer"))
        assert ends(tasks) == [
            (
                "Finished",
                "Error",
                "Cannot create security group new: The account has too many groups. (request req-refused)",
            ),
            ("Finished", "Ok", "Created security group newer."),
        ]

    def test_rules_that_cannot_be_read_are_left_to_the_next_refresh(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.script("rules_of", unavailable())
        assert ends(edited(cast.acme, new(cast))) == CREATED
        assert not SecurityGroup.objects.get(name="new").firewall_rules.exists()


class TestPatience:
    def test_a_task_says_that_it_waits(self, cast: Cast, cloud: MemoryCloud) -> None:
        said: list[str] = []
        look = meanwhile(lambda: said.append(Task.objects.get().message))
        cloud.script("create_group", throttle(), look)
        edited(cast.acme, new(cast))
        [message] = said
        assert message.startswith("Attempt 1 failed, the next is at ")
        assert message.endswith("Z: Slow down.")

    def test_a_worker_that_is_to_stop_hands_its_tasks_back(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock
    ) -> None:
        clock.stop_asked = True
        cloud.script("create_group", throttle())
        with pytest.raises(ShutdownRequested):
            edited(cast.acme, new(cast), new(cast))
        assert [task.state for task in Task.objects.all()] == ["Active", "Queued"]

    def test_after_one_that_gave_up_the_others_ask_once_until_the_cloud_answers(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock
    ) -> None:
        cloud.script("placed", *[throttle(100)] * 4, throttle(100))
        tasks = edited(cast.acme, new(cast, "a"), new(cast, "b"), new(cast, "c"), new(cast, "d"))
        assert [task.status for task in tasks] == ["Error", "Error", "Ok", "Ok"]
        assert tasks[0].message == "Cannot create security group a: Slow down."
        assert len(cloud.called("placed")) == 4 + 1 + 1 + 1
        assert clock.now == 300

    def test_without_the_lease_the_cloud_is_not_written_to(self, cast: Cast, cloud: MemoryCloud) -> None:
        grip = Grip()
        grip.lose()
        with pytest.raises(LeaseLost):
            edited(cast.acme, group_deletion(cast.production.web), grip=grip)
        assert cloud.called("delete_group") == []

    def test_without_the_lease_nothing_is_recorded(self, cast: Cast, cloud: MemoryCloud) -> None:
        grip = Grip()
        cloud.script("create_group", meanwhile(grip.lose))
        with pytest.raises(LeaseLost):
            edited(cast.acme, new(cast), grip=grip)
        assert not SecurityGroup.objects.filter(name="new").exists()
        assert Task.objects.get().state != "Finished"


class TestEditing:
    def test_name_and_description_are_changed_at_the_cloud_and_here(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.script("edit_group", unavailable(done=True))
        [task] = edited(cast.acme, group_edit(cast.production.web, name="www"))
        cast.production.web.refresh_from_db()
        assert ends([task]) == [("Finished", "Ok", "Edited security group web.")]
        assert cast.production.web.name == "www"
        assert named(cloud, "www")
        assert task.context_data["security_group"]["name"] == "www"

    def test_a_group_that_is_gone_is_an_error(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.drop_group("sg-production-web")
        [task] = edited(cast.acme, group_edit(cast.production.web, name="www"))
        assert ends([task]) == [
            ("Finished", "Error", "Cannot edit security group web: There is no group sg-production-web.")
        ]


class TestDeleting:
    def test_it_is_gone_from_the_cloud_and_from_here(self, cast: Cast, cloud: MemoryCloud) -> None:
        [task] = edited(cast.acme, group_deletion(cast.production.web))
        assert ends([task]) == DELETED
        assert not SecurityGroup.objects.filter(pk=cast.production.web.pk).exists()
        assert task.context_data["request_id"].startswith("req-")
        assert task.context_data["security_group"]["ems_ref"] == "sg-production-web"

    def test_rules_that_name_it_go_with_it_where_the_cloud_deletes_them(
        self, cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(MemoryCloud, "rules_end_with_their_source", True)
        rule = FirewallRule.objects.create(
            provider=cast.acme,
            ems_ref="sgr-1",
            security_group=cast.production.db,
            direction="inbound",
            source_security_group=cast.production.web,
        )
        edited(cast.acme, group_deletion(cast.production.web))
        assert not FirewallRule.objects.filter(pk=rule.pk).exists()

    def test_after_a_lost_answer_gone_is_deleted(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.script("delete_group", unavailable(done=True))
        assert ends(edited(cast.acme, group_deletion(cast.production.web))) == DELETED

    def test_what_is_gone_already_is_no_error(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.drop_group("sg-production-web")
        assert ends(edited(cast.acme, group_deletion(cast.production.web))) == [
            ("Finished", "Ok", "There was nothing to do: security group web no longer exists.")
        ]
        assert not SecurityGroup.objects.filter(pk=cast.production.web.pk).exists()

    def test_one_that_was_just_made_is_waited_for_where_the_cloud_does_not_find_it(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        edited(cast.acme, new(cast))
        row = SecurityGroup.objects.get(name="new")
        cloud.script("delete_group", forget(row.ems_ref))
        [task] = edited(cast.acme, group_deletion(row))
        assert task.message == "Deleted security group new."
        assert named(cloud, "new") == []

    def test_one_that_is_in_use_stays_here_too(self, cast: Cast, cloud: MemoryCloud) -> None:
        [task] = edited(cast.acme, group_deletion(cast.production.default))
        assert ends([task]) == [
            ("Finished", "Error", "Cannot delete security group default: The security group is in use.")
        ]
        assert SecurityGroup.objects.filter(pk=cast.production.default.pk).exists()

    def test_a_rule_that_names_it_does_not_read_as_from_anywhere(self, cast: Cast, cloud: MemoryCloud) -> None:
        rule = actors.rule(cast.production.db, 5432)
        type(rule).objects.update(source_ip_range=None, source_security_group=cast.production.web)
        edited(cast.acme, group_deletion(cast.production.web))
        rule.refresh_from_db()
        assert (rule.source_security_group, rule.source_ip_range) == (None, "sg-production-web")


def test_a_provider_that_was_deleted_meanwhile_ends_its_tasks(cast: Cast, cloud: MemoryCloud) -> None:
    queue(new(cast))
    queue_name = f"security_groups/{cast.acme.pk}"
    cast.acme.delete()
    tasks = list(Task.objects.of_queue(queue_name).select_related("provider"))
    editing.handle_edit_tasks(tasks, Grip())
    assert ends(list(Task.objects.all())) == [("Finished", "Error", "The provider was deleted.")]
    assert cloud.calls == []


def _die(*args: Any, **kwargs: Any) -> None:
    raise OperationalError("The worker is killed.")
