"""Previews of adding security groups to instances and removing them, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.drivers.exceptions import CloudUnavailable
from inventory.models import NetworkPort, Provider, Task, Vm
from inventory.runner import run_queue
from secgroups.models import FirewallRule, Membership, SecurityGroup
from tests.cast import Cast, group, memberships, rule
from tests.clouds import MemoryCloud, fail
from tests.contracts import grant

Preview = dict[str, Any]


def post(client: Client, url: str, body: Any, status: int = HTTPStatus.OK) -> Any:
    answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def url_of(vm: Vm) -> str:
    return f"/api/instances/{vm.pk}/security_groups"


def previews(client: Client, vm: Vm, action: str, *names: str, dry_run: Any = True) -> list[Preview]:
    """The previews of adding these groups, in one request."""
    body = {"action": action, "dry_run": dry_run, "resources": [{"name": name} for name in names]}
    return [result["preview"] for result in post(client, url_of(vm), body)["results"]]


def preview(client: Client, vm: Vm, action: str, name: str, dry_run: Any = True) -> Preview:
    [found] = previews(client, vm, action, name, dry_run=dry_run)
    return found


def kinds(preview: Preview) -> list[str]:
    return [warning["kind"] for warning in preview["warnings"]]


def names_after(preview: Preview) -> list[list[str]]:
    return [[group["name"] for group in port["after"]] for port in preview["network_ports"]]


def services(lines: list[dict[str, Any]]) -> list[tuple[str, int | None, Any]]:
    return [(line["direction"], line["port"], line["source_ip_range"]) for line in lines]


def open_to(group: SecurityGroup, port: int, *ranges: str, direction: str = "inbound") -> None:
    for number, source in enumerate(ranges):
        FirewallRule.objects.create(
            provider=group.provider,
            ems_ref=f"sgr-{group.ems_ref}-{port}-{number}-{direction}",
            security_group=group,
            direction=direction,
            network_protocol="IPV4",
            host_protocol="tcp",
            port=port,
            end_port=port,
            source_ip_range=source,
        )


class TestOfOneChange:
    def test_it_is_answered_as_the_change_but_for_the_task(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        vm = cast.production.double
        real = post(admin_client, url_of(vm), {"action": "add", "name": "web"})["results"][0]
        Task.objects.all().delete()
        [result] = post(admin_client, url_of(vm), {"action": "add", "name": "web", "dry_run": True})["results"]
        assert {key: result[key] for key in ("success", "message", "href")} == {
            key: real[key] for key in ("success", "message", "href")
        }
        assert set(result) == {"success", "message", "href", "preview"}
        assert not Task.objects.exists()
        assert cloud.calls == []

    def test_it_says_what_the_task_would_say(self, admin_client: Client, cast: Cast) -> None:
        found = preview(admin_client, cast.production.double, "add", "web")
        assert (found["status"], found["message"]) == (
            "Ok",
            "Added security group web to production-double on 2 ports.",
        )

    def test_it_shows_every_port_before_and_after(self, admin_client: Client, cast: Cast) -> None:
        vm, default, web = cast.production.single, cast.production.default, cast.production.web
        port = vm.network_ports.get()
        links = [
            {"href": f"http://testserver/api/security_groups/{one.pk}", "id": str(one.pk), "name": one.name}
            for one in (default, web)
        ]
        assert preview(admin_client, vm, "add", "web")["network_ports"] == [
            {
                "href": f"http://testserver/api/network_ports/{port.pk}",
                "id": str(port.pk),
                "ems_ref": port.ems_ref,
                "before": links[:1],
                "after": links,
            }
        ]

    def test_it_shows_the_lines_that_appear_as_the_effective_rules_will(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        vm = cast.production.double
        rule(cast.production.web, 443)
        appear = preview(admin_client, vm, "add", "web")["effective_rules"]["appear"]
        post(admin_client, url_of(vm), {"action": "add", "name": "web"})
        run_queue(f"vms/{vm.pk}")
        shown = admin_client.get(f"/api/instances/{vm.pk}?attributes=effective_rules").json()
        assert appear == shown["effective_rules"]
        assert len(appear) == 1

    def test_it_shows_the_lines_that_disappear(self, admin_client: Client, cast: Cast) -> None:
        vm = cast.production.single
        rule(cast.production.default, 22)
        Membership.objects.create(security_group=cast.production.web, network_port=vm.network_ports.get(), vm=vm)
        found = preview(admin_client, vm, "remove", "default")
        assert services(found["effective_rules"]["disappear"]) == [("inbound", 22, "10.0.0.0/8")]
        assert found["effective_rules"]["appear"] == []
        assert kinds(found) == ["connections_stay", "locked_out"]

    def test_it_narrows_to_the_ports_of_the_change(self, admin_client: Client, cast: Cast) -> None:
        vm = cast.production.double
        ref = vm.network_ports.first().ems_ref
        body = {"action": "add", "dry_run": True, "name": "web", "ports": [ref]}
        [result] = post(admin_client, url_of(vm), body)["results"]
        assert names_after(result["preview"]) == [["default", "web"], ["default"]]

    def test_a_new_member_is_in_the_rules_that_name_its_group(self, admin_client: Client, cast: Cast) -> None:
        vm, web = cast.production.single, cast.production.web
        NetworkPort.objects.filter(vm=vm).update(ipaddresses=["10.0.0.1"])
        FirewallRule.objects.create(
            provider=web.provider,
            ems_ref="sgr-self",
            security_group=web,
            direction="inbound",
            source_security_group=web,
        )
        [line] = preview(admin_client, vm, "add", "web")["effective_rules"]["appear"]
        assert line["addresses"] == ["10.0.0.1/32"]

    @pytest.mark.parametrize("dry_run", [True, "cloud"])
    def test_what_is_refused_is_refused_in_the_same_words(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, dry_run: Any
    ) -> None:
        vm, resource = cast.production.single, {"ems_ref": "sg-staging-web"}
        body = {"action": "add", "resource": resource}
        [real] = post(admin_client, url_of(vm), body, HTTPStatus.BAD_REQUEST)["results"]
        body["dry_run"] = dry_run
        [result] = post(admin_client, url_of(vm), body, HTTPStatus.BAD_REQUEST)["results"]
        assert (result["success"], result["message"]) == (False, real["message"])
        assert (result["preview"]["status"], result["preview"]["message"]) == ("Error", real["message"])
        assert kinds(result["preview"]) == ["no_effect"]

    def test_it_asks_the_right_of_the_change(self, client: Client, cast: Cast) -> None:
        user = User.objects.create_user("reader")
        client.force_login(user)
        grant(user, "inventory.view_vm")
        body = {"action": "add", "dry_run": True, "name": "web"}
        post(client, url_of(cast.production.single), body, HTTPStatus.FORBIDDEN)

    def test_a_disabled_provider_is_said(self, admin_client: Client, cast: Cast) -> None:
        Provider.objects.update(enabled=False)
        found = preview(admin_client, cast.production.single, "add", "web")
        assert (found["status"], "disabled" in found["message"]) == ("Error", True)
        assert names_after(found) == [["default"]]

    def test_a_value_of_false_is_no_preview(self, admin_client: Client, cast: Cast) -> None:
        post(admin_client, url_of(cast.production.single), {"action": "add", "dry_run": False, "name": "web"})
        assert Task.objects.count() == 1

    def test_a_form_previews_as_well(self, admin_client: Client, cast: Cast) -> None:
        url = url_of(cast.production.single)
        assert b'name="dry_run"' in admin_client.get(url, HTTP_ACCEPT="text/html").content
        answer = admin_client.post(url, {"action": "add", "dry_run": "true", "name": "web"})
        assert answer.json()["results"][0]["preview"]["status"] == "Ok"
        assert not Task.objects.exists()
        admin_client.post(url, {"action": "add", "dry_run": "", "name": "web"})
        assert Task.objects.count() == 1

    def test_it_can_be_repeated_with_a_key(self, admin_client: Client, cast: Cast) -> None:
        body = {"action": "add", "dry_run": True, "name": "web"}
        answers = [
            admin_client.post(
                url_of(cast.production.single),
                body,
                content_type="application/json",
                headers={"Idempotency-Key": "once"},
            ).json()
            for _ in range(2)
        ]
        assert answers[0] == answers[1]
        assert not Task.objects.exists()


class TestOfSeveralChanges:
    def test_each_is_on_top_of_those_before_it(self, admin_client: Client, cast: Cast) -> None:
        for one in (cast.production.web, cast.production.db):
            rule(one, 443)
        first, second, third = previews(admin_client, cast.production.single, "add", "web", "db", "web")
        assert names_after(second) == [["default", "web", "db"]]
        assert (kinds(first), kinds(second), kinds(third)) == ([], ["no_effect"], ["no_effect"])
        assert third["message"].startswith("Nothing to do: ")

    def test_removals_are_undone_one_by_one(self, admin_client: Client, cast: Cast) -> None:
        vm = cast.production.single
        for number, one in enumerate((cast.production.web, cast.production.db, cast.production.default)):
            rule(one, 443)
            rule(one, 1000 + number)
            Membership.objects.get_or_create(security_group=one, network_port=vm.network_ports.get(), vm=vm)
        found = previews(admin_client, vm, "remove", "web", "db", "default")
        assert [services(one["effective_rules"]["disappear"]) for one in found] == [
            [("inbound", 1000, "10.0.0.0/8")],
            [("inbound", 1001, "10.0.0.0/8")],
            [],
        ]
        assert found[2]["status"] == "Error"

    def test_more_of_them_need_no_more_queries(self, admin_client: Client, cast: Cast) -> None:
        vm, network = cast.production.single, cast.production.network
        for number in range(40):
            rule(group(network, f"more-{number}"), number)

        def queries(number: int) -> int:
            with CaptureQueriesContext(
                connection,
            ) as captured:
                previews(admin_client, vm, "add", *(f"more-{one}" for one in range(number)))
            return len(captured)

        assert queries(40) == queries(2)

    @pytest.mark.parametrize("dry_run", [True, "cloud"])
    def test_ports_are_read_once_and_groups_with_their_ids(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, dry_run: Any
    ) -> None:
        vm = cast.production.single
        with CaptureQueriesContext(connection) as captured:
            body = {"action": "add", "dry_run": dry_run, "resources": [{"ems_ref": "sg-production-web"}]}
            post(admin_client, url_of(vm), body)
        reads = [query["sql"].partition(" FROM ")[2] for query in captured]
        assert sum(read.startswith('"inventory_networkport"') for read in reads) == 1
        groups = [read for read in reads if read.startswith('"secgroups_securitygroup"')]
        by_ref = [read for read in groups if re.search(r'"ems_ref" (IN|= ANY)', read)]
        assert len(by_ref) == 2  # to decide about the change, and to foresee it


class TestWarnings:
    def test_a_rule_for_everybody(self, admin_client: Client, cast: Cast) -> None:
        open_to(cast.production.web, 22, "0.0.0.0/0")
        found = preview(admin_client, cast.production.single, "add", "web")
        assert [warning for warning in found["warnings"] if warning["kind"] == "open_to_world"] == [
            {"kind": "open_to_world", "message": "Every public address can connect: tcp 22."}
        ]

    def test_two_halves_of_the_world(self, admin_client: Client, cast: Cast) -> None:
        open_to(cast.production.default, 22, "0.0.0.0/1")
        open_to(cast.production.web, 22, "128.0.0.0/1")
        assert "open_to_world" in kinds(preview(admin_client, cast.production.single, "add", "web"))

    def test_not_for_what_goes_out(self, admin_client: Client, cast: Cast) -> None:
        open_to(cast.production.web, 22, "0.0.0.0/0", direction="outbound")
        open_to(cast.production.web, 22, "10.0.0.0/8")
        assert kinds(preview(admin_client, cast.production.single, "add", "web")) == []

    def test_no_group_left(
        self, admin_client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch, cloud: MemoryCloud
    ) -> None:
        monkeypatch.setattr(MemoryCloud, "minimum_groups_per_port", 0)
        rule(cast.production.default, 22)
        found = preview(admin_client, cast.production.single, "remove", "default")
        assert found["status"] == "Warn"
        assert kinds(found) == ["connections_stay", "no_group_left", "locked_out"]

    def test_the_limit_of_groups_on_an_interface(self, admin_client: Client, cast: Cast) -> None:
        names = [f"more-{number}" for number in range(5)]
        for name in names:
            group(cast.production.network, name)
        found = previews(admin_client, cast.production.single, "add", *names)
        assert [kinds(one) for one in found] == [["no_effect"]] * 4 + [["no_effect", "limit"]]
        assert {one["status"] for one in found} == {"Ok"}

    def test_a_list_that_is_not_known(self, admin_client: Client, cast: Cast) -> None:
        open_to(cast.production.web, 22, "pl-1")
        found = preview(admin_client, cast.production.single, "add", "web")
        assert kinds(found) == ["unknown"]

    def test_a_group_that_the_inventory_does_not_have(self, admin_client: Client, cast: Cast) -> None:
        found = preview(admin_client, cast.production.single, "add", "nowhere")
        assert found["status"] == "Error"
        assert kinds(found) == ["no_effect", "unknown"]


class TestAtTheCloud:
    def test_it_is_from_what_the_ports_have_now(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        rule(cast.production.db, 443)
        rule(cast.production.web, 443)
        cloud.set_port("eni-production-single-1", group_refs=("sg-production-default", "sg-production-db"))
        before = timezone.now()
        found = preview(admin_client, cast.production.single, "add", "web", "cloud")
        assert names_after(found) == [["default", "db", "web"]]
        assert kinds(found) == ["no_effect"]
        assert found["as_of"] >= before.isoformat()[:19]
        assert [name for name, _ in cloud.calls] == ["ports"]
        assert memberships(cast.production.single) == {"eni-production-single-1": {"sg-production-default"}}

    def test_a_group_that_only_the_cloud_has_is_found(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        cast.production.db.delete()
        found = preview(admin_client, cast.production.single, "add", "db", "cloud")
        assert (found["status"], names_after(found)) == ("Ok", [["default", "sg-production-db"]])
        assert found["network_ports"][0]["after"][1]["id"] is None
        assert "unknown" in kinds(found)

    def test_a_port_that_only_the_cloud_has_is_shown(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        NetworkPort.objects.filter(ems_ref="eni-production-double-2").delete()
        found = preview(admin_client, cast.production.double, "add", "web", "cloud")
        assert found["message"] == "Added security group web to production-double on 2 ports."
        assert [port["id"] is None for port in found["network_ports"]] == [False, True]
        assert "unknown" in kinds(found)

    def test_an_instance_that_is_gone(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.terminate("i-production-single")
        found = preview(admin_client, cast.production.single, "add", "web", "cloud")
        assert (found["status"], found["message"]) == ("Error", "The instance i-production-single does not exist.")

    def test_a_cloud_that_does_not_answer(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.script("ports", fail(CloudUnavailable("No answer.")))
        found = preview(admin_client, cast.production.single, "add", "web", "cloud")
        assert (found["status"], found["message"]) == ("Error", "No answer.")
        assert kinds(found) == ["no_effect", "unknown"]

    def test_an_unforeseen_error_is_said_as_by_the_task(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        cloud.script("ports", fail(KeyError("secret")))
        found = preview(admin_client, cast.production.single, "add", "web", "cloud")
        said = "Internal error (KeyError). See the Portcullis log for details."
        assert (found["status"], found["message"]) == ("Error", said)
        assert names_after(found) == [["default"]]

    def test_who_may_not_see_the_provider_is_not_told_what_it_said(
        self, client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        user = User.objects.create_user("operator")
        client.force_login(user)
        grant(user, "inventory.view_vm", "inventory.change_vm_security_groups", "secgroups.view_securitygroup")
        cloud.script("ports", fail(CloudUnavailable("Connection refused by 10.0.0.1.")))
        found = preview(client, cast.production.single, "add", "web", "cloud")
        assert "10.0.0.1" not in found["message"]


class TestAsOf:
    def test_it_is_the_last_refresh_or_what_was_read_of_the_port_since(
        self, admin_client: Client, cast: Cast
    ) -> None:
        vm = cast.production.single

        def as_of() -> Any:
            return preview(admin_client, vm, "add", "web")["as_of"]

        assert as_of() is None
        Provider.objects.update(last_refresh_date="2026-01-01T00:00:00Z")
        assert as_of() == "2026-01-01T00:00:00Z"
        NetworkPort.objects.filter(vm=vm).update(groups_read_on="2026-02-01T00:00:00Z")
        assert as_of() == "2026-02-01T00:00:00Z"
        Provider.objects.update(last_refresh_date="2026-03-01T00:00:00Z")
        assert as_of() == "2026-03-01T00:00:00Z"


class TestWhatIsHidden:
    @pytest.fixture
    def see(self, client: Client, cast: Cast) -> Callable[..., None]:
        user = User.objects.create_user("operator")
        client.force_login(user)
        grant(user, "inventory.view_vm", "inventory.change_vm_security_groups")
        return lambda *permissions: grant(user, *permissions)

    def test_rules_are_unknown_to_who_may_not_see_them(
        self, client: Client, cast: Cast, see: Callable[..., None]
    ) -> None:
        see("secgroups.view_securitygroup", "inventory.view_networkport")
        open_to(cast.production.web, 22, "0.0.0.0/0")
        found = preview(client, cast.production.single, "add", "web")
        appear = found["effective_rules"]["appear"]
        assert [(line["source_name"], line["addresses"]) for line in appear] == [("outside your grants", None)] * 2
        assert "unknown" in kinds(found)
        assert "open_to_world" not in kinds(found)

    def test_ports_are_left_out_and_unknown(self, client: Client, cast: Cast, see: Callable[..., None]) -> None:
        see("secgroups.view_securitygroup", "secgroups.view_firewallrule")
        found = preview(client, cast.production.single, "add", "web")
        assert found["network_ports"] == []
        assert "unknown" in kinds(found)
