"""Previews of edits of groups and rules, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.capacity import Share
from inventory.drivers.boundary import Checked
from inventory.drivers.deadline import seconds_left
from inventory.drivers.ec2 import errors as ec2_errors
from inventory.drivers.exceptions import CloudError, GroupNotFound
from inventory.drivers.openstack import errors as openstack_errors
from inventory.drivers.rate_limit import RateLimiter
from inventory.models import Provider, Task
from inventory.rate_limit import PreviewRateLimiter
from inventory.runner import run_queue
from inventory.services import waiting
from inventory.services.waiting import SECONDS
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.previews import sites
from tests import cast as actors
from tests.cast import Cast, address_list, port, rule
from tests.clouds import MemoryCloud, fail, meanwhile, unavailable
from tests.contracts import grant

Answer = dict[str, Any]
SSH = {
    "direction": "inbound",
    "network_protocol": "IPV4",
    "host_protocol": "tcp",
    "port": 22,
    "end_port": 22,
    "source_ip_range": "0.0.0.0/0",
}
SSH_CALLED = "inbound tcp 22 from 0.0.0.0/0"
WRITES = {"change_groups", "create_group", "edit_group", "delete_group", "create_rule", "delete_rule"}


def send(client: Client, url: str, body: Any, status: int = HTTPStatus.OK, method: str = "post") -> Any:
    answer = getattr(client, method)(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def results(client: Client, url: str, action: str, *resources: Any, dry_run: Any = True) -> list[Answer]:
    body = {"action": action, "dry_run": dry_run, "resources": resources}
    found: list[Answer] = send(client, url, body)["results"]
    return found


def previews(client: Client, url: str, action: str, *resources: Any, dry_run: Any = True) -> list[Answer]:
    return [result["preview"] for result in results(client, url, action, *resources, dry_run=dry_run)]


def kinds(preview: Answer) -> list[str]:
    return [warning["kind"] for warning in preview["warnings"]]


def said(preview: Answer) -> tuple[str, str]:
    return preview["status"], preview["message"]


def ports(lines: list[Answer]) -> list[int | None]:
    return [line["port"] for line in lines]


def rules_of(group: SecurityGroup) -> str:
    return f"/api/security_groups/{group.pk}/firewall_rules"


def effective(client: Client, group: SecurityGroup) -> list[Answer]:
    shown = client.get(f"/api/security_groups/{group.pk}?attributes=effective_rules").json()
    lines: list[Answer] = shown["effective_rules"]
    return lines


class TestNewRules:
    def test_a_line_appears_as_it_will_be(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        web = cast.production.web
        [result] = results(admin_client, rules_of(web), "create", SSH)
        assert result["success"]
        assert result["message"] == "Creating rule inbound tcp 22 from 0.0.0.0/0 of security group web"
        assert "task_id" not in result
        preview = result["preview"]
        assert not Task.objects.exists()
        assert cloud.calls == []

        [task] = send(admin_client, rules_of(web), {"action": "create", **SSH})["results"]
        run_queue(f"security_groups/{cast.acme.pk}")
        done = Task.objects.get(pk=task["task_id"])
        assert said(preview) == (done.status, done.message)
        [line] = effective(admin_client, web)
        [appears] = preview["effective_rules"]["appear"]
        [reason] = appears.pop("because_of")
        assert (reason["security_group"]["id"], reason["firewall_rule"]) == (str(web.pk), None)
        line.pop("because_of")
        assert appears == line
        assert kinds(preview) == ["open_to_world"]

    def test_each_is_on_top_of_those_before_it(self, admin_client: Client, cast: Cast) -> None:
        wide = SSH | {"port": 20, "end_port": 30}
        first, second, third = previews(admin_client, rules_of(cast.production.web), "create", wide, SSH, SSH)
        assert (kinds(first), kinds(second)) == (["open_to_world"], ["no_effect"])
        assert said(third) == (
            "Ok",
            "There was nothing to do: rule inbound tcp 22 from 0.0.0.0/0 of security group web already exists.",
        )

    def test_what_is_refused_is_refused_in_the_same_words(self, admin_client: Client, cast: Cast) -> None:
        body = {"action": "create", "resource": SSH | {"source_ip_range": "nowhere"}}
        [real] = send(admin_client, rules_of(cast.production.web), body, HTTPStatus.BAD_REQUEST)["results"]
        body["dry_run"] = True
        [result] = send(admin_client, rules_of(cast.production.web), body, HTTPStatus.BAD_REQUEST)["results"]
        assert (result["success"], result["message"]) == (False, real["message"])
        assert said(result["preview"]) == ("Error", real["message"])

    def test_the_limit_of_rules(self, admin_client: Client, cast: Cast) -> None:
        many = [SSH | {"port": number, "end_port": number} for number in range(1, 62)]
        found = previews(admin_client, rules_of(cast.production.web), "create", *many)
        assert ["limit" in kinds(one) for one in found] == [False] * 60 + [True]

    def test_a_rule_without_a_family_counts_for_both(self, admin_client: Client, cast: Cast) -> None:
        web = cast.production.web
        for number in range(1, 32):
            rule(web, number)
            FirewallRule.objects.filter(pk=rule(web, 100 + number).pk).update(
                network_protocol="IPV6", source_ip_range="::/0"
            )
        resource = {"direction": "inbound", "source_security_group_id": cast.production.db.pk}
        [preview] = previews(admin_client, rules_of(web), "create", resource)
        assert "limit" not in kinds(preview)

    @pytest.mark.parametrize("max_entries", [59, 60])
    def test_a_list_counts_as_its_largest_size(self, admin_client: Client, cast: Cast, max_entries: int) -> None:
        rule(cast.production.web, 443)
        offices = address_list(cast.acme, "offices", ["192.0.2.0/28"], max_entries=max_entries)
        resource = {
            "direction": "inbound",
            "host_protocol": "tcp",
            "port": 22,
            "source_address_list_id": offices.pk,
        }
        [preview] = previews(admin_client, rules_of(cast.production.web), "create", resource)
        assert ("limit" in kinds(preview)) == (max_entries == 60)

    @pytest.mark.parametrize(
        ("entries", "expected"),
        [(["192.0.2.0/28"], []), (["0.0.0.0/0"], ["open_to_world"]), (None, ["unknown"])],
    )
    def test_a_list_at_the_other_side(
        self, admin_client: Client, cast: Cast, entries: list[str] | None, expected: list[str]
    ) -> None:
        offices = address_list(cast.acme, "offices", entries)
        resource = {
            "direction": "inbound",
            "host_protocol": "tcp",
            "port": 22,
            "source_address_list_id": offices.pk,
        }
        [preview] = previews(admin_client, rules_of(cast.production.web), "create", resource)
        [line] = preview["effective_rules"]["appear"]
        assert (line["source_name"], line["addresses"]) == ("pl-offices", entries)
        assert kinds(preview) == expected

    def test_a_group_at_the_other_side(self, admin_client: Client, cast: Cast) -> None:
        resource = {"direction": "inbound", "source_security_group_id": cast.production.db.pk}
        [preview] = previews(admin_client, rules_of(cast.production.web), "create", resource)
        # Nobody has it, so nothing is let in.
        assert kinds(preview) == ["no_effect"]

    def test_what_ec2_does_not_take(self, admin_client: Client, cast: Cast) -> None:
        resource = SSH | {"host_protocol": "sctp", "port": 22}
        [preview] = previews(admin_client, rules_of(cast.production.web), "create", resource)
        assert preview["status"] == "Error"
        assert preview["message"].endswith("web: EC2 does not support ports for the protocol sctp.")

    def test_of_icmp_it_names_the_type_and_the_code(self, admin_client: Client, cast: Cast) -> None:
        resource = SSH | {"host_protocol": "icmp", "port": 3, "end_port": 1}
        [result] = results(admin_client, rules_of(cast.production.web), "create", resource)
        subject = "rule inbound icmp type 3, code 1 from 0.0.0.0/0 of security group web"
        assert (result["message"], result["preview"]["message"]) == (f"Creating {subject}", f"Created {subject}.")
        [warning] = result["preview"]["warnings"]
        assert warning["message"] == "Every public address can connect: icmp type 3, code 1."

    def test_it_asks_the_right_of_the_change(self, client: Client, cast: Cast) -> None:
        user = User.objects.create_user("reader")
        client.force_login(user)
        grant(user, "secgroups.view_securitygroup", "secgroups.view_firewallrule")
        body = {"action": "create", "dry_run": True, **SSH}
        send(client, rules_of(cast.production.web), body, HTTPStatus.FORBIDDEN)


class TestLostRules:
    def test_lines_disappear(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        web = cast.production.web
        first, second = rule(web, 22), rule(web, 443)
        found = previews(admin_client, rules_of(web), "delete", {"id": first.pk}, {"id": second.pk})
        assert [ports(one["effective_rules"]["disappear"]) for one in found] == [[22], [443]]
        assert FirewallRule.objects.count() == 2
        assert cloud.calls == []

    def test_connections_stay_if_a_port_has_the_group(self, admin_client: Client, cast: Cast) -> None:
        for group, expected in ((cast.production.default, ["connections_stay"]), (cast.production.web, [])):
            rule(group, 443)
            first = rule(group, 22)
            [preview] = previews(admin_client, rules_of(group), "delete", {"id": first.pk})
            assert kinds(preview) == expected

    def test_the_last_rule_that_lets_something_in_locks_ports_out(self, admin_client: Client, cast: Cast) -> None:
        default, web, network = cast.production.default, cast.production.web, cast.production.network
        only = rule(default, 22)
        rule(web, 22)
        port(cast.production.single, network, "eni-with-others", [default, web])
        [preview] = previews(admin_client, rules_of(default), "delete", {"id": only.pk})
        assert kinds(preview) == ["connections_stay", "locked_out"]
        locked_out = preview["warnings"][1]["message"]
        assert "eni-production-single-1" in locked_out
        assert "eni-with-others" not in locked_out

    def test_a_rule_that_others_contain_has_no_effect(self, admin_client: Client, cast: Cast) -> None:
        web = cast.production.web
        narrow = rule(web, 22)
        FirewallRule.objects.create(
            provider=web.provider, ems_ref="sgr-all", security_group=web, direction="inbound"
        )
        [preview] = previews(admin_client, rules_of(web), "delete", {"id": narrow.pk})
        assert kinds(preview) == ["no_effect"]

    def test_the_second_time_there_is_nothing_to_do(self, admin_client: Client, cast: Cast) -> None:
        web = cast.production.web
        pk = rule(web, 22).pk
        _, again = previews(admin_client, rules_of(web), "delete", {"id": pk}, {"id": pk})
        assert again["message"].startswith("There was nothing to do: ")
        assert kinds(again) == ["no_effect"]

    @pytest.mark.parametrize("method", ["post", "delete"])
    def test_at_its_own_address(self, admin_client: Client, cast: Cast, method: str) -> None:
        pk = rule(cast.production.web, 22).pk
        body = {"action": "delete", "dry_run": True}
        result = send(admin_client, f"{rules_of(cast.production.web)}/{pk}", body, method=method)
        assert ports(result["preview"]["effective_rules"]["disappear"]) == [22]
        assert not Task.objects.exists()

    def test_more_of_them_need_no_more_queries(self, admin_client: Client, cast: Cast) -> None:
        web = cast.production.web
        rules = [{"id": rule(web, number).pk} for number in range(30)]

        def queries(number: int) -> int:
            with CaptureQueriesContext(connection) as captured:
                previews(admin_client, rules_of(web), "delete", *rules[:number])
            return len(captured)

        # Each rule is found by itself, as in the change.
        assert queries(30) - queries(20) == queries(20) - queries(10) == 10 * 2


class TestGroups:
    def test_a_new_one(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        url = f"/api/providers/{cast.acme.pk}/security_groups"
        resource = {"name": "new", "cloud_network": {"id": cast.production.network.pk}}
        [preview] = previews(admin_client, url, "create", resource)
        assert said(preview) == ("Ok", "Created security group new.")
        assert kinds(preview) == ["unknown"]
        assert cloud.calls == []
        assert not SecurityGroup.objects.filter(name="new").exists()

    @pytest.mark.parametrize("dry_run", [True, "cloud"])
    def test_a_name_that_is_taken(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, dry_run: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(MemoryCloud, "name_taken", "The VPC already has a security group with this name.")
        url = f"/api/providers/{cast.acme.pk}/security_groups"
        place = {"cloud_network": {"id": cast.production.network.pk}}
        known, new, again = previews(
            admin_client,
            url,
            "create",
            {"name": "web", **place},
            {"name": "new", **place},
            {"name": "new", **place},
            dry_run=dry_run,
        )
        taken = "The VPC already has a security group with this name."
        assert said(known) == ("Error", f"Cannot create security group web: {taken}")
        assert new["status"] == "Ok"
        assert said(again) == ("Error", f"Cannot create security group new: {taken}")
        assert not WRITES & {name for name, _ in cloud.calls}

    def test_rules_that_end_with_their_source_don_t_keep_it(
        self, admin_client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on OpenStack."""
        monkeypatch.setattr(cast.acme.driver_class, "rules_end_with_their_source", True)
        web, db = cast.production.web, cast.production.db
        rule(db, 22)
        db.firewall_rules.update(source_security_group=web, source_ip_range=None)
        [preview] = previews(admin_client, "/api/security_groups", "delete", {"id": web.pk})
        assert preview["status"] == "Ok"

    def test_one_in_use_stays(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        default, web = cast.production.default, cast.production.web
        used, free, gone = previews(
            admin_client, "/api/security_groups", "delete", {"id": default.pk}, {"id": web.pk}, {"id": web.pk}
        )
        assert used["status"] == "Error"
        assert used["message"].startswith("Cannot delete security group default: The security group is in use. ")
        assert "eni-production-single-1" in used["message"]
        assert said(free) == ("Ok", "Deleted security group web.")
        assert said(gone) == ("Ok", "There was nothing to do: security group web no longer exists.")
        assert cloud.calls == []
        assert not Task.objects.exists()

    @pytest.mark.parametrize("dry_run", [True, "cloud"])
    def test_what_you_may_not_see_of_its_users_is_not_named(
        self, client: Client, cast: Cast, cloud: MemoryCloud, dry_run: Any
    ) -> None:
        user = User.objects.create_user("manager")
        client.force_login(user)
        grant(user, "secgroups.view_securitygroup", "secgroups.delete_securitygroup")
        default, web = cast.production.default, cast.production.web
        FirewallRule.objects.create(
            provider=web.provider,
            ems_ref="sgr-1",
            security_group=web,
            direction="inbound",
            source_security_group=default,
        )

        def message() -> str:
            [preview] = previews(client, "/api/security_groups", "delete", {"id": default.pk}, dry_run=dry_run)
            assert preview["status"] == "Error"
            return preview["message"].partition("in use. ")[2]

        assert message() == "Ports or rules that you may not see use it."
        grant(user, "secgroups.view_firewallrule")
        assert message() == (
            "Rules of these groups refer to it: sg-production-web. Ports or rules that you may not see use it."
        )
        grant(user, "inventory.view_networkport")
        assert "eni-production-single-1" in message()
        assert "not see" not in message()

    def test_of_many_users_of_several_groups_none_is_forgotten(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sites, "PORTS", 1)
        port(cast.production.single, cast.production.network, "eni-2", [cast.production.web])
        ids = [{"id": row.pk} for row in (cast.production.default, cast.production.web)]
        found = previews(admin_client, "/api/security_groups", "delete", *ids)
        assert all("is in use." in one["message"] for one in found)

    def test_one_that_a_rule_names_stays_until_that_goes(self, admin_client: Client, cast: Cast) -> None:
        web, db = cast.production.web, cast.production.db
        FirewallRule.objects.create(
            provider=web.provider,
            ems_ref="sgr-1",
            security_group=web,
            direction="inbound",
            source_security_group=db,
        )
        named, web_, db_ = previews(
            admin_client, "/api/security_groups", "delete", {"id": db.pk}, {"id": web.pk}, {"id": db.pk}
        )
        assert "Rules of these groups refer to it: sg-production-web." in named["message"]
        assert [web_["status"], db_["status"]] == ["Ok", "Ok"]

    def test_an_edit(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        url = f"/api/providers/{cast.acme.pk}/security_groups"
        [preview] = previews(admin_client, url, "edit", {"id": cast.production.web.pk, "name": "new"})
        assert said(preview) == ("Ok", "Edited security group web.")
        assert kinds(preview) == ["no_effect"]
        assert cloud.calls == []

    def test_a_disabled_provider_is_said(self, admin_client: Client, cast: Cast) -> None:
        Provider.objects.update(enabled=False)
        [preview] = previews(admin_client, rules_of(cast.production.web), "create", SSH)
        assert preview["status"] == "Error"
        assert preview["message"].startswith(
            "Cannot create rule inbound tcp 22 from 0.0.0.0/0 of security group web"
        )


class TestAtTheCloud:
    def test_a_rule_that_only_the_cloud_has(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        web = cast.production.web
        rule(web, 443)
        send(admin_client, rules_of(web), {"action": "create", **SSH})
        run_queue(f"security_groups/{cast.acme.pk}")
        FirewallRule.objects.filter(port=22).delete()
        cloud.calls.clear()
        known, asked = (
            previews(admin_client, rules_of(web), "create", SSH, dry_run=dry_run)[0] for dry_run in (True, "cloud")
        )
        assert known["message"].startswith("Created ")
        assert asked["message"].startswith("There was nothing to do: ")
        assert not WRITES & {name for name, _ in cloud.calls}

    def test_one_that_does_not_answer_is_not_asked_again(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        Provider.objects.update(last_refresh_date="2026-01-01T00:00:00Z")
        cloud.script("rules_of", unavailable())
        ids = [{"id": row.pk} for row in (rule(cast.production.web, 22), rule(cast.production.web, 443))]
        found = previews(admin_client, rules_of(cast.production.web), "delete", *ids, dry_run="cloud")
        assert len(cloud.calls) == 1
        assert [one["message"].rpartition(": ")[2] for one in found] == ["No answer."] * 2
        assert [kinds(one) for one in found] == [["no_effect", "unknown"]] * 2
        assert {one["as_of"] for one in found} == {"2026-01-01T00:00:00Z"}

    def test_all_clouds_of_a_request_have_one_deadline(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        other = actors.provider("other")
        groups = [cast.production.web, SecurityGroup.objects.create(provider=other, ems_ref="sg-9", name="far")]
        left: list[float] = []
        cloud.script("groups_by_ref", *[meanwhile(lambda: left.append(seconds_left()))] * 2)
        previews(
            admin_client, "/api/security_groups", "delete", *({"id": row.pk} for row in groups), dry_run="cloud"
        )
        first, second = left
        assert second < first <= SECONDS

    def test_it_is_asked_once_of_all_groups_and_of_the_ports_of_each(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        groups = [cast.production.default, cast.production.web, cast.production.db]
        ids = [{"id": row.pk} for row in groups]
        found = previews(admin_client, "/api/security_groups", "delete", *ids, dry_run="cloud")
        assert [one["status"] for one in found] == ["Error", "Ok", "Ok"]
        assert [name for name, _ in cloud.calls] == ["groups_by_ref", *["inventory"] * 3]

    @pytest.mark.parametrize("name_taken", [None, "The name is taken."])
    def test_the_place_of_a_group_is_asked_where_its_name_may_be_taken(
        self,
        admin_client: Client,
        cast: Cast,
        cloud: MemoryCloud,
        name_taken: str | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(MemoryCloud, "name_taken", name_taken)
        url = f"/api/providers/{cast.acme.pk}/security_groups"
        [preview] = previews(admin_client, url, "create", {"name": "web"}, dry_run="cloud")
        assert preview["status"] == ("Error" if name_taken else "Ok")
        assert [name for name, _ in cloud.calls] == (["placed", "namesakes"] if name_taken else [])

    def test_while_others_wait_for_clouds_it_is_not_asked(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "_quarter", quarter := Share(4))
        memberships = f"/api/instances/{cast.production.single.pk}/security_groups"
        changes = {
            rules_of(cast.production.web): {"action": "create", **SSH},
            memberships: {"action": "add", "name": "web"},
        }
        with ExitStack() as stack:
            for _ in range(quarter.size):
                stack.enter_context(quarter.thread())
            for url, body in changes.items():
                answer = admin_client.post(url, body | {"dry_run": "cloud"}, content_type="application/json")
                assert (answer.status_code, answer.headers["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "15")
                assert "waiting for clouds" in answer.json()["error"]["message"]
                send(admin_client, url, body | {"dry_run": True})
            assert cloud.calls == []
        for url, body in changes.items():
            for _ in range(quarter.size + 1):
                send(admin_client, url, body | {"dry_run": "cloud"})

    def test_changes_go_first(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limiters: list[RateLimiter] = []
        monkeypatch.setattr(Provider, "driver", lambda _, limiter: limiters.append(limiter) or Checked(cloud))
        previews(admin_client, rules_of(cast.production.web), "create", SSH, dry_run="cloud")
        url = f"/api/instances/{cast.production.single.pk}/security_groups"
        previews(admin_client, url, "add", {"name": "web"}, dry_run="cloud")
        assert list(map(type, limiters)) == [PreviewRateLimiter] * 2

    @pytest.mark.parametrize("errors", [ec2_errors._BY_CODE, openstack_errors._BY_TYPE])
    def test_a_rule_of_a_group_that_is_gone_is_refused_as_by_every_cloud(
        self,
        admin_client: Client,
        cast: Cast,
        cloud: MemoryCloud,
        errors: Mapping[str, tuple[type[CloudError], str]],
    ) -> None:
        cloud.drop_group("sg-production-web")
        [preview] = previews(admin_client, rules_of(cast.production.web), "create", SSH, dry_run="cloud")
        reason = preview["message"].removeprefix(f"Cannot create rule {SSH_CALLED} of security group web: ")
        assert {text for kind, text in errors.values() if kind is GroupNotFound} == {reason}

    def test_an_unforeseen_error_is_said_as_by_the_task(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud
    ) -> None:
        cloud.script("rules_of", fail(KeyError("secret")))
        first, second = previews(
            admin_client, rules_of(cast.production.web), "create", SSH, SSH | {"port": 21}, dry_run="cloud"
        )
        assert said(first)[0] == "Error"
        assert first["message"].endswith("web: Internal error (KeyError). See the Portcullis log for details.")
        assert second["status"] == "Ok"

    def test_a_group_that_is_gone(self, admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.drop_group("sg-production-web")
        [preview] = previews(
            admin_client, "/api/security_groups", "delete", {"id": cast.production.web.pk}, dry_run="cloud"
        )
        assert said(preview) == ("Ok", "There was nothing to do: security group web no longer exists.")
