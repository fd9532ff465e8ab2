"""What was below an instance or a group at a time, beside what the API answered then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client
from django.utils import timezone

from inventory.db.events import UNRECORDED, because
from inventory.models import EventStream, NetworkPort, Provider, Vm
from inventory.rest.messages import bad_time
from secgroups.models import FirewallRule, Membership, SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.moments import BEGINNING, moment

PLACES = (
    "instances/{vm}/security_groups",
    "vms/{vm}/security_groups",
    "security_groups/{group}/vms",
    "security_groups/{group}/instances",
    "security_groups/{group}/firewall_rules",
)
#: Events don't tell these: when a row was made and written is no attribute of what the cloud has.
NOT_KEPT = ("created_on", "updated_on", "guid", "uid_ems")
HISTORIES, STEPS = 10, 10


@pytest.fixture(autouse=True)
def known(cast: Cast) -> None:
    """The provider was read before every event."""
    Provider.objects.update(known_since=BEGINNING)
    EventStream.objects.create(event_type="provider_refreshed", timestamp=timezone.now(), message="Refreshed")


def listed(client: Client, place: str, **query: str) -> dict[str, Any]:
    answer = client.get(f"/api/{place}", {"expand": "resources", **query})
    assert answer.status_code == HTTPStatus.OK, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def resources(client: Client, place: str, **query: str) -> list[dict[str, Any]]:
    """Without what events don't tell, and in the order of the ids."""
    shown = [
        {name: value for name, value in resource.items() if name not in (*NOT_KEPT, "href", "actions")}
        for resource in listed(client, place, **query)["resources"]
    ]
    return sorted(shown, key=lambda resource: int(resource["id"]))


def give(vm: Vm, group: SecurityGroup) -> None:
    """Put a group on every port of a VM."""
    for port in vm.network_ports.all():
        Membership.objects.create(network_port=port, security_group=group, vm=vm)


def at(then: datetime) -> dict[str, str]:
    return {"as_of": then.isoformat()}


class TestOneChange:
    def test_a_group_that_was_removed(self, admin_client: Client, cast: Cast) -> None:
        vm = cast.production.single
        place, then = f"instances/{vm.pk}/security_groups", moment()
        Membership.objects.filter(vm=vm).delete()
        assert resources(admin_client, place) == []
        assert [group["name"] for group in resources(admin_client, place, **at(then))] == ["default"]

    def test_a_group_that_was_added(self, admin_client: Client, cast: Cast) -> None:
        vm = cast.production.single
        place, then = f"vms/{vm.pk}/security_groups", moment()
        give(vm, cast.production.web)
        assert [group["name"] for group in resources(admin_client, place)] == ["default", "web"]
        assert [group["name"] for group in resources(admin_client, place, **at(then))] == ["default"]

    def test_a_group_that_is_gone_has_its_attributes_of_then(self, admin_client: Client, cast: Cast) -> None:
        vm, web = cast.production.single, cast.production.web
        give(vm, web)
        pk = web.pk
        place, then = f"instances/{vm.pk}/security_groups", moment()
        before = resources(admin_client, place)
        SecurityGroup.objects.filter(pk=web.pk).update(name="renamed")
        web.delete()
        assert resources(admin_client, place, **at(then)) == before
        body = listed(admin_client, place, **at(then))
        assert body["count"] == 2
        assert [group["href"] for group in body["resources"]][1].endswith(f"/{place}/{pk}")

    def test_a_group_that_was_renamed(self, admin_client: Client, cast: Cast) -> None:
        """An instance has its name of now, and when the group was written last before is not known."""
        vm, default = cast.production.single, cast.production.default
        groups, vms = f"instances/{vm.pk}/security_groups", f"security_groups/{default.pk}/vms"
        before, then = listed(admin_client, groups)["resources"], moment()
        SecurityGroup.objects.filter(pk=default.pk).update(name="renamed")
        Vm.objects.filter(pk=vm.pk).update(name="renamed")
        [group] = listed(admin_client, groups, **at(then))["resources"]
        assert [group] == [resource | {"updated_on": None} for resource in before]
        assert next(each["name"] for each in listed(admin_client, vms, **at(then))["resources"]) == "renamed"

    def test_a_rule_that_was_changed(self, admin_client: Client, cast: Cast) -> None:
        group = cast.production.db
        ssh, web = actors.rule(group, 22), actors.rule(group, 80)
        place, then = f"security_groups/{group.pk}/firewall_rules", moment()
        before = resources(admin_client, place)
        FirewallRule.objects.filter(pk=ssh.pk).update(port=1, end_port=2)
        web.delete()
        actors.rule(group, 443)
        assert resources(admin_client, place) != before
        assert resources(admin_client, place, **at(then)) == before

    def test_an_instance_that_is_gone(self, admin_client: Client, cast: Cast) -> None:
        group, vm = cast.production.default, cast.production.single
        then = moment()
        vm.delete()
        for collection in ("vms", "instances"):
            place = f"security_groups/{group.pk}/{collection}"
            names = [each["name"] for each in resources(admin_client, place, **at(then))]
            assert sorted(names) == ["production-double", "production-single"]
            assert [each["name"] for each in resources(admin_client, place)] == ["production-double"]


