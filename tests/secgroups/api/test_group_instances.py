"""Adding a security group to many instances and removing it, over HTTP: one task, with a part for each."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client, TestCase
from django.utils import timezone

from inventory import runner
from inventory.models import Grant, NetworkPort, Provider, Task, Vm
from inventory.refresh import refresh
from inventory.runner import run_queue
from inventory.services import finish
from secgroups.models import Expiration, SecurityGroup
from secgroups.services import MAY_CHANGE
from tests import cast as actors
from tests.cast import OPENSTACK, Cast, memberships
from tests.clouds import Grip, MemoryCloud, refuse
from tests.contracts import grant

NOT_THERE = "web belongs to network vpc-production, in which the instance has no port"
EVERY = pytest.mark.parametrize("collection", ["instances", "vms"])


@pytest.fixture
def web(cast: Cast, cloud: MemoryCloud) -> SecurityGroup:
    refresh(cast.acme, Grip())  # the first one leaves no events of what it finds
    return cast.production.web


def post(client: Client, url: str, body: Any, status: int = HTTPStatus.OK) -> Any:
    with TestCase.captureOnCommitCallbacks(execute=True):
        answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def change(
    client: Client, group: SecurityGroup, action: str = "add", status: int = HTTPStatus.OK, **body: Any
) -> Any:
    return post(client, f"/api/security_groups/{group.pk}/instances", {"action": action, **body}, status)


def accepted(answer: Any) -> Task:
    [result] = answer["results"]
    assert result["success"], result
    return Task.objects.get(pk=result["task_id"])


def run(parent: Task) -> Task:
    """The parent, once its parts were carried out."""
    for queue in list(parent.tasks.unfinished().values_list("queue", flat=True)):
        carry_out(queue)
    parent.refresh_from_db()
    return parent


def carry_out(queue: str) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        run_queue(queue)


def counts(task: Task) -> dict[str, int]:
    names = ("total", "queued", "active", "ok", "warn", "error", "cancelled")
    numbers = {name: task.context_data[name] for name in names}
    return {name: number for name, number in numbers.items() if number}


@EVERY
def test_one_task_has_a_part_for_each_instance(
    admin_client: Client, cast: Cast, web: SecurityGroup, collection: str
) -> None:
    single, double = cast.production.single, cast.production.double
    body = {"action": "add", "resources": [{"id": str(single.pk)}, {"href": f"/api/{collection}/{double.pk}"}]}
    answer = post(admin_client, f"/api/security_groups/{web.pk}/{collection}", body)
    parent = Task.objects.get(parent=None, queue="")
    assert answer == {
        "results": [
            {
                "success": True,
                "message": "Adding security group web to 2 instances",
                "task_id": str(parent.pk),
                "task_href": f"http://testserver/api/tasks/{parent.pk}",
                "href": f"http://testserver/api/security_groups/{web.pk}",
            }
        ]
    }
    assert (parent.state, parent.pct_complete, counts(parent)) == ("Queued", 0, {"total": 2, "queued": 2})
    parts = admin_client.get(f"/api/tasks/{parent.pk}/tasks", {"expand": "resources"}).json()["resources"]
    assert [part["name"] for part in parts] == [
        "Adding security group web to production-single",
        "Adding security group web to production-double",
    ]
    assert {part["parent_id"] for part in parts} == {str(parent.pk)}
    run(parent)
    shown = admin_client.get(f"/api/tasks/{parent.pk}").json()
    assert (shown["state"], shown["status"], shown["pct_complete"]) == ("Finished", "Ok", 100)
    assert shown["message"] == "Adding security group web to 2 instances: 2 went well."
    assert counts(parent) == {"total": 2, "ok": 2}
    assert all("sg-production-web" in groups for vm in (single, double) for groups in memberships(vm).values())


def test_a_part_takes_the_calls_of_a_single_change(
    admin_client: Client, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
) -> None:
    cloud.calls.clear()
    run(accepted(change(admin_client, web, resources=[{"id": cast.production.double.pk}])))
    calls = [name for name, *_ in cloud.calls]
    assert calls == ["ports", "change_groups", "change_groups", "ports"]  # the last one sees what was written


def test_every_name_leads_to_the_instance(admin_client: Client, cast: Cast, web: SecurityGroup) -> None:
    vm = cast.production.single
    names = ({"guid": str(vm.guid)}, {"ems_ref": vm.ems_ref}, {"id": vm.pk, "ems_ref": vm.ems_ref})
    for name in names:
        parent = accepted(change(admin_client, web, resources=[name]))
        assert [*parent.tasks.values_list("vm", flat=True)] == [vm.pk]


def test_an_instance_that_is_named_twice_has_one_part(
    admin_client: Client, cast: Cast, web: SecurityGroup
) -> None:
    vm = cast.production.single
    parent = accepted(change(admin_client, web, resources=[{"id": vm.pk}, {"ems_ref": vm.ems_ref}]))
    assert parent.tasks.count() == parent.context_data["total"] == 1


def test_a_resource_alone_is_a_task_with_one_part(admin_client: Client, cast: Cast, web: SecurityGroup) -> None:
    parent = accepted(change(admin_client, web, resource={"id": cast.production.single.pk}))
    assert parent.name == "Adding security group web to 1 instance"


def test_what_is_refused_at_once_is_a_part_that_has_failed(
    admin_client: Client, cast: Cast, web: SecurityGroup
) -> None:
    there, elsewhere = cast.production.single, cast.staging.single
    resources = [{"id": there.pk}, {"id": elsewhere.pk}, {"id": 999_999}]
    parent = accepted(change(admin_client, web, resources=resources))
    assert counts(parent) == {"total": 3, "queued": 1, "error": 2}
    refused = parent.tasks.filter(state="Finished").order_by("pk")
    assert [*refused.values_list("message", "status", "vm")] == [
        (
            f"Cannot add security group web to staging-single: {NOT_THERE}",
            "Error",
            elsewhere.pk,
        ),
        ("Cannot add security group web to 999999: there is no instance 999999", "Error", None),
    ]
    run(parent)
    assert (parent.status, counts(parent)) == ("Warn", {"total": 3, "ok": 1, "error": 2})
    assert parent.message == "Adding security group web to 3 instances: 1 went well, 2 failed."


@pytest.mark.parametrize(
    ("resource", "reason"),
    [({"name": "web-1"}, "Invalid attributes specified: name"), ({}, "no instance was named")],
)
def test_a_resource_that_can_not_be_understood_is_named_and_nothing_is_queued(
    admin_client: Client, cast: Cast, web: SecurityGroup, resource: Any, reason: str
) -> None:
    [result] = change(admin_client, web, resources=[{"id": cast.production.single.pk}, resource])["results"]
    message = f"Cannot add security group web to an instance: {reason}"
    assert (result["success"], result["message"]) == (False, message)
    assert not Task.objects.filter(queue="").exists()


def test_if_every_instance_is_refused_the_task_is_finished_at_once(
    admin_client: Client, cast: Cast, web: SecurityGroup
) -> None:
    [result] = change(admin_client, web, resources=[{"id": cast.staging.single.pk}])["results"]
    assert (result["success"], result["message"]) == (
        False,
        "Adding security group web to 1 instance: 1 failed.",
    )
    task = Task.objects.get(pk=result["task_id"])
    assert (task.state, task.status) == ("Finished", "Error")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"resource": {"name": "web-1"}}, "name"),
        ({"resource": {}}, "no instance was named"),
        ({"resource": {"id": "web-1"}}, "there is no instance web-1"),
        ({"resource": {"id": "1", "href": "/api/vms/2"}}, "the names belong to different instances"),
        ({"filter": "name='web*'"}, "filter must be a list"),
        ({"filter": []}, "filter must be a list"),
        ({"filter": ["name='web*'"], "id": "5"}, "filter must be a list"),
        ({"resource": {"filter": ["name='web*'"]}}, "filter must be a list"),
        ({"resource": {"ems_ref": "i" * 256}}, "there is no instance iii"),
        ({"resource": {"ems_ref": 5}}, "there is no instance 5"),
        ({"resource": {"guid": None}}, "there is no instance None"),
        ({"filter": ["name='nobody'"]}, "No instance matches the filter."),
        ({"filter": ["nome='web*'"]}, "nome"),
        ({"resources": [{"id": "1"}], "filter": ["name='web*'"]}, "filter"),
        ({"resources": []}, "resources"),
        ({"resource": {"id": "1"}, "dry_run": "cloud"}, "dry_run must be true"),
    ],
)
def test_a_bad_request_is_named_and_queues_nothing(
    admin_client: Client, web: SecurityGroup, body: Any, message: str
) -> None:
    answer = change(admin_client, web, status=HTTPStatus.BAD_REQUEST, **body)
    assert message in str(answer), answer
    assert not Task.objects.filter(queue="").exists()


class TestForAWhile:
    """Each part ends by itself."""

    def test_a_filter_has_an_end_beside_it(self, admin_client: Client, cast: Cast, web: SecurityGroup) -> None:
        vms = (cast.production.single, cast.production.double)
        answer = change(admin_client, web, filter=["name='production-*'"], reason="the release", **{"for": "2h"})
        run(accepted(answer))
        ends = Expiration.objects.order_by("vm")
        assert [(each.vm, each.security_group, each.reason) for each in ends] == [
            (vm, web, "the release") for vm in vms
        ]

    def test_a_resource_has_its_own(self, admin_client: Client, cast: Cast, web: SecurityGroup) -> None:
        single, double = cast.production.single, cast.production.double
        run(accepted(change(admin_client, web, resources=[{"id": single.pk, "for": "90s"}, {"id": double.pk}])))
        assert [each.vm for each in Expiration.objects.all()] == [single]

    def test_a_bad_end_is_named(self, admin_client: Client, cast: Cast, web: SecurityGroup) -> None:
        resource = {"id": cast.production.single.pk, "for": "a while"}
        answer = change(admin_client, web, status=HTTPStatus.BAD_REQUEST, resource=resource)
        assert "for" in str(answer)
        removal = {"id": cast.production.single.pk, "for": "2h"}
        answer = change(admin_client, web, "remove", HTTPStatus.BAD_REQUEST, resource=removal)
        assert "for" in str(answer)


class TestFilters:
    def test_it_chooses_among_the_instances_of_the_cloud(
        self, admin_client: Client, cast: Cast, web: SecurityGroup
    ) -> None:
        actors.vm(actors.network(actors.tenant(actors.provider("other")), "production"), "production-other")
        parent = accepted(change(admin_client, web, filter=["name='production-*'"]))
        vms = {cast.production.single.pk, cast.production.double.pk}
        assert set(parent.tasks.values_list("vm", flat=True)) == vms

    def test_a_removal_chooses_among_those_that_have_the_group(
        self, admin_client: Client, cast: Cast, web: SecurityGroup
    ) -> None:
        run(accepted(change(admin_client, web, resources=[{"id": cast.production.single.pk}])))
        parent = accepted(
            change(admin_client, web, "remove", filter=["name='production-*'", "or name='staging-*'"])
        )
        assert [*parent.tasks.values_list("vm", flat=True)] == [cast.production.single.pk]

    def test_it_may_not_match_more_than_the_setting_says(
        self, admin_client: Client, web: SecurityGroup, settings: Any
    ) -> None:
        settings.BULK_LIMIT = 1
        answer = change(admin_client, web, status=HTTPStatus.BAD_REQUEST, filter=["name='production-*'"])
        assert "more than 1 instances" in str(answer)
        assert not Task.objects.filter(queue="").exists()


def test_more_instances_than_a_page_has_can_be_named(
    admin_client: Client, cast: Cast, web: SecurityGroup, settings: Any
) -> None:
    settings.API_PAGE_LIMIT = 1
    settings.BULK_LIMIT = 2
    single, double = ({"id": vm.pk} for vm in (cast.production.single, cast.production.double))
    assert accepted(change(admin_client, web, resources=[single, double])).tasks.count() == 2
    answer = change(admin_client, web, status=HTTPStatus.BAD_REQUEST, resources=[single, double, single])
    assert "2" in str(answer)


class TestPreviews:
    def test_it_counts_what_would_change_and_queues_nothing(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        has_it = cast.production.single
        run(accepted(change(admin_client, web, resources=[{"id": has_it.pk}])))
        vms = (has_it, cast.production.double, cast.staging.single, cast.staging.double)
        tasks = Task.objects.count()
        [result] = change(admin_client, web, resources=[{"id": vm.pk} for vm in vms], dry_run=True)["results"]
        preview = result["preview"]
        assert (result["success"], result["message"]) == (True, "Adding security group web to 4 instances")
        assert (preview["total"], preview["change"], preview["no_change"]) == (4, 1, 1)
        assert preview["refused"] == [{"reason": NOT_THERE, "count": 2}]
        ports = cast.production.double.network_ports.order_by("pk").values_list("pk", flat=True)
        assert [port["id"] for port in preview["network_ports"]] == [str(pk) for pk in ports]
        assert "more" not in preview
        assert Task.objects.count() == tasks

    def test_obstacles_of_the_ports_are_counted_together(
        self, admin_client: Client, cast: Cast, web: SecurityGroup
    ) -> None:
        """Each of these instances has one group on each port, and EC2 takes no port without one."""
        vms = (cast.production.single, cast.production.double)
        default = cast.production.default
        [result] = change(admin_client, default, "remove", resources=[{"id": vm.pk} for vm in vms], dry_run=True)[
            "results"
        ]
        reason = "it is the last security group of a port, which must keep at least 1"
        assert result["preview"]["refused"] == [{"reason": reason, "count": 2}]
        assert result["success"] is True  # the tasks are accepted, and fail

    def test_it_says_what_the_tasks_then_do(self, admin_client: Client, cast: Cast, web: SecurityGroup) -> None:
        vms = [*Vm.objects.order_by("pk")]
        cast.production.double.network_ports.update(port_security_enabled=False)
        refused = [{"id": vm.pk} for vm in vms]
        [result] = change(admin_client, web, resources=refused, dry_run=True)["results"]
        preview = result["preview"]
        parent = run(accepted(change(admin_client, web, resources=refused)))
        foreseen = sum(each["count"] for each in preview["refused"])
        assert preview["change"] + preview["no_change"] + foreseen == preview["total"] == counts(parent)["total"]

    def test_of_many_ports_the_first_are_shown(
        self, admin_client: Client, cast: Cast, web: SecurityGroup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("secgroups.api.previews_of_many.PORTS", 1)
        [result] = change(admin_client, web, resources=[{"id": cast.production.double.pk}], dry_run=True)[
            "results"
        ]
        assert (len(result["preview"]["network_ports"]), result["preview"]["more"]) == (1, 1)


class TestRights:
    def test_instances_beyond_the_grants_are_refused(self, client: Client, cast: Cast, web: SecurityGroup) -> None:
        user = granted(cast.acme, "viewer")
        client.force_login(user)
        body = {"action": "add", "resources": [{"id": cast.production.single.pk}]}
        post(client, f"/api/security_groups/{web.pk}/instances", body, HTTPStatus.FORBIDDEN)
        mine = actors.tenant(cast.acme, "mine")
        Vm.objects.filter(pk=cast.production.double.pk).update(cloud_tenant=mine)
        group = Group.objects.create(name="operators of mine")
        Grant.objects.create(group=group, role="operator", cloud_tenant=mine, provider=cast.acme)
        user.groups.add(group)
        client.force_login(User.objects.get(pk=user.pk))
        vms = (cast.production.single, cast.production.double)
        parent = accepted(change(client, web, resources=[{"id": vm.pk} for vm in vms]))
        assert [*parent.tasks.order_by("pk").values_list("vm", "message")] == [
            (vms[0].pk, f"Cannot add security group web to {vms[0]}: your grants do not permit this there"),
            (vms[1].pk, f"Adding security group web to {vms[1]}"),
        ]

    def test_what_lies_outside_the_grants_does_not_exist(
        self, client: Client, cast: Cast, web: SecurityGroup
    ) -> None:
        outside = actors.plant("outside")
        client.force_login(granted(cast.acme, "operator"))
        resources = [{"id": outside.vm.pk}, {"guid": str(outside.vm.guid)}, {"id": cast.production.single.pk}]
        parent = accepted(change(client, web, resources=resources))
        messages = parent.tasks.filter(status="Error").order_by("pk").values_list("message", flat=True)
        assert all("there is no instance" in message for message in messages)
        assert len(messages) == 2
        assert accepted(change(client, web, filter=["name='*'"])).tasks.filter(vm=outside.vm).count() == 0

    def test_whoever_sees_the_instance_need_not_see_the_group(self, client: Client, cast: Cast) -> None:
        """A part that was refused names the group of another tenant, so it is hidden like the group."""
        mine = actors.tenant(cast.acme, "mine")
        Vm.objects.filter(pk=cast.staging.single.pk).update(cloud_tenant=mine)
        owner = User.objects.create(username="owner", is_superuser=True)
        client.force_login(owner)
        accepted_or_not = change(client, cast.production.web, resources=[{"id": cast.staging.single.pk}])
        part = Task.objects.get(parent=accepted_or_not["results"][0]["task_id"])
        user = User.objects.create_user("reader of mine")
        group = Group.objects.create(name="readers of mine")
        Grant.objects.create(group=group, role="viewer", cloud_tenant=mine, provider=cast.acme)
        user.groups.add(group)
        client.force_login(user)
        assert client.get(f"/api/instances/{cast.staging.single.pk}").status_code == HTTPStatus.OK
        assert client.get(f"/api/tasks/{part.pk}").status_code == HTTPStatus.NOT_FOUND

    def test_a_revert_takes_the_right_of_the_change(self, client: Client, cast: Cast, web: SecurityGroup) -> None:
        owner = User.objects.create(username="owner", is_superuser=True)
        client.force_login(owner)
        parent = run(accepted(change(client, web, resources=[{"id": cast.production.single.pk}])))
        user = User.objects.create_user("reader")
        grant(user, "inventory.view_task")
        client.force_login(user)
        for body in ({"action": "revert"}, {"action": "revert", "dry_run": True}):
            post(client, f"/api/tasks/{parent.pk}", body, HTTPStatus.FORBIDDEN)

    def test_who_may_not_list_instances_can_not_choose_among_them(
        self, client: Client, cast: Cast, web: SecurityGroup
    ) -> None:
        user = User.objects.create_user("adder")
        grant(user, "secgroups.view_securitygroup")
        grant(user, MAY_CHANGE)
        client.force_login(user)
        url = f"/api/security_groups/{web.pk}/instances"
        post(client, url, {"action": "add", "filter": ["name='*'"]}, HTTPStatus.FORBIDDEN)


def granted(provider: Provider, role: str) -> User:
    user = User.objects.create_user(f"{role} of {provider}")
    group = Group.objects.create(name=f"{role}s of {provider}")
    user.groups.add(group)
    Grant.objects.create(group=group, role=role, provider=provider)
    return user


class TestLife:
    def test_cancelling_it_cancels_what_is_queued(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        vms = (cast.production.single, cast.production.double)
        parent = accepted(change(admin_client, web, resources=[{"id": vm.pk} for vm in vms]))
        carry_out(f"vms/{vms[0].pk}")
        assert post(admin_client, f"/api/tasks/{parent.pk}", {"action": "cancel"})["success"]
        parent.refresh_from_db()
        assert (parent.state, parent.status) == ("Finished", "Warn")
        assert counts(parent) == {"total": 2, "ok": 1, "cancelled": 1}
        assert parent.message == "Adding security group web to 2 instances: 1 went well, 1 cancelled."
        run(parent)
        assert not any("sg-production-web" in groups for groups in memberships(vms[1]).values())
        answer = post(admin_client, f"/api/tasks/{parent.pk}", {"action": "cancel"}, HTTPStatus.BAD_REQUEST)
        assert "can't be cancelled" in answer["message"]

    def test_retrying_it_queues_anew_what_failed(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        single, double = cast.production.single, cast.production.double
        cloud.script("change_groups", refuse(), refuse())
        resources = [{"id": single.pk}, {"id": double.pk}, {"id": cast.staging.single.pk}]
        parent = run(accepted(change(admin_client, web, resources=resources)))
        assert counts(parent) == {"total": 3, "ok": 1, "error": 2}
        failed = parent.tasks.get(status="Error", vm=single)
        assert post(admin_client, f"/api/tasks/{parent.pk}", {"action": "retry"})["success"]
        parent.refresh_from_db()
        assert (parent.state, counts(parent)) == ("Active", {"total": 3, "queued": 1, "ok": 1, "error": 1})
        anew = parent.tasks.get(state="Queued")
        assert anew.pk > failed.pk
        assert anew.context_data["retries"] == str(failed.pk)
        assert not {"before", "after", "request_id"} & anew.context_data.keys()
        assert anew.arguments == {key: value for key, value in failed.arguments.items() if key != "undone"}
        failed.refresh_from_db()
        assert failed.parent is None
        run(parent)
        assert (parent.status, counts(parent)) == ("Warn", {"total": 3, "ok": 2, "error": 1})
        answer = post(admin_client, f"/api/tasks/{parent.pk}", {"action": "retry"}, HTTPStatus.BAD_REQUEST)
        assert "no part of it has failed" in answer["message"]

    def test_reverting_it_reverts_what_each_part_did(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        single, double = cast.production.single, cast.production.double
        run(accepted(change(admin_client, web, resources=[{"id": single.pk}])))
        parent = run(accepted(change(admin_client, web, resources=[{"id": vm.pk} for vm in (single, double)])))
        answer = post(admin_client, f"/api/tasks/{parent.pk}", {"action": "revert", "dry_run": True})
        assert (answer["preview"]["total"], answer["preview"]["change"]) == (1, 1)
        answer = post(admin_client, f"/api/tasks/{parent.pk}", {"action": "revert"})
        removing = "removing security group web from 1 instance"
        assert answer["message"] == f"Reverting task {parent.pk}: {removing}"
        reverting = run(Task.objects.get(pk=answer["task_id"]))
        assert (reverting.status, counts(reverting)) == ("Ok", {"total": 1, "ok": 1})
        assert all("sg-production-web" in groups for groups in memberships(single).values())
        assert not any("sg-production-web" in groups for groups in memberships(double).values())
        again = run(
            Task.objects.get(pk=post(admin_client, f"/api/tasks/{reverting.pk}", {"action": "revert"})["task_id"])
        )
        assert counts(again) == {"total": 1, "ok": 1}
        assert all("sg-production-web" in groups for groups in memberships(double).values())

    def test_what_is_in_the_way_of_a_revert_is_told_by_its_part(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, web: SecurityGroup
    ) -> None:
        single, double = cast.production.single, cast.production.double
        parent = run(accepted(change(admin_client, web, resources=[{"id": vm.pk} for vm in (single, double)])))
        removal = run(accepted(change(admin_client, web, "remove", resources=[{"id": single.pk}])))
        answer = post(admin_client, f"/api/tasks/{parent.pk}", {"action": "revert"})
        reverting = run(Task.objects.get(pk=answer["task_id"]))
        assert (reverting.status, counts(reverting)) == ("Warn", {"total": 2, "ok": 1, "error": 1})
        refused = reverting.tasks.get(status="Error")
        assert refused.vm == single
        assert f"by admin in task {removal.tasks.get().pk}" in refused.message

    def test_a_finished_one_is_deleted_with_its_parts(
        self, admin_client: Client, cast: Cast, web: SecurityGroup
    ) -> None:
        parent = accepted(
            change(
                admin_client,
                web,
                resources=[{"id": vm.pk} for vm in (cast.production.single, cast.production.double)],
            )
        )
        carry_out(f"vms/{cast.production.single.pk}")
        part = parent.tasks.get(state="Finished")
        assert admin_client.delete(f"/api/tasks/{part.pk}").status_code == HTTPStatus.BAD_REQUEST
        assert admin_client.delete(f"/api/tasks/{parent.pk}").status_code == HTTPStatus.BAD_REQUEST
        run(parent)
        assert admin_client.delete(f"/api/tasks/{parent.pk}").status_code == HTTPStatus.NO_CONTENT
        assert not Task.objects.filter(pk__in=[parent.pk, part.pk]).exists()


def test_messages_wake_up_workers_for_the_parts_slice_by_slice(
    admin_client: Client, cast: Cast, web: SecurityGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    vms = (cast.production.single, cast.production.double)
    parent = accepted(change(admin_client, web, resources=[{"id": vm.pk} for vm in vms]))
    first, second = parent.tasks.order_by("pk")
    woken: list[object] = []
    monkeypatch.setattr(runner, "SLICE", 1)
    monkeypatch.setattr(runner, "wake", lambda queue, *rest: woken.append(queue))
    monkeypatch.setattr(runner, "wake_next", lambda *message: woken.append(message))
    runner.wake_parts(parent.pk, 0)
    runner.wake_parts(parent.pk, first.pk)
    runner.wake_parts(parent.pk, second.pk)
    assert woken == [f"vms/{vms[0].pk}", (parent.pk, first.pk), f"vms/{vms[1].pk}", (parent.pk, second.pk)]
    woken.clear()
    finish(first, Task.Status.OK, "Done")
    runner.wake_parts(parent.pk, 0)
    assert woken[0] == f"vms/{vms[1].pk}"


def test_the_sweep_wakes_up_only_some_parts_at_a_time(
    admin_client: Client, cast: Cast, web: SecurityGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    vms = [*Vm.objects.filter(provider=cast.acme).order_by("pk")]
    SecurityGroup.objects.filter(pk=web.pk).update(cloud_network=None)
    web.associated_networks.add(cast.production.network, cast.staging.network)
    parent = accepted(change(admin_client, web, resources=[{"id": vm.pk} for vm in vms]))
    Task.objects.update(created_on=timezone.now() - timedelta(minutes=1))
    woken: list[str] = []
    monkeypatch.setattr(runner, "SLICE", 1)
    monkeypatch.setattr(runner, "wake", lambda queue, *rest: woken.append(queue))
    runner.sweep()
    assert woken == [part.queue for part in parent.tasks.order_by("pk")[:2]]


def test_on_openstack_a_group_is_for_the_tenants_that_it_is_shared_with(cast: Cast, admin_client: Client) -> None:
    """The same instances that could have it one by one."""
    cast.acme.vendor = OPENSTACK
    cast.acme.save()
    tenants = [actors.tenant(cast.acme, name) for name in ("own", "friend", "stranger")]
    net = actors.network(cast.tenant, "shared")
    vms = [actors.vm(net, account.name) for account in tenants]
    for vm, account in zip(vms, tenants, strict=True):
        Vm.objects.filter(pk=vm.pk).update(cloud_tenant=account)
    nowhere = actors.vm(net, "nowhere")
    Vm.objects.filter(pk=nowhere.pk).update(cloud_tenant=None)
    NetworkPort.objects.filter(vm=nowhere).update(cloud_tenant=None)
    group = actors.group(net, "web", cloud_tenant=tenants[0])
    group.shared_with.add(tenants[1])
    for groups in (SecurityGroup.objects.filter(pk=group.pk), SecurityGroup.objects.all()):
        for row in groups.select_related("provider"):
            by_group = set(Vm.objects.filter(SecurityGroup.objects.holders_of(row)).values_list("pk", flat=True))
            one_by_one = {
                vm.pk
                for vm in Vm.objects.select_related("provider")
                if row in SecurityGroup.objects.available_to(vm)
            }
            assert by_group == one_by_one
    resources = [{"id": vm.pk} for vm in (*vms, nowhere)]
    parent = accepted(change(admin_client, group, resources=resources))
    assert {part.vm.name for part in parent.tasks.filter(state="Queued") if part.vm} == {
        "shared-own",
        "shared-friend",
    }
