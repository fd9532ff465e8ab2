"""What finished tasks say of the effective rules, over HTTP."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory import querysets
from inventory.models import Provider, Task, Vm
from inventory.refresh import refresh
from inventory.restrictions import Restriction
from inventory.runner import run_queue
from secgroups import task_effects
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.task_effects import Written, effects_of_changes
from tests.cast import Cast
from tests.cloud_groups import rule_of
from tests.clouds import Grip, MemoryCloud, forget, go
from tests.contracts import grant
from tests.secgroups.api.test_previews import open_to
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.test_changes_resumed import Killed, killed
from tests.secgroups.truth import World, compare

pytestmark = pytest.mark.usefixtures("cloud")

Answer = dict[str, Any]


def done(client: Client, path: str, queue: str, body: Answer) -> list[Answer]:
    """The finished tasks of a request."""
    answer = client.post(f"/api/{path}", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    run_queue(queue)
    return [read(client, result["task_id"]) for result in answer.json()["results"]]


def read(client: Client, task: object) -> Answer:
    found: Answer = client.get(f"/api/tasks/{task}").json()
    return found


def changed(client: Client, vm: Vm, action: str, *names: str) -> list[Answer]:
    body = {"action": action, "resources": [{"name": name} for name in names]}
    return done(client, f"instances/{vm.pk}/security_groups", f"vms/{vm.pk}", body)


def edited(client: Client, provider: Provider, path: str, **body: Any) -> Answer:
    [task] = done(client, path, f"security_groups/{provider.pk}", body)
    return task


def lines(task: Answer) -> tuple[list[Any], list[Any]]:
    """The ports (of services) that appear and those that disappear."""
    told = task["context_data"]["effective_rules"]
    assert told.keys() == {"appear", "disappear"}
    return [line["port"] for line in told["appear"]], [line["port"] for line in told["disappear"]]


@pytest.fixture
def vm(cast: Cast, cloud: MemoryCloud) -> Vm:
    """An instance that can get groups with rules."""
    open_to(cast.production.web, 443, "0.0.0.0/0")
    open_to(cast.production.db, 5432, "10.0.0.0/8")
    cloud.rule_list = list(map(rule_of, FirewallRule.objects.all()))
    return cast.production.single


class TestOfMemberships:
    def test_a_group_that_is_added_says_what_it_opens_and_one_that_is_removed_what_it_closes(
        self, admin_client: Client, vm: Vm, cast: Cast
    ) -> None:
        [added] = changed(admin_client, vm, "add", "web")
        assert lines(added) == ([443], [])
        [line] = added["context_data"]["effective_rules"]["appear"]
        web, [port] = cast.production.web, vm.network_ports.all()
        href = f"http://testserver/api/security_groups/{web.pk}"
        rule = web.firewall_rules.get()
        assert line["network_ports"] == [str(port.pk)]
        assert line["because_of"] == [
            {
                "security_group": {"href": href, "id": str(web.pk), "name": "web"},
                "firewall_rule": {"href": f"http://testserver/api/firewall_rules/{rule.pk}", "id": str(rule.pk)},
            }
        ]
        [removed] = changed(admin_client, vm, "remove", "web")
        assert lines(removed) == ([], [443])

    def test_each_of_those_that_run_together_is_on_top_of_those_before(self, admin_client: Client, vm: Vm) -> None:
        url = f"/api/instances/{vm.pk}/security_groups"
        ids = []
        for action, names in (("add", ["web", "db"]), ("remove", ["web", "default"]), ("add", ["web", "web"])):
            body = {"action": action, "resources": [{"name": name} for name in names]}
            answer = admin_client.post(url, body, content_type="application/json").json()
            ids += [result["task_id"] for result in answer["results"]]
        run_queue(f"vms/{vm.pk}")
        tasks = [read(admin_client, pk) for pk in ids]
        assert list(map(lines, tasks)) == [
            ([443], []),
            ([5432], []),
            ([], [443]),
            ([], []),
            ([443], []),
            ([], []),
        ]

    def test_one_that_failed_says_nothing(self, admin_client: Client, vm: Vm, cloud: MemoryCloud) -> None:
        cloud.script("change_groups", *[forget("sg-production-web")] * 2)
        [task] = changed(admin_client, vm, "add", "web")
        assert (task["status"], "effective_rules" in task["context_data"]) == ("Error", False)

    def test_what_an_attempt_wrote_whose_worker_died_counts(
        self, admin_client: Client, vm: Vm, cast: Cast, cloud: MemoryCloud
    ) -> None:
        double = cast.production.double
        body = {"action": "add", "resource": {"name": "web"}}
        admin_client.post(f"/api/instances/{double.pk}/security_groups", body, content_type="application/json")
        cloud.script("change_groups", go, killed)
        with pytest.raises(Killed):
            carried_out(double)
        assert "effective_rules" not in Task.objects.get().context_data
        [task] = carried_out(double)
        [line] = read(admin_client, task.pk)["context_data"]["effective_rules"]["appear"]
        assert line["network_ports"] == [str(port.pk) for port in double.network_ports.order_by("pk")]

    def test_what_others_did_meanwhile_is_not_told(self, admin_client: Client, vm: Vm, cloud: MemoryCloud) -> None:
        groups = [f"sg-production-{name}" for name in ("default", "db")]
        cloud.set_port("eni-production-single-1", group_refs=tuple(groups))
        [task] = changed(admin_client, vm, "add", "web")
        assert lines(task) == ([443], [])
        assert task["context_data"]["after"] == ["db", "default", "web"]


class TestOfEdits:
    def test_a_rule_that_is_created_and_deleted_again(
        self, admin_client: Client, vm: Vm, cast: Cast, cloud: MemoryCloud
    ) -> None:
        path = f"security_groups/{cast.production.db.pk}/firewall_rules"
        rule = {"direction": "inbound", "network_protocol": "IPV4", "host_protocol": "tcp", "port": 22}
        source = {"end_port": 22, "source_ip_range": "10.0.0.0/8"}
        created = edited(admin_client, cast.acme, path, action="create", resources=[rule | source])
        assert lines(created) == ([22], [])
        [line] = created["context_data"]["effective_rules"]["appear"]
        made = created["context_data"]["firewall_rule"]["id"]
        assert [reason["firewall_rule"]["id"] for reason in line["because_of"]] == [made]
        again = edited(admin_client, cast.acme, path, action="create", resources=[rule | source])
        assert lines(again) == ([], [])
        deleted = edited(admin_client, cast.acme, path, action="delete", resources=[{"id": made}])
        assert lines(deleted) == ([], [22])

    def test_a_group_that_is_created_edited_and_deleted(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        path = f"providers/{cast.acme.pk}/security_groups"
        network = {"id": str(cast.production.network.pk)}
        group = {"name": "ops", "description": "d", "cloud_network": network}
        created = edited(admin_client, cast.acme, path, action="create", resources=[group])
        pk = created["context_data"]["security_group"]["id"]
        made = SecurityGroup.objects.get(pk=pk)
        own = [rule.port for rule in cloud.rule_list if rule.group_ref == made.ems_ref]
        assert lines(created) == (own, [])
        open_to(made, 25, "10.0.0.0/8")
        deleted = edited(admin_client, cast.acme, path, action="delete", resources=[{"id": pk}])
        assert lines(deleted) == ([], [25, *own])


class TestWhoSeesIt:
    @pytest.fixture
    def task(self, admin_client: Client, vm: Vm) -> int:
        [task] = changed(admin_client, vm, "add", "web")
        return int(task["id"])

    @pytest.fixture
    def reader(self, client: Client) -> User:
        user = User.objects.create_user("reader", is_staff=True)
        grant(user, "inventory.view_task", "inventory.view_networkport", "secgroups.view_securitygroup")
        grant(user, "secgroups.view_firewallrule")
        client.force_login(user)
        return user

    def shows(self, client: Client, task: int) -> bool:
        """Whether any of the ways to it shows it."""
        answers = [
            client.get(f"/api/tasks/{task}"),
            client.get("/api/tasks?expand=resources"),
            client.get("/api/tasks?expand=resources&attributes=context_data"),
            client.post("/api/tasks", {"action": "query", "resource": {"id": task}}, "application/json"),
            client.get(f"/admin/inventory/task/{task}/change/"),
        ]
        found = {"disappear" in answer.content.decode() for answer in answers}
        assert all("web" in answer.content.decode() for answer in answers)
        assert len(found) == 1
        return found.pop()

    def test_who_sees_as_much_as_the_owner_sees_it(self, client: Client, reader: User, task: int) -> None:
        assert not self.shows(client, task)
        grant(reader, "secgroups.view_addresslist")
        assert self.shows(client, task)

    def test_who_is_restricted_does_not(
        self, client: Client, reader: User, task: int, vm: Vm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grant(reader, "secgroups.view_addresslist")
        monkeypatch.setattr(querysets, "restriction_of", lambda *args: Restriction((vm.provider_id,)))
        assert not self.shows(client, task)

    def test_no_list_can_be_narrowed_by_it(self, client: Client, reader: User, task: int) -> None:
        assert client.get("/admin/inventory/task/?context_data__icontains=0.0.0.0").status_code == 400
        assert client.get("/api/tasks?filter[]=context_data='*0.0.0.0*'").status_code == 400

    def test_it_is_about_what_the_owner_may_see(self, client: Client, reader: User, vm: Vm) -> None:
        grant(reader, "inventory.view_vm", "inventory.change_vm_security_groups", "secgroups.view_addresslist")
        reader.user_permissions.remove(*reader.user_permissions.filter(codename="view_firewallrule"))
        [task] = changed(client, vm, "add", "web")
        told = task["context_data"]["effective_rules"]["appear"]
        assert {(line["addresses"], line["port"]) for line in told} == {(None, None)}


class TestWithoutIt:
    """The change counts, whatever becomes of what is said of it."""

    def check(self, client: Client, vm: Vm, cast: Cast) -> None:
        [task] = changed(client, vm, "add", "web")
        assert (task["status"], task["context_data"]["after"]) == ("Ok", ["default", "web"])
        assert "effective_rules" not in task["context_data"]
        path = f"security_groups/{cast.production.web.pk}/firewall_rules"
        [rule] = cast.production.web.firewall_rules.all()
        task = edited(client, cast.acme, path, action="delete", resources=[{"id": str(rule.pk)}])
        assert (task["status"], "effective_rules" in task["context_data"]) == ("Ok", False)
        assert not cast.production.web.firewall_rules.exists()

    def test_too_many_rules(
        self, admin_client: Client, vm: Vm, cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(task_effects, "RULES", 0)
        self.check(admin_client, vm, cast)

    @pytest.mark.django_db(transaction=True)
    def test_a_statement_that_fails(
        self,
        admin_client: Client,
        vm: Vm,
        cast: Cast,
        cloud: MemoryCloud,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            connection.cursor().execute("SELECT no_such_column FROM inventory_task")

        monkeypatch.setattr(task_effects, "Rulebook", fail)
        self.check(admin_client, vm, cast)
        assert caplog.text.count("it can't be told what became reachable") == 2

    def test_a_task_of_nobody(self, vm: Vm, cast: Cast) -> None:
        queue(vm, "add", "web")
        [task] = carried_out(vm)
        assert (task.status, "effective_rules" in task.context_data) == ("Ok", False)


class TestItsSize:
    def test_of_many_lines_the_first_are_told_and_how_many_more(
        self, admin_client: Client, vm: Vm, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_to(cast.production.web, 80, *(f"10.{number}.0.0/16" for number in range(4)))
        monkeypatch.setattr(task_effects, "LINES", 2)
        [task] = changed(admin_client, vm, "add", "web")
        told = task["context_data"]["effective_rules"]
        assert (len(told["appear"]), told["more"]) == (2, {"appear": 3})
        monkeypatch.setattr(task_effects, "SIZE", 600)
        [task] = changed(admin_client, vm, "remove", "web")
        told = task["context_data"]["effective_rules"]
        assert (len(told["disappear"]), told["more"]) == (1, {"disappear": 4})


def test_many_changes_take_no_more_queries_than_one(admin_user: User, vm: Vm, cloud: MemoryCloud) -> None:
    tasks = [Task(pk=number, owner=admin_user) for number in range(20)]
    [port] = cloud.groups_of(vm.ems_ref)

    def queries(number: int) -> int:
        written = [Written(task, "add", f"sg-production-{task.pk % 3}", [port]) for task in tasks[:number]]
        with CaptureQueriesContext(connection) as captured:
            assert len(effects_of_changes(vm, (cloud.port(port),), written)) == number
        return len(captured)

    assert queries(1) == queries(20)


@pytest.mark.parametrize("seed", range(4))
def test_it_says_what_the_preview_said(
    admin_client: Client, cast: Cast, vm: Vm, cloud: MemoryCloud, seed: int
) -> None:
    """And both are what is read back; see `tests.secgroups.truth`."""
    refresh(cast.acme, Grip())

    def writes() -> int:
        return sum(name.startswith(("change", "create", "delete")) for name, _ in cloud.calls)

    statuses = compare(World(admin_client, cast.acme, writes), Random(seed), 40)  # noqa: S311
    assert statuses["Ok"] > 10