class TestPages:
    def test_what_is_gone_comes_last(self, admin_client: Client, cast: Cast) -> None:
        group = cast.production.default
        extra = [actors.vm(cast.production.network, f"extra-{number}", groups=[group]) for number in range(3)]
        gone = [str(vm.pk) for vm in extra[:2]]
        place, then = f"security_groups/{group.pk}/vms", moment()
        for vm in extra[:2]:
            vm.delete()
        whole = [vm["id"] for vm in listed(admin_client, place, **at(then))["resources"]]
        assert len(whole) == 5
        assert whole[-2:] == gone
        paged = []
        for offset in range(0, 6, 2):
            page = listed(admin_client, place, **at(then), limit="2", offset=str(offset))
            assert (page["count"], page["pages"]) == (5, 3)
            assert ("next" in page["links"]) == (offset < 4)
            paged += [vm["id"] for vm in page["resources"]]
        assert paged == whole

    def test_links_keep_the_time(self, admin_client: Client, cast: Cast) -> None:
        place, then = f"security_groups/{cast.production.default.pk}/vms", moment()
        body = listed(admin_client, place, **at(then), limit="1")
        assert admin_client.get(body["links"]["next"]).json()["resources"] != body["resources"]
        assert "as_of=" in body["links"]["next"]

    def test_addresses_alone_and_counts_alone(self, admin_client: Client, cast: Cast) -> None:
        place, then = f"security_groups/{cast.production.default.pk}/vms", moment()
        body = listed(admin_client, place, **at(then), expand="")
        assert [set(resource) for resource in body["resources"]] == [{"href"}, {"href"}]
        assert "resources" not in listed(admin_client, place, **at(then), hide="resources")


