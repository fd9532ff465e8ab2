"""Events: the database keeps them as they are, and whoever writes rows of the inventory leaves some."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from inventory.db.event_guard import REFUSAL
from inventory.db.events import UNRECORDED, Cause, because
from inventory.deletion import handle_provider_tasks
from inventory.models import EventRetention, EventStream, Provider, Vm
from inventory.refresh import refresh
from inventory.runner import _claim_tasks
from inventory.services import connect_provider, create_token, delete_provider, edit_provider, record_event
from secgroups.models import FirewallRule, Membership, SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud
from tests.readers import grant

KEPT = pytest.raises(DatabaseError, match="Events are never changed")


def execute(sql: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)


def event(age: timedelta = timedelta(), **attributes: Any) -> EventStream:
    return EventStream.objects.create(event_type="login_refused", timestamp=timezone.now() - age, **attributes)


@pytest.fixture
def latest(db: None) -> Callable[[], list[tuple[str, str]]]:
    """Returns the types and messages of the events since the last call, in their order."""
    seen = 0

    def read() -> list[tuple[str, str]]:
        nonlocal seen
        events = list(EventStream.objects.filter(pk__gt=seen).order_by("pk"))
        seen = max([seen, *(event.pk for event in events)])
        return [(event.event_type, event.message) for event in events]

    return read


@pytest.mark.django_db
class TestTampering:
    """Nothing but a count changes, and nothing young is deleted, whoever asks."""

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda row: EventStream.objects.filter(pk=row.pk).update(message="Nothing happened"),
            lambda row: EventStream.objects.filter(pk=row.pk).update(count=0),
            lambda row: EventStream.objects.filter(pk=row.pk).update(count=2, username="mallory"),
            lambda row: EventStream.objects.filter(pk=row.pk).update(id=row.pk + 1),
            lambda row: row.delete(),
            lambda row: EventStream.objects.all()._raw_delete("default"),
            lambda row: execute("DELETE FROM inventory_eventstream"),
            lambda row: execute("UPDATE inventory_eventstream SET timestamp = %s", timezone.now()),
        ],
    )
    @pytest.mark.parametrize("days", [None, 365])
    def test_is_refused(self, tamper: Callable[[EventStream], object], days: int | None) -> None:
        if days:
            EventRetention.objects.create(days=days)
        row = event(message="It happened", age=timedelta(minutes=1))
        with KEPT, transaction.atomic():
            tamper(row)
        row.refresh_from_db()
        assert (row.message, row.count) == ("It happened", 1)

    def test_emptying_the_table_is_refused(self) -> None:
        event()
        with KEPT:
            execute(
                "TRUNCATE inventory_eventstream"
                if connection.vendor == "postgresql"
                else "DELETE FROM inventory_eventstream"
            )
        assert EventStream.objects.exists()

    def test_replacing_an_event_is_refused(self) -> None:
        row = event(message="It happened", counted_as="one")
        values = f"(id, event_type, timestamp, source, message, count, full_data, counted_as) VALUES ({row.pk}, "
        same = "'x', '2020-01-01 00:00:00+00:00', 'REFRESH', '', 1, '{}', 'one')"
        replace = f"INSERT OR REPLACE INTO inventory_eventstream {values}{same}"
        update = f"INSERT INTO inventory_eventstream {values}{same} ON CONFLICT (id) DO UPDATE SET message = ''"
        for sql in [update] if connection.vendor == "postgresql" else [replace, update]:
            with KEPT:
                execute(sql)
        row.refresh_from_db()
        assert row.message == "It happened"

    def test_flushing_is_refused(self, flushable: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        row = event()
        monkeypatch.setattr(BaseDatabaseOperations, "execute_sql_flush", flushable)
        with pytest.raises(CommandError) as refusal:
            call_command("flush", interactive=False)
        assert REFUSAL in str(refusal.value.__cause__)
        assert EventStream.objects.get() == row

    def test_loading_a_dump_changes_none_and_can_add_some(self, tmp_path: Path) -> None:
        row = event(message="It happened")
        dump = tmp_path / "dump.json"
        call_command("dumpdata", "inventory.eventstream", output=str(dump), verbosity=0)
        with KEPT:
            call_command("loaddata", str(dump), verbosity=0)
        dump.write_text(dump.read_text().replace(f'"pk": {row.pk}', f'"pk": {row.pk + 1}'))
        call_command("loaddata", str(dump), verbosity=0)
        assert EventStream.objects.filter(message="It happened").count() == 2

    def test_a_count_grows_within_its_hour(self) -> None:
        young, old = (event(counted_as=str(age), age=timedelta(minutes=age)) for age in (0, 76))
        assert EventStream.objects.filter(pk=young.pk).update(count=5) == 1
        with KEPT, transaction.atomic():
            EventStream.objects.filter(pk=young.pk).update(count=4)
        with KEPT, transaction.atomic():
            EventStream.objects.filter(pk=old.pk).update(count=2)

    def test_what_is_not_counted_has_no_count_that_grows(self) -> None:
        row = event()
        with KEPT, transaction.atomic():
            EventStream.objects.filter(pk=row.pk).update(count=2)

    def test_what_is_older_than_the_retention_can_be_deleted(self) -> None:
        EventRetention.objects.create(days=30)
        old = event(age=timedelta(days=31))
        young = event(age=timedelta(days=29))
        EventStream.objects.filter(pk=old.pk).delete()
        with KEPT, transaction.atomic():
            EventStream.objects.filter(pk=young.pk).delete()

    def test_a_shorter_retention_leaves_an_event_that_stays_a_day(self) -> None:
        EventRetention.objects.create(days=30)
        execute("UPDATE inventory_eventretention SET days = 1")
        trace = EventStream.objects.filter(event_type="retention_edited").latest("pk")
        assert trace.full_data == {"before": {"days": 30}, "after": {"days": 1}}
        with KEPT, transaction.atomic():
            trace.delete()
        with pytest.raises(DatabaseError), transaction.atomic():
            EventRetention.objects.update(days=0)

    def test_without_a_retention_nothing_is_deleted(self) -> None:
        EventRetention.objects.create(days=1)
        old = event(age=timedelta(days=10_000))
        EventRetention.objects.all().delete()
        with KEPT, transaction.atomic():
            old.delete()

    def test_neither_the_api_nor_the_admin_changes_any(self, admin_client: Client) -> None:
        row = event(message="It happened")
        url = f"/api/event_streams/{row.pk}"
        answers = [
            admin_client.delete(url),
            admin_client.patch(url, {"message": ""}, "application/json"),
            admin_client.put(url, {"message": ""}, "application/json"),
            *(
                admin_client.post(address, {"action": action, "message": ""}, "application/json")
                for address in (url, "/api/event_streams")
                for action in ("edit", "delete", "create")
            ),
        ]
        assert {answer.status_code for answer in answers} == {HTTPStatus.BAD_REQUEST}
        page = reverse("admin:inventory_eventstream_change", args=[row.pk])
        assert admin_client.get(page).status_code == HTTPStatus.OK
        assert admin_client.post(page, {"message": ""}).status_code == HTTPStatus.FORBIDDEN
        delete = reverse("admin:inventory_eventstream_delete", args=[row.pk])
        assert admin_client.post(delete, {"post": "yes"}).status_code == HTTPStatus.FORBIDDEN
        chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        admin_client.post(reverse("admin:inventory_eventstream_changelist"), chosen)
        assert EventStream.objects.get(pk=row.pk).message == "It happened"


class TestRows:
    """Whoever writes instances, groups, rules and memberships."""

    def test_leave_events_when_they_are_created_changed_and_deleted(self, cast: Cast, latest: Any) -> None:
        latest()
        group = actors.group(cast.production.network, "new")
        SecurityGroup.objects.filter(pk=group.pk).update(name="renamed")
        SecurityGroup.objects.filter(pk=group.pk).update(rules_as_of=timezone.now())  # tells nothing
        rule = actors.rule(group, 22)
        FirewallRule.objects.filter(pk=rule.pk).update(end_port=23)
        vm = actors.vm(cast.production.network, "vm", groups=[group])
        Membership.objects.filter(vm=vm).delete()
        vm.delete()
        group.delete()
        assert latest() == [
            ("security_group_created", "Security group new was created"),
            ("security_group_edited", "Security group renamed was edited"),
            (
                "firewall_rule_created",
                "A rule of security group renamed was created: inbound tcp 22 from 10.0.0.0/8",
            ),
            (
                "firewall_rule_deleted",
                "A rule of security group renamed was deleted: inbound tcp 22 from 10.0.0.0/8",
            ),
            (
                "firewall_rule_created",
                "A rule of security group renamed was created: inbound tcp 22-23 from 10.0.0.0/8",
            ),
            ("instance_appeared", "Instance production-vm appeared"),
            ("security_group_added", "Security group renamed was added to production-vm"),
            ("security_group_removed", "Security group renamed was removed from production-vm"),
            ("instance_gone", "Instance production-vm is gone"),
            (
                "firewall_rule_deleted",
                "A rule of security group renamed was deleted: inbound tcp 22-23 from 10.0.0.0/8",
            ),
            ("security_group_deleted", "Security group renamed was deleted"),
        ]

    def test_are_described_as_they_were(self, cast: Cast) -> None:
        group = actors.group(cast.production.network, "new", stateful=False)
        SecurityGroup.objects.filter(pk=group.pk).update(name="renamed", description='it\'s "quoted"')
        edited = EventStream.objects.latest("pk")
        described = {
            "id": str(group.pk),
            "ems_ref": "sg-production-new",
            "name": "new",
            "description": None,
            "vendor": "amazon",
            "cloud_tenant_id": str(cast.tenant.pk),
            "cloud_network_id": str(cast.production.network.pk),
            "stateful": False,
            "shared": False,
        }
        after = described | {"name": "renamed", "description": 'it\'s "quoted"'}
        assert edited.full_data == {"before": described, "after": after}
        assert (edited.ems_id, edited.cloud_tenant_id) == (cast.acme.pk, cast.tenant.pk)
        assert (edited.security_group_id, edited.vm_or_template_id) == (group.pk, None)
        assert timezone.now() - edited.timestamp < timedelta(minutes=1)

    def test_name_the_port_of_a_membership(self, cast: Cast) -> None:
        vm, web = cast.production.single, cast.production.web
        port = vm.network_ports.get()
        Membership.objects.create(security_group=web, network_port=port, vm=vm)
        added = EventStream.objects.latest("pk")
        assert (added.vm_or_template_id, added.security_group_id) == (vm.pk, web.pk)
        assert added.full_data == {
            "before": None,
            "after": {
                "security_group_id": str(web.pk),
                "network_port_id": str(port.pk),
                "vm_id": str(vm.pk),
                "security_group": "web",
                "security_group_ems_ref": "sg-production-web",
                "network_port_ems_ref": "eni-production-single-1",
                "vm": "production-single",
                "vm_ems_ref": "i-production-single",
            },
        }

    def test_leave_events_of_raw_sql_that_say_of_nobody(self, cast: Cast, latest: Any) -> None:
        latest()
        execute("DELETE FROM secgroups_membership WHERE vm_id = %s", cast.production.double.pk)
        removed = ("security_group_removed", "Security group default was removed from production-double")
        assert latest() == [removed, removed]
        event = EventStream.objects.latest("pk")
        assert (event.source, event.username, event.task_id) == ("REFRESH", None, None)

    def test_have_the_cause_of_their_transaction(self, cast: Cast) -> None:
        network = cast.production.network
        alice = Cause("PORTCULLIS", "alice", "operators", "10.0.0.1", "r-1", 7)
        with because(alice):
            actors.group(network, "one")
        actors.group(network, "two")
        caused, other = (
            EventStream.objects.filter(event_type="security_group_created").order_by("pk").reverse()[:2][::-1]
        )
        names = ("source", "username", "group", "address", "request_id", "task_id")
        assert [getattr(caused, name) for name in names] == [
            "PORTCULLIS",
            "alice",
            "operators",
            "10.0.0.1",
            "r-1",
            7,
        ]
        assert [getattr(other, name) for name in names] == ["REFRESH", None, None, None, None, None]

    def test_a_cause_ends_with_a_transaction_that_fails(self, cast: Cast) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic(), because(Cause(username="alice")):
            raise ZeroDivisionError
        actors.group(cast.production.network, "one")
        assert EventStream.objects.latest("pk").username is None

    def test_a_membership_can_have_a_cause_of_its_own(self, cast: Cast) -> None:
        site, port = cast.production, cast.production.single.network_ports.get()
        odd = "sg-\"odd'$.[0]"
        SecurityGroup.objects.filter(pk=site.db.pk).update(ems_ref=odd)
        own, others = Cause("PORTCULLIS", "bob", task_id=2), Cause(username="eve")
        causes = {f"{port.ems_ref}/{odd}": own, f"eni-other/{site.web.ems_ref}": others}
        with because(Cause(task_id=1, of_rows=causes)):
            for group in (site.web, site.db):
                Membership.objects.create(security_group=group, network_port=port, vm=site.single)
        web, db = EventStream.objects.order_by("-pk")[:2][::-1]
        assert (web.source, web.username, web.task_id) == ("REFRESH", None, 1)
        assert (db.source, db.username, db.task_id) == ("PORTCULLIS", "bob", 2)

    def test_leave_none_where_one_tells_of_all(self, cast: Cast, latest: Any) -> None:
        latest()
        with because(UNRECORDED):
            actors.group(cast.production.network, "one")
        assert latest() == []
        actors.group(cast.production.network, "two")
        assert len(latest()) == 1

    def test_what_is_rolled_back_leaves_none(self, cast: Cast, latest: Any) -> None:
        latest()
        with transaction.atomic():
            actors.group(cast.production.network, "one")
            transaction.set_rollback(True)
        assert latest() == []


class TestRefresh:
    def test_a_first_one_is_one_event(self, cast: Cast, cloud: MemoryCloud, latest: Any) -> None:
        Vm.objects.all().delete()
        latest()
        refresh(cast.acme, Grip())
        [(event_type, message)] = latest()
        assert event_type == "provider_refreshed"
        assert message.startswith("Refreshed acme")
        cast.acme.refresh_from_db()
        assert cast.acme.known_since is not None

    def test_a_later_one_tells_of_each_row_and_of_itself(
        self, cast: Cast, cloud: MemoryCloud, latest: Any
    ) -> None:
        Provider.objects.update(known_since=timezone.now())
        cloud.set_port("eni-production-single-1", group_refs=("sg-production-web",))
        cloud.terminate("i-staging-single")
        latest()
        refresh(cast.acme, Grip(), force=True)
        assert sorted(event_type for event_type, _ in latest()) == [
            "instance_gone",
            "provider_refreshed",
            "security_group_added",
            "security_group_removed",
            "security_group_removed",
        ]
        added = EventStream.objects.get(
            event_type="security_group_added", security_group_id=cast.production.web.pk
        )
        assert added.source == "REFRESH"

    def test_one_that_finds_nothing_leaves_none(self, cast: Cast, cloud: MemoryCloud, latest: Any) -> None:
        Provider.objects.update(known_since=timezone.now())
        refresh(cast.acme, Grip())
        latest()
        refresh(cast.acme, Grip())
        assert latest() == []


class TestProviders:
    def test_leave_an_event_of_each_edit_without_secrets(self, db: None, admin_user: User) -> None:
        credentials = {"userid": "AKIDSECRET", "password": "hush"}
        provider = connect_provider(user=admin_user, name="acme", vendor="amazon", credentials=credentials)
        edit_provider(
            provider=provider, user=admin_user, name="other", credentials={"userid": "x", "password": "hush"}
        )
        edit_provider(provider=provider, user=admin_user, name="other")
        connected, edited = EventStream.objects.order_by("pk")
        assert (connected.event_type, connected.username, connected.ems_id) == (
            "provider_connected",
            "admin",
            provider.pk,
        )
        assert connected.full_data["after"]["name"] == "acme"
        assert edited.full_data == {
            "before": {"name": "acme"},
            "after": {"name": "other", "credentials": "changed"},
        }
        assert "hush" not in str([connected.full_data, edited.full_data])
        assert "AKIDSECRET" not in str([connected.full_data, edited.full_data])

    def test_their_deletion_is_one_event_and_theirs_stay(self, cast: Cast, admin_user: User, latest: Any) -> None:
        record_event("login_succeeded", "", Cause(), provider=cast.acme)
        before = EventStream.objects.count()
        latest()
        delete_provider(provider=cast.acme, user=admin_user)
        handle_provider_tasks(_claim_tasks(f"providers/{cast.acme.pk}"), Grip())
        assert not Provider.objects.exists()
        assert latest() == [("provider_deleted", "Provider acme was deleted")]
        assert EventStream.objects.count() == before + 1

    def test_say_who_asked_from_where_and_in_which_request(
        self, cast: Cast, cloud: MemoryCloud, admin_client: Client, latest: Any
    ) -> None:
        headers = {"X-Request-Id": "r-17"}
        body = {"provider_region": "elsewhere"}
        url = f"/api/providers/{cast.acme.pk}"
        admin_client.patch(url, body, "application/json", headers=headers, REMOTE_ADDR="192.0.2.7")
        edited = EventStream.objects.get(event_type="provider_edited")
        assert (edited.username, edited.address, edited.request_id) == ("admin", "192.0.2.7", "r-17")
        assert edited.full_data == {"before": {"provider_region": None}, "after": {"provider_region": "elsewhere"}}

    def test_say_to_which_group_the_request_was_limited(self, cast: Cast, admin_user: User) -> None:
        _, token = create_token(user=admin_user, name="test")
        owners = grant(admin_user, "owner", cast.acme, "owners")
        grant(admin_user, "owner", cast.acme, "others")
        for headers in ({"X-MIQ-Group": owners.name}, {}):
            body = {"name": f"acme{len(headers)}"}
            client = Client(headers={"X-Auth-Token": token, **headers})
            client.patch(f"/api/providers/{cast.acme.pk}", body, "application/json")
        edited = EventStream.objects.filter(event_type="provider_edited").order_by("pk")
        assert list(edited.values_list("username", "group")) == [("admin", "owners"), ("admin", None)]
