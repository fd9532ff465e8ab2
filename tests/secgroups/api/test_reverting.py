"""Reverting tasks, over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Task, Vm
from inventory.refresh import refresh
from secgroups.plan import Action
from secgroups.services import (
    Edit,
    GroupReference,
    Refused,
    group_deletion,
    group_edit,
    request_changes,
    request_edits,
    rule_creation,
)
from tests.cast import Cast, memberships
from tests.clouds import Grip, MemoryCloud
from tests.contracts import grant
from tests.secgroups.api.test_previews import services
from tests.secgroups.carrying import carried_out
from tests.secgroups.editing import edited

MAY_CHANGE = "inventory.change_vm_security_groups"


@pytest.fixture
def vm(cast: Cast, cloud: MemoryCloud) -> Vm:
    refresh(cast.acme, Grip())  # the first one leaves no events of what it finds
    return cast.production.double


def done(vm: Vm, action: Action, group: str, user: User | None) -> Task:
    """A finished task of this user."""
    request_changes(vm=vm, action=action, references=[GroupReference(group)], user=user)
    [task] = carried_out(vm)
    assert task.status == "Ok", task.message
    return task


def post(client: Client, url: str, status: int = HTTPStatus.OK, headers: Any = None, **body: Any) -> Any:
    body = {"action": "revert", **body}
    answer = client.post(url, body, content_type="application/json", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json()


def url_of(task: Task) -> str:
    return f"/api/tasks/{task.pk}"


def test_the_answer_has_the_task_that_reverts_it(
    admin_client: Client, admin_user: User, cloud: MemoryCloud, vm: Vm
) -> None:
    before = memberships(vm)
    task = done(vm, "add", "web", admin_user)
    answer = post(admin_client, url_of(task))
    reverting = Task.objects.latest("pk")
    assert answer == {
        "success": True,
        "message": f"Reverting task {task.pk}: removing security group web from {vm.name}",
        "href": f"http://testserver/api/tasks/{task.pk}",
        "task_id": str(reverting.pk),
        "task_href": f"http://testserver/api/tasks/{reverting.pk}",
    }
    carried_out(vm)
    assert memberships(vm) == before
    shown = admin_client.get(url_of(reverting)).json()
    assert shown["context_data"]["reverts"] == str(task.pk)
    assert "revert" in {action["name"] for action in shown["actions"]}


def test_the_browsable_page_has_a_form_for_it(
    admin_client: Client, admin_user: User, cloud: MemoryCloud, vm: Vm
) -> None:
    task = done(vm, "add", "web", admin_user)
    page = admin_client.get(url_of(task), headers={"Accept": "text/html"}).content.decode()
    assert 'value="revert"' in page
    answer = admin_client.post(url_of(task), {"action": "revert"}, headers={"Accept": "text/html"})
    assert answer.status_code == HTTPStatus.OK
    assert Task.objects.unfinished().count() == 1


def test_a_refusal_says_what_is_in_the_way(
    admin_client: Client, admin_user: User, cloud: MemoryCloud, vm: Vm
) -> None:
    task = done(vm, "add", "web", admin_user)
    done(vm, "remove", "web", admin_user)
    answer = post(admin_client, url_of(task), HTTPStatus.BAD_REQUEST)
    assert answer["success"] is False
    assert "by admin in task" in answer["message"]
    assert "task_id" not in answer


def test_many_are_reverted_each_by_itself(
    admin_client: Client, admin_user: User, cast: Cast, cloud: MemoryCloud, vm: Vm
) -> None:
    other = cast.production.single
    before = memberships(vm, other)
    tasks = [done(vm, "add", "web", admin_user), done(vm, "add", "db", admin_user)]
    tasks += [done(other, "add", "web", admin_user), done(other, "remove", "web", admin_user)]
    resources: list[dict[str, Any]] = [{"id": str(task.pk)} for task in tasks]
    answer = post(admin_client, "/api/tasks", resources=[*resources, {"id": "987654"}, {"id": "1", "x": 1}])
    assert [result["success"] for result in answer["results"]] == [True, True, False, True, False, False]
    while Task.objects.of_queue(f"vms/{vm.pk}").exists():
        carried_out(vm)
    carried_out(other)
    assert memberships(vm) == {port: before[port] for port in memberships(vm)}
    [port] = memberships(other)
    assert memberships(other)[port] == before[port] | {"sg-production-web"}


def test_a_request_that_is_repeated_is_done_once(
    admin_client: Client, admin_user: User, cloud: MemoryCloud, vm: Vm
) -> None:
    task = done(vm, "add", "web", admin_user)
    answers = [post(admin_client, url_of(task), headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0] == answers[1]
    assert Task.objects.unfinished().count() == 1


class TestRights:
    def test_are_those_of_the_change(self, client: Client, cloud: MemoryCloud, vm: Vm) -> None:
        ada = User.objects.create_user("ada")
        client.force_login(ada)
        task = done(vm, "add", "web", None)
        Task.objects.update(owner=ada)
        assert "actions" not in client.get(url_of(task)).json()
        post(client, url_of(task), HTTPStatus.FORBIDDEN)
        answer = post(client, "/api/tasks", resources=[{"id": str(task.pk)}])
        assert answer["results"][0]["success"] is False
        post(client, url_of(task), HTTPStatus.FORBIDDEN, dry_run=True)
        grant(ada, MAY_CHANGE)
        assert "revert" in {action["name"] for action in client.get(url_of(task)).json()["actions"]}
        post(client, url_of(task))

    def test_of_others_tasks_are_not_there(self, client: Client, cloud: MemoryCloud, vm: Vm) -> None:
        task = done(vm, "add", "web", None)
        ada = User.objects.create_user("ada")
        grant(ada, MAY_CHANGE)
        client.force_login(ada)
        post(client, url_of(task), HTTPStatus.NOT_FOUND)


class TestPreview:
    def test_is_that_of_the_change(
        self, admin_client: Client, admin_user: User, cast: Cast, cloud: MemoryCloud, vm: Vm
    ) -> None:
        task = done(vm, "add", "web", admin_user)
        writes, tasks = len(cloud.called("change_groups")), Task.objects.count()
        answer = post(admin_client, url_of(task), dry_run=True)
        assert (len(cloud.called("change_groups")), Task.objects.count()) == (writes, tasks)
        assert answer["message"] == f"Reverting task {task.pk}: removing security group web from {vm.name}"
        preview = answer["preview"]
        after = [[group["name"] for group in port["after"]] for port in preview["network_ports"]]
        assert after == [["default"], ["default"]]
        post(admin_client, url_of(task))
        [reverting] = carried_out(vm)
        assert (preview["status"], preview["message"]) == (reverting.status, reverting.message)

    def test_reads_the_cloud_if_it_is_to(
        self, admin_client: Client, admin_user: User, cloud: MemoryCloud, vm: Vm
    ) -> None:
        task = done(vm, "add", "web", admin_user)
        cloud.set_port("eni-production-double-1", group_refs=("sg-production-default",))
        assert post(admin_client, url_of(task), dry_run=True)["preview"]["status"] == "Ok"
        preview = post(admin_client, url_of(task), dry_run="cloud")["preview"]
        assert preview["status"] == "Error"
        assert "no longer on port eni-production-double-1, found at the cloud at" in preview["message"]
        post(admin_client, url_of(task))
        [reverting] = carried_out(vm)
        assert reverting.message.split(", found")[0] == preview["message"].split(", found")[0]

    def test_says_what_is_in_the_way(
        self, admin_client: Client, admin_user: User, cloud: MemoryCloud, vm: Vm
    ) -> None:
        task = done(vm, "add", "web", admin_user)
        done(vm, "remove", "web", admin_user)
        answer = post(admin_client, "/api/tasks", dry_run=True, resources=[{"id": str(task.pk)}])
        [result] = answer["results"]
        assert (result["success"], result["preview"]["status"]) == (False, "Error")
        assert "by admin in task" in result["preview"]["message"] == result["message"]


class TestOfEdits:
    SSH: Any = {"direction": "inbound", "host_protocol": "tcp", "port": 22, "end_port": 22}

    def edit(self, cast: Cast, user: User, edit: Edit | Refused) -> Task:
        request_edits([edit], user=user)
        [task] = edited(cast.acme)
        assert task.status == "Ok", task.message
        return task

    def revert(self, client: Client, cast: Cast, task: Task) -> tuple[Any, Any]:
        """The preview of a revert, and what becomes of it."""
        preview = post(client, url_of(task), dry_run=True)
        answer = post(client, url_of(task))
        assert preview["message"] == answer["message"]
        [reverting] = edited(cast.acme)
        assert (preview["preview"]["status"], preview["preview"]["message"]) == (
            reverting.status,
            reverting.message,
        )
        return preview["preview"], reverting

    def test_a_rule(self, admin_client: Client, admin_user: User, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        web = cast.production.web
        task = self.edit(cast, admin_user, rule_creation(web, **self.SSH, source_ip_range="0.0.0.0/0"))
        preview, back = self.revert(admin_client, cast, task)
        assert services(preview["effective_rules"]["disappear"]) == [("inbound", 22, "0.0.0.0/0")]
        preview, _ = self.revert(admin_client, cast, back)
        assert services(preview["effective_rules"]["appear"]) == [("inbound", 22, "0.0.0.0/0")]
        assert "open_to_world" in {warning["kind"] for warning in preview["warnings"]}

    def test_a_group(self, admin_client: Client, admin_user: User, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        web, db = cast.production.web, cast.production.db
        for source in (
            {"source_ip_range": "0.0.0.0/0"},
            {"source_security_group": db},
            {"source_security_group": web},
        ):
            self.edit(cast, admin_user, rule_creation(web, **self.SSH, **source))
        task = self.edit(cast, admin_user, group_deletion(web))
        preview, back = self.revert(admin_client, cast, task)
        lines = preview["effective_rules"]["appear"]
        assert services(lines) == [("inbound", 22, "0.0.0.0/0")]  # which contains what others let through
        assert all(line["because_of"] == [] for line in lines)
        assert {warning["kind"] for warning in preview["warnings"]} == {"open_to_world"}
        preview, _ = self.revert(admin_client, cast, back)
        assert preview["effective_rules"]["appear"] == []

    def test_what_names_a_group_is_shown_by_its_name(
        self, admin_client: Client, admin_user: User, cast: Cast, cloud: MemoryCloud, vm: Vm
    ) -> None:
        web, db = cast.production.web, cast.production.db
        self.edit(cast, admin_user, rule_creation(web, **self.SSH, source_security_group=db))
        task = self.edit(cast, admin_user, group_deletion(web))
        preview, _ = self.revert(admin_client, cast, task)
        [line] = preview["effective_rules"]["appear"]
        assert line["source_security_group"]["name"] == "db"

    def test_what_the_cloud_has_is_asked_if_it_is_to_be(
        self, admin_client: Client, admin_user: User, cast: Cast, cloud: MemoryCloud, vm: Vm
    ) -> None:
        web = cast.production.web
        task = self.edit(cast, admin_user, rule_creation(web, **self.SSH, source_ip_range="0.0.0.0/0"))
        cloud.rule_list.pop()
        preview = post(admin_client, url_of(task), dry_run="cloud")["preview"]
        assert preview["status"] == "Error"
        assert "no longer exists, found at the cloud at" in preview["message"]

    def test_all_kinds_in_one_request(
        self, admin_client: Client, admin_user: User, cast: Cast, cloud: MemoryCloud, vm: Vm
    ) -> None:
        before = memberships(vm)
        tasks = [
            self.edit(cast, admin_user, rule_creation(cast.production.web, **self.SSH, source_ip_range="::/0")),
            done(vm, "add", "web", admin_user),
            self.edit(cast, admin_user, group_edit(cast.production.db, description="x")),
        ]
        resources = [{"id": str(task.pk)} for task in tasks]
        assert len(post(admin_client, "/api/tasks", dry_run=True, resources=resources)["results"]) == len(tasks)
        answer = post(admin_client, "/api/tasks", resources=resources)
        assert [result["success"] for result in answer["results"]] == [True] * len(tasks)
        made = [Task.objects.get(pk=result["task_id"]) for result in answer["results"]]
        assert [task.context_data["reverts"] for task in made] == [str(task.pk) for task in tasks]
        carried_out(vm)
        assert {task.status for task in edited(cast.acme)} == {"Ok"}
        assert memberships(vm) == before