class TestWhatIsNotKnown:
    def refused(self, client: Client, place: str, **query: str) -> str:
        answer = client.get(f"/api/{place}", query)
        assert answer.status_code == HTTPStatus.BAD_REQUEST, answer.json()
        message: str = answer.json()["error"]["message"]
        return message

    def test_a_time_before_the_first_refresh(self, admin_client: Client, cast: Cast) -> None:
        place, since = f"instances/{cast.production.single.pk}/security_groups", timezone.now()
        Provider.objects.update(known_since=since)
        oldest = EventStream.objects.earliest("timestamp").timestamp
        message = self.refused(admin_client, place, **at(since - timedelta(days=1)))
        assert message == f"as_of: this is known since {max(since, oldest).isoformat()}"

    def test_a_time_before_the_oldest_event(self, admin_client: Client, cast: Cast) -> None:
        with transaction.atomic(), because(UNRECORDED):
            vm = actors.vm(cast.production.network, "read at first")
        place = f"instances/{vm.pk}/security_groups"
        Provider.objects.update(known_since=datetime(2020, 1, 1, tzinfo=UTC))
        oldest = EventStream.objects.earliest("timestamp").timestamp
        message = self.refused(admin_client, place, **at(oldest - timedelta(seconds=1)))
        assert message == f"as_of: this is known since {oldest.isoformat()}"

    def test_a_time_before_the_retention(self, admin_client: Client, cast: Cast, settings: Any) -> None:
        """Also where an older event is still there, or none."""
        with transaction.atomic(), because(UNRECORDED):
            vm = actors.vm(cast.production.network, "read at first")
        place = f"instances/{vm.pk}/security_groups"
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        Provider.objects.update(known_since=long_ago)
        EventStream.objects.create(event_type="provider_refreshed", timestamp=long_ago, message="Refreshed")
        settings.EVENTS_RETENTION = timedelta(days=2)
        message = self.refused(admin_client, place, **at(timezone.now() - timedelta(days=3)))
        assert "this is known since" in message
        assert listed(admin_client, place, **at(timezone.now() - timedelta(days=1)))["count"] == 0

    def test_a_time_before_the_resource_appeared(self, admin_client: Client, cast: Cast) -> None:
        then = moment()
        vm = actors.vm(cast.production.network, "new", groups=[cast.production.web])
        group = SecurityGroup.objects.create(provider=cast.acme, vendor="amazon", ems_ref="sg-new", name="new")
        for place in (f"instances/{vm.pk}/security_groups", f"security_groups/{group.pk}/vms"):
            assert "this is known since" in self.refused(admin_client, place, **at(then))
            assert listed(admin_client, place, **at(moment()))["name"]

    def test_a_provider_that_was_never_read(self, admin_client: Client, cast: Cast) -> None:
        Provider.objects.update(known_since=None)
        place = f"security_groups/{cast.production.web.pk}/firewall_rules"
        assert "has not been read yet" in self.refused(admin_client, place, **at(moment()))

    @pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "10000-01-01"])
    def test_what_is_no_time(self, admin_client: Client, cast: Cast, text: str) -> None:
        place = f"instances/{cast.production.single.pk}/security_groups"
        assert self.refused(admin_client, place, as_of=text) == bad_time(text)

    def test_the_future(self, admin_client: Client, cast: Cast) -> None:
        place = f"instances/{cast.production.single.pk}/security_groups"
        assert "future" in self.refused(admin_client, place, **at(timezone.now() + timedelta(minutes=1)))

    @pytest.mark.parametrize(
        "query",
        [
            {"filter[]": "name='web'"},
            {"sort_by": "name"},
            {"after": "1"},
            {"name": "web"},
            {"attributes": "total_vms"},
            {"attributes": "cloud_tenant"},
            {"expand": "vms"},
        ],
    )
    def test_what_the_past_does_not_answer(self, admin_client: Client, cast: Cast, query: dict[str, str]) -> None:
        place = f"instances/{cast.production.single.pk}/security_groups"
        assert "can't be combined with as_of" in self.refused(admin_client, place, **query, **at(moment()))

    @pytest.mark.parametrize("place", ["security_groups", "instances", "instances/{vm}/event_streams"])
    def test_other_places_have_no_past(self, admin_client: Client, cast: Cast, place: str) -> None:
        place = place.format(vm=cast.production.single.pk)
        assert self.refused(admin_client, place, **at(moment())) == "Unknown parameter: as_of"


class TestWhoMayAsk:
    @pytest.fixture
    def reader(self) -> User:
        user = User.objects.create_user("reader")
        names = ("view_vm", "view_securitygroup", "view_eventstream")
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        return user

    def test_it_takes_the_permission_to_see_events(self, client: Client, reader: User, cast: Cast) -> None:
        client.force_login(reader)
        place = f"/api/vms/{cast.production.single.pk}/security_groups"
        assert client.get(place, at(moment())).status_code == HTTPStatus.OK
        reader.user_permissions.remove(Permission.objects.get(codename="view_eventstream"))
        assert client.get(place, at(moment())).status_code == HTTPStatus.FORBIDDEN
        assert client.get(place).status_code == HTTPStatus.OK

    def test_a_parent_that_is_not_there_is_404(self, admin_client: Client, cast: Cast) -> None:
        answer = admin_client.get("/api/instances/999999/security_groups", at(moment()))
        assert answer.status_code == HTTPStatus.NOT_FOUND


