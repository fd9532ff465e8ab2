"""Replacing groups in use and deleting them over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client, TestCase

from inventory.models import Grant, NetworkPort, Task, Vm
from secgroups.models import SecurityGroup
from tests import cast as actors
from tests.cast import OPENSTACK, Cast
from tests.clouds import MemoryCloud, refuse
from tests.secgroups.in_use import end, put_to_use, run

BEYOND = "ports or rules that you may not see use it"


@pytest.fixture
def used(cast: Cast, cloud: MemoryCloud) -> Cast:
    put_to_use(cloud, cast)
    return cast


@pytest.fixture(params=["/api/security_groups", "/api/providers/{}/security_groups"])
def place(request: pytest.FixtureRequest, cast: Cast) -> str:
    return str(request.param).format(cast.acme.pk)


def post(client: Client, url: str, body: Any, status: int = HTTPStatus.OK) -> Any:
    with TestCase.captureOnCommitCallbacks(execute=True):
        answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def detachment(**beside: Any) -> dict[str, Any]:
    return {"action": "delete", "resource": {"detach": True}, **beside}


def replacement(other: SecurityGroup, **beside: Any) -> dict[str, Any]:
    return {"action": "replace", "resource": {"with": {"id": str(other.pk)}}, **beside}


def test_a_group_in_use_is_deleted(admin_client: Client, used: Cast, cloud: MemoryCloud, place: str) -> None:
    address = f"{place}/{used.production.web.pk}"
    answer = post(admin_client, address, detachment())
    task = Task.objects.get(queue="")
    assert answer == {
        "success": True,
        "message": "Deleting security group web, which 3 ports and 1 rule use",
        "task_id": str(task.pk),
        "task_href": f"http://testserver/api/tasks/{task.pk}",
        "href": f"http://testserver{address}",
    }
    run()
    shown = admin_client.get(f"/api/tasks/{task.pk}").json()
    assert (shown["state"], shown["status"], shown["pct_complete"]) == ("Finished", "Ok", 100)
    assert admin_client.get(address).status_code == HTTPStatus.NOT_FOUND


def test_many_are_deleted_with_what_uses_them(admin_client: Client, used: Cast, place: str) -> None:
    site = used.production
    resources = [{"id": str(site.web.pk), "detach": True}, {"id": str(site.db.pk), "detach": True}, {"id": 0}]
    results = post(admin_client, place, {"action": "delete", "resources": resources})["results"]
    assert [result["success"] for result in results] == [True, True, False]
    run()
    assert not SecurityGroup.objects.filter(pk__in=[site.web.pk, site.db.pk]).exists()


def test_without_detach_it_is_refused_by_the_cloud_as_ever(admin_client: Client, used: Cast) -> None:
    for resource in ({}, {"detach": False}):
        address = f"/api/security_groups/{used.production.web.pk}"
        answer = post(admin_client, address, {"action": "delete", "resource": resource})
        run()
        assert "is in use" in Task.objects.get(pk=answer["task_id"]).message


def test_one_is_replaced(admin_client: Client, used: Cast, cloud: MemoryCloud, place: str) -> None:
    site = used.production
    answer = post(admin_client, f"{place}/{site.web.pk}", replacement(site.db))
    assert (answer["success"], answer["message"]) == (True, "Replacing security group web with db")
    run()
    assert end(Task.objects.get(pk=answer["task_id"]))[:2] == ("Finished", "Ok")
    assert not site.web.memberships.exists()


@pytest.mark.parametrize(
    ("resource", "message"),
    [({}, "with"), ({"with": {"id": "0"}}, "with"), ({"with": {"id": "1"}, "to": 2}, "to"), ({"with": 3}, "with")],
)
def test_what_does_not_name_a_group_is_refused(
    admin_client: Client, used: Cast, resource: Any, message: str
) -> None:
    address = f"/api/security_groups/{used.production.web.pk}"
    answer = post(
        admin_client, address, {"action": "replace", "resource": resource}, status=HTTPStatus.BAD_REQUEST
    )
    assert message in answer.get("message", str(answer))
    assert not Task.objects.exists()


class TestPreviews:
    @pytest.mark.parametrize("kind", ["delete", "replace"])
    def test_they_count_the_parts_and_queue_nothing(
        self, admin_client: Client, used: Cast, cloud: MemoryCloud, kind: str
    ) -> None:
        body = detachment if kind == "delete" else lambda **beside: replacement(used.production.db, **beside)
        address = f"/api/security_groups/{used.production.web.pk}"
        preview = post(admin_client, address, body(dry_run=True))["preview"]
        assert (Task.objects.count(), cloud.calls) == (0, [])
        assert (preview["change"], preview["no_change"], preview["refused"]) == (preview["total"], 0, [])
        ports = used.production.web.memberships.order_by("network_port").values_list("network_port", flat=True)
        assert [port["id"] for port in preview["network_ports"]] == [str(pk) for pk in ports]
        post(admin_client, address, body())
        assert Task.objects.get(queue="").tasks.count() == preview["total"]

    def test_what_is_refused_says_so(self, admin_client: Client, used: Cast) -> None:
        NetworkPort.objects.filter(ems_ref="eni-production-double-2").update(requester_managed=True)
        address = f"/api/security_groups/{used.production.web.pk}"
        answer = post(admin_client, address, detachment(dry_run=True), HTTPStatus.BAD_REQUEST)
        assert answer["preview"]["status"] == "Error"
        assert "eni-production-double-2 is managed by a service of the cloud" in answer["message"]

    def test_only_the_inventory_is_asked(self, admin_client: Client, used: Cast, cloud: MemoryCloud) -> None:
        address = f"/api/security_groups/{used.production.web.pk}"
        post(admin_client, address, detachment(dry_run="cloud"), HTTPStatus.BAD_REQUEST)
        assert not cloud.calls


class TestRights:
    """A user with a role on the tenant of the groups, and what else uses them in another one."""

    @pytest.fixture
    def user(self, used: Cast) -> User:
        user = User.objects.create_user("manager")
        user.groups.add(Group.objects.create(name="managers"))
        self.grant(used, "manager", user)
        return user

    def grant(self, used: Cast, role: str, user: User) -> None:
        Grant.objects.filter(group__name="managers").delete()
        group = Group.objects.get(name="managers")
        Grant.objects.create(group=group, role=role, cloud_tenant=used.tenant, provider=used.acme)

    def ask(self, client: Client, user: User, group: SecurityGroup, status: int = HTTPStatus.BAD_REQUEST) -> str:
        client.force_login(User.objects.get(pk=user.pk))
        return str(post(client, f"/api/security_groups/{group.pk}", detachment(), status))

    def test_a_manager_may(self, client: Client, used: Cast, user: User) -> None:
        self.ask(client, user, used.production.web, HTTPStatus.OK)
        run()
        assert not SecurityGroup.objects.filter(pk=used.production.web.pk).exists()

    def test_an_operator_may_not(self, client: Client, used: Cast, user: User) -> None:
        self.grant(used, "operator", user)
        self.ask(client, user, used.production.web, HTTPStatus.FORBIDDEN)

    def test_what_lies_outside_is_in_the_way_and_not_named(self, client: Client, used: Cast, user: User) -> None:
        outside = actors.tenant(used.acme, "outside")
        Vm.objects.filter(pk=used.production.double.pk).update(cloud_tenant=outside)
        NetworkPort.objects.filter(vm=used.production.double).update(cloud_tenant=outside)
        said = self.ask(client, user, used.production.web)
        assert BEYOND in said
        assert "double" not in said
        assert not Task.objects.exists()

    def test_a_rule_of_a_group_outside_is_in_the_way(self, client: Client, used: Cast, user: User) -> None:
        outside = actors.tenant(used.acme, "outside")
        SecurityGroup.objects.filter(pk=used.production.db.pk).update(cloud_tenant=outside)
        assert BEYOND in self.ask(client, user, used.production.web)

    def test_an_instance_that_may_only_be_seen_is_named(self, client: Client, used: Cast, user: User) -> None:
        seen = actors.tenant(used.acme, "seen")
        Vm.objects.filter(pk=used.production.double.pk).update(cloud_tenant=seen)
        NetworkPort.objects.filter(vm=used.production.double).update(cloud_tenant=seen)
        viewers = Group.objects.create(name="viewers")
        user.groups.add(viewers)
        Grant.objects.create(group=viewers, role="viewer", cloud_tenant=seen, provider=used.acme)
        assert "you may not change the groups of production-double" in self.ask(client, user, used.production.web)

    def test_one_who_lost_the_right_meanwhile_writes_nothing(
        self, client: Client, used: Cast, cloud: MemoryCloud, user: User
    ) -> None:
        self.ask(client, user, used.production.web, HTTPStatus.OK)
        Grant.objects.all().delete()
        run()
        task = Task.objects.get(queue="")
        assert not {name for name, _ in cloud.calls} & {"change_groups", "delete_rule", "delete_group"}
        assert task.status == "Error"


class TestLife:
    def test_retrying_it_goes_on_with_what_failed(
        self, admin_client: Client, used: Cast, cloud: MemoryCloud
    ) -> None:
        address = f"/api/security_groups/{used.production.web.pk}"
        cloud.script("delete_rule", refuse())
        task = Task.objects.get(pk=post(admin_client, address, detachment())["task_id"])
        run()
        assert end(task)[1] == "Warn"
        assert not cloud.called("delete_group")
        post(admin_client, f"/api/tasks/{task.pk}", {"action": "retry"})
        run()
        assert end(task)[:2] == ("Finished", "Ok")
        assert not SecurityGroup.objects.filter(pk=used.production.web.pk).exists()

    def test_cancelling_it_cancels_the_deletion(
        self, admin_client: Client, used: Cast, cloud: MemoryCloud
    ) -> None:
        address = f"/api/security_groups/{used.production.web.pk}"
        task = Task.objects.get(pk=post(admin_client, address, detachment())["task_id"])
        post(admin_client, f"/api/tasks/{task.pk}", {"action": "cancel"})
        run()
        assert end(task)[:2] == ("Finished", "Error")
        assert not cloud.calls

    @pytest.mark.parametrize(
        ("kind", "reason"), [("delete", "can't be put back where it was"), ("replace", "Replace that one")]
    )
    def test_it_is_not_reverted_and_says_why(
        self, admin_client: Client, used: Cast, kind: str, reason: str
    ) -> None:
        body = detachment() if kind == "delete" else replacement(used.production.db)
        task = post(admin_client, f"/api/security_groups/{used.production.web.pk}", body)["task_id"]
        run()
        revert = {"action": "revert"}
        assert reason in post(admin_client, f"/api/tasks/{task}", revert, HTTPStatus.BAD_REQUEST)["message"]
        tasks = Task.objects.count()
        for part in Task.objects.get(pk=task).tasks.filter(queue__startswith="security_groups/"):
            admin_client.post(
                f"/api/tasks/{part.pk}", {**revert, "dry_run": True}, content_type="application/json"
            )
        assert Task.objects.count() == tasks


def test_on_openstack_a_port_may_be_left_without_a_group(
    admin_client: Client, used: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DRIVERS = {OPENSTACK: "tests.clouds.MemoryCloud"}
    monkeypatch.setattr(MemoryCloud, "minimum_groups_per_port", 0)
    monkeypatch.setattr(MemoryCloud, "groups_have_networks", False)
    monkeypatch.setattr(MemoryCloud, "guards_revisions", True)
    monkeypatch.setattr(MemoryCloud, "rules_end_with_their_source", True)
    used.acme.vendor = OPENSTACK
    used.acme.save()
    SecurityGroup.objects.update(cloud_network=None)
    cloud.group_list = [*SecurityGroup.objects.order_by("pk").as_values()]
    address = f"/api/security_groups/{used.production.web.pk}"
    task = Task.objects.get(pk=post(admin_client, address, detachment())["task_id"])
    run()
    assert end(task)[:2] == ("Finished", "Warn")
    assert "Port eni-production-single-1 has no security group left" in str([*task.tasks.values("message")])
    assert not SecurityGroup.objects.filter(pk=used.production.web.pk).exists()
