"""Replacing groups that are in use, and deleting them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from inventory.models import EventStream, NetworkPort
from inventory.refresh import refresh
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.services import Refused, detached_deletion, group_replacement
from tests import cast as actors
from tests.cast import Cast, memberships
from tests.clouds import Grip, MemoryCloud, refuse
from tests.secgroups.in_use import (
    deleted,
    end,
    ends,
    group_of,
    like_inventory,
    port_states,
    put_to_use,
    replaced,
    run,
)


@pytest.fixture
def admin(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_superuser("root")


@pytest.fixture
def used(cast: Cast, cloud: MemoryCloud) -> Cast:
    put_to_use(cloud, cast)
    refresh(cast.acme, Grip())  # the first one leaves no events of what it finds
    cloud.calls.clear()
    return cast


def named_by(cloud: MemoryCloud, ref: str) -> list[tuple[str, int | None]]:
    return [(rule.group_ref, rule.port) for rule in cloud.rule_list if rule.source_group_ref == ref]


class TestReplacing:
    def test_every_port_gets_the_other_and_every_rule_names_it(
        self, used: Cast, cloud: MemoryCloud, admin: User
    ) -> None:
        web, db = used.production.web, used.production.db
        task = replaced(web, db, admin)
        assert task.name == "Replacing security group web with db"
        run()
        assert end(task) == ("Finished", "Ok", "Replacing security group web with db: 6 went well.")
        assert {message for _, _, message in ends(task)} == {
            "Created rules of security group db that name db as others name web.",
            "Created rules of security group web that name db as others name web.",
            "Replaced security group web with db of production-single.",
            "Replaced security group web with db of production-double on 2 ports.",
            "Deleted rules of security group db that name web.",
            "Deleted rules of security group web that name web.",
        }
        assert cloud.groups_of("i-production-single") == {"eni-production-single-1": ("sg-production-db",)}
        assert named_by(cloud, "sg-production-web") == []
        twins = [("sg-production-db", 5432), ("sg-production-web", 80), ("sg-production-web", 443)]
        assert sorted(named_by(cloud, "sg-production-db")) == sorted(twins)
        assert not web.memberships.exists()
        assert memberships(used.production.single) == {"eni-production-single-1": {"sg-production-db"}}
        assert not FirewallRule.objects.filter(source_security_group=web).exists()
        assert FirewallRule.objects.filter(source_security_group=db).count() == 3

    def test_twins_come_first_and_rules_go_last(self, used: Cast, cloud: MemoryCloud, admin: User) -> None:
        replaced(used.production.web, used.production.db, admin)
        run()
        writes = [name for name, _ in cloud.calls if name in {"create_rule", "change_groups", "delete_rule"}]
        assert writes == ["create_rule"] * 2 + ["change_groups"] * 3 + ["delete_rule"] * 2

    def test_no_port_is_without_both(self, used: Cast, cloud: MemoryCloud, admin: User) -> None:
        before = {port.ref: port.group_refs for port in cloud.port_list}
        holders = {ref for ref, refs in before.items() if "sg-production-web" in refs}
        replaced(used.production.web, used.production.db, admin)
        run()
        both = {"sg-production-web", "sg-production-db"}
        assert all(both & groups[ref] for groups in port_states(cloud, before) for ref in holders)

    def test_its_events_are_the_tasks(self, used: Cast, cloud: MemoryCloud, admin: User) -> None:
        last = EventStream.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        task = replaced(used.production.web, used.production.db, admin)
        run()
        events = EventStream.objects.filter(pk__gt=last)
        assert {event.source for event in events} == {"PORTCULLIS"}
        assert {event.task_id for event in events} <= set(task.tasks.values_list("pk", flat=True))
        kinds = (
            "security_group_added",
            "security_group_removed",
            "firewall_rule_created",
            "firewall_rule_deleted",
        )
        assert [events.filter(event_type=kind).count() for kind in kinds] == [3, 3, 2, 2]

    def test_if_a_twin_is_refused_the_ports_keep_the_group(
        self, used: Cast, cloud: MemoryCloud, admin: User
    ) -> None:
        cloud.script("create_rule", refuse())
        task = replaced(used.production.web, used.production.db, admin)
        run()
        assert not cloud.called("change_groups")
        assert not cloud.called("delete_rule")
        failed = task.tasks.filter(status="Error").order_by("pk")
        assert [part.message for part in failed[1:]] == [
            f"Not attempted, because task {failed[0].pk} failed before it."
        ] * 4

    def test_a_group_that_nothing_uses_says_so(self, cast: Cast, cloud: MemoryCloud, admin: User) -> None:
        task = replaced(cast.production.web, cast.production.db, admin)
        run()
        said = "There was nothing to do: rules of security group web that name web are not needed."
        assert ends(task) == [("Finished", "Ok", said)]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("production", "it can't take its own place"),
            ("staging", "is in network vpc-production, but web belongs"),
        ],
    )
    def test_what_can_not_take_its_place_is_refused(
        self, used: Cast, cloud: MemoryCloud, admin: User, name: str, reason: str
    ) -> None:
        other = getattr(used, name).web
        refused = group_replacement(group_of(used.production.web), group_of(other), user=admin)
        assert isinstance(refused, Refused)
        assert reason in refused.message


class TestDeleting:
    def test_it_is_off_every_port_and_out_of_every_rule_first(
        self, used: Cast, cloud: MemoryCloud, admin: User
    ) -> None:
        web = used.production.web
        task = deleted(web, admin)
        assert task.name == "Deleting security group web, which 3 ports and 1 rule use"
        run()
        assert end(task)[:2] == ("Finished", "Ok")
        instead = "Port eni-production-single-1 has security group default instead."
        assert {message for _, _, message in ends(task)} == {
            "Removed security group web from production-double on 2 ports.",
            f"Removed security group web from production-single. {instead}",
            "Deleted rules of security group db that name web.",
            "Deleted security group web.",
        }
        assert cloud.groups_of("i-production-single") == {"eni-production-single-1": ("sg-production-default",)}
        assert named_by(cloud, "sg-production-web") == []
        assert not SecurityGroup.objects.filter(pk=web.pk).exists()
        assert "sg-production-web" not in {group.ref for group in cloud.group_list}

    def test_groups_that_name_each_other_are_all_deleted(
        self, used: Cast, cloud: MemoryCloud, admin: User
    ) -> None:
        tasks = [deleted(group, admin) for group in (used.production.web, used.production.db)]
        run()
        assert [end(task)[:2] for task in tasks] == [("Finished", "Ok")] * 2
        assert not SecurityGroup.objects.filter(name__in=("web", "db"), cloud_network__name="production").exists()

    def test_one_that_nothing_uses_is_deleted_as_ever(self, cast: Cast, cloud: MemoryCloud, admin: User) -> None:
        task = deleted(cast.staging.web, admin)
        assert (task.name, task.has_parts) == ("Deleting security group web", False)

    def test_if_a_port_can_not_be_written_it_is_not_deleted(
        self, used: Cast, cloud: MemoryCloud, admin: User
    ) -> None:
        cloud.script("change_groups", refuse(), refuse())
        task = deleted(used.production.web, admin)
        run()
        assert not cloud.called("delete_group")
        [*_, last] = task.tasks.order_by("pk")
        assert (last.status, last.message.startswith("Not attempted, because task")) == ("Error", True)
        assert end(task)[1] == "Warn"

    def test_a_port_of_no_instance_is_written_too(self, used: Cast, cloud: MemoryCloud, admin: User) -> None:
        site = used.production
        port = actors.port(None, site.network, "eni-lb", [site.web])
        like_inventory(cloud, used.acme)
        task = deleted(site.web, admin)
        run()
        assert end(task)[:2] == ("Finished", "Ok")
        assert cloud.port("eni-lb").group_refs == ("sg-production-default",)
        assert [group.name for group in port.security_groups.all()] == ["default"]

    def test_a_port_of_no_instance_that_is_gone_is_no_obstacle(
        self, used: Cast, cloud: MemoryCloud, admin: User
    ) -> None:
        site = used.production
        actors.port(None, site.network, "eni-lb", [site.web])
        task = deleted(site.web, admin)
        run()
        assert end(task)[:2] == ("Finished", "Ok")

    def test_ports_that_only_their_service_may_write_are_named_before_anything(
        self, used: Cast, cloud: MemoryCloud, admin: User
    ) -> None:
        NetworkPort.objects.filter(ems_ref="eni-production-double-2").update(requester_managed=True)
        web, db = (group_of(group) for group in (used.production.web, used.production.db))
        for decision in (detached_deletion(web, user=admin), group_replacement(web, db, user=admin)):
            assert isinstance(decision, Refused)
            assert "port eni-production-double-2 is managed by a service of the cloud" in decision.message
        assert not cloud.calls

    def test_a_last_group_without_a_default_is_named_before_anything(
        self, used: Cast, cloud: MemoryCloud, admin: User
    ) -> None:
        used.production.default.delete()
        refused = detached_deletion(group_of(used.production.web), user=admin)
        assert isinstance(refused, Refused)
        assert "it is the last security group of port" in refused.message