class History:
    """Changes an inventory at random, as refreshes and people do."""

    def __init__(self, cast: Cast, random: Random) -> None:
        self.random, self.cast = random, cast
        self.number = 0

    def step(self) -> None:
        self.random.choice([self.add, self.add, self.remove, self.remove, *self.rarer()])()

    def rarer(self) -> Iterator[Callable[[], object]]:
        yield from (self.rename, self.rule, self.rule, self.edit_rule, self.drop_rule, self.appear)
        yield from (self.go, self.drop_group, self.move)

    def add(self) -> None:
        port = self.random.choice(self.ports())
        groups = SecurityGroup.objects.exclude(pk__in=port.security_groups.values("pk")).order_by("pk")
        if groups:
            group = self.random.choice(groups)
            Membership.objects.create(network_port=port, security_group=group, vm=port.vm)

    def remove(self) -> None:
        if memberships := list(Membership.objects.order_by("pk")):
            self.random.choice(memberships).delete()

    def rename(self) -> None:
        self.number += 1
        SecurityGroup.objects.filter(pk=self.group().pk).update(name=f"renamed-{self.number}")

    def rule(self) -> None:
        self.number += 1
        actors.public_rule(self.group(), self.number, "8.8.8.0/24")

    def edit_rule(self) -> None:
        self.number += 1
        if rules := list(FirewallRule.objects.order_by("pk")):
            FirewallRule.objects.filter(pk=self.random.choice(rules).pk).update(end_port=60_000 + self.number)

    def drop_rule(self) -> None:
        if rules := list(FirewallRule.objects.order_by("pk")):
            self.random.choice(rules).delete()

    def appear(self) -> None:
        self.number += 1
        actors.vm(self.cast.production.network, f"new-{self.number}", groups=[self.group()])

    def go(self) -> None:
        if Vm.objects.count() > 3:
            self.random.choice(Vm.objects.order_by("pk")).delete()

    def drop_group(self) -> None:
        if SecurityGroup.objects.count() > 4:
            self.group().delete()

    def move(self) -> None:
        """A port goes to another instance, with its groups."""
        port, vm = self.random.choice(self.ports()), self.random.choice(Vm.objects.order_by("pk"))
        port.vm = vm
        port.save()
        Membership.objects.filter(network_port=port).update(vm=vm)

    def group(self) -> SecurityGroup:
        return self.random.choice(SecurityGroup.objects.order_by("pk"))

    def ports(self) -> Any:
        return NetworkPort.objects.filter(vm__isnull=False).order_by("pk")


def everywhere(client: Client, **query: str) -> Mapping[str, list[dict[str, Any]]]:
    vms, groups = (list(model.objects.values_list("pk", flat=True)) for model in (Vm, SecurityGroup))
    places = {place.format(vm=vm, group=group) for place in PLACES for vm in vms for group in groups}
    return {place: resources(client, place, **query) for place in sorted(places)}


@pytest.mark.walk
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_the_past_of_what_is_still_there_is_what_an_export_said_then(
    admin_client: Client, cast: Cast, seed: int
) -> None:
    """Of every place that is still there, at each of ten times in each of ten histories."""
    history = History(cast, Random(seed))  # noqa: S311 - no secret
    exports: dict[datetime, Mapping[str, list[dict[str, Any]]]] = {}
    for _ in range(STEPS):
        then = moment()
        exports[then] = everywhere(admin_client)
        for _ in range(5):
            history.step()
    there = everywhere(admin_client).keys()
    changed = 0
    for then, export in exports.items():
        for place in there & export.keys():
            past = resources(admin_client, place, **at(then))
            assert past == export[place], (place, then)
            changed += past != resources(admin_client, place)
    assert changed > STEPS
