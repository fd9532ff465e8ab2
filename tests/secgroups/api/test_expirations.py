"""Adding groups and creating rules for a while, and changing their ends, over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from inventory.db.clock import database_now
from inventory.models import EventStream, Grant, Task
from secgroups.models import Expiration
from secgroups.services import queue_due_endings
from tests.cast import Cast
from tests.clouds import MemoryCloud
from tests.contracts import grant
from tests.secgroups.api.test_vm_security_groups import EVERY, post
from tests.secgroups.temporary import added, ending, let_pass, run

RULE = {"direction": "inbound", "host_protocol": "tcp", "port": 443, "source_ip_range": "10.0.0.0/8"}


def add(client: Client, cast: Cast, status: int = HTTPStatus.OK, **given: Any) -> Any:
    url = f"/api/instances/{cast.production.double.pk}/security_groups"
    answer = post(client, url, {"action": "add", "resource": {"name": "web", **given}}, status)
    return answer["results"][0]


def create(client: Client, cast: Cast, **given: Any) -> Any:
    url = f"/api/security_groups/{cast.production.web.pk}/firewall_rules"
    [result] = post(client, url, {"action": "create", "resource": {**RULE, **given}})["results"]
    return result


def shown(client: Client) -> Any:
    return client.get("/api/expirations?expand=resources").json()["resources"]


def from_now(time: str | datetime) -> float:
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return (moment - database_now()).total_seconds()


def act(client: Client, action: str, status: int = HTTPStatus.OK, **given: Any) -> Any:
    return post(client, f"/api/expirations/{Expiration.objects.get().pk}", {"action": action, **given}, status)


@EVERY
@pytest.mark.parametrize(
    ("duration", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("3d", 259_200), (45, 45), ("45", 45)]
)
def test_a_group_is_added_for_a_while(
    admin_client: Client, cast: Cast, cloud: MemoryCloud, collection: str, duration: Any, seconds: int
) -> None:
    vm = cast.production.double
    url = f"/api/{collection}/{vm.pk}/security_groups"
    body = {"action": "add", "resource": {"name": "web", "for": duration, "reason": "the release"}}
    [result] = post(admin_client, url, body)["results"]
    assert result["success"]
    assert " until 2" in result["message"]
    assert shown(admin_client) == []
    run(f"vms/{vm.pk}")
    [expiration] = shown(admin_client)
    assert seconds - 30 < from_now(expiration.pop("expires_on")) <= seconds
    assert expiration.pop("created_on")
    assert expiration == {
        "href": f"http://testserver/api/expirations/{expiration['id']}",
        "id": expiration["id"],
        "ems_id": str(cast.acme.pk),
        "vm_id": str(vm.pk),
        "security_group_id": str(cast.production.web.pk),
        "firewall_rule_id": None,
        "reason": "the release",
        "userid": "admin",
        "task_id": result["task_id"],
    }


@EVERY
def test_a_membership_shows_its_end(admin_client: Client, cast: Cast, cloud: MemoryCloud, collection: str) -> None:
    add(admin_client, cast, **{"for": "2h"})
    run(f"vms/{cast.production.double.pk}")
    url = f"/api/{collection}/{cast.production.double.pk}/security_groups"
    groups = admin_client.get(f"{url}?expand=resources&attributes=name,expires_on").json()["resources"]
    ends = {group["name"]: group["expires_on"] for group in groups}
    assert ends["default"] is None
    assert 7_000 < from_now(ends["web"]) < 7_200
    one = admin_client.get(f"{url}/{cast.production.web.pk}?attributes=expires_on").json()
    assert one["expires_on"] == ends["web"]


def test_a_membership_that_stays_on_a_port_has_no_end(
    admin_client: Client, cast: Cast, cloud: MemoryCloud
) -> None:
    vm = cast.production.double
    added(vm, ports=("eni-production-double-1",))
    add(admin_client, cast, **{"for": "2h"})
    run(f"vms/{vm.pk}")
    url = f"/api/instances/{vm.pk}/security_groups/{cast.production.web.pk}?attributes=expires_on"
    assert admin_client.get(url).json()["expires_on"] is None


def test_a_rule_shows_its_end(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    result = create(admin_client, cast, **{"for": "2h", "reason": "to debug"})
    run(f"security_groups/{cast.acme.pk}")
    [expiration] = shown(admin_client)
    assert (expiration["vm_id"], expiration["task_id"]) == (None, result["task_id"])
    url = f"/api/firewall_rules/{expiration['firewall_rule_id']}?attributes=expires_on"
    assert admin_client.get(url).json()["expires_on"] == expiration["expires_on"]


def test_a_time_is_given_in_its_place(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    until = (database_now() + timedelta(hours=5)).replace(microsecond=0)
    add(admin_client, cast, until=until.isoformat())
    run(f"vms/{cast.production.double.pk}")
    assert datetime.fromisoformat(shown(admin_client)[0]["expires_on"]) == until


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"for": "soon"}, "Specify a number of seconds"),
        ({"for": "0"}, "Specify a number of seconds from 1"),
        ({"for": "-5"}, "Specify a number of seconds"),
        ({"for": 1.5}, "Not a valid string"),
        ({"for": "8d"}, "the longest time is 7 days"),
        ({"for": "999999999d"}, "the longest time is 7 days"),
        ({"until": "2001-01-01T00:00:00Z"}, "this time is over"),
        ({"until": "9999-01-01T00:00:00Z"}, "the longest time is 7 days"),
        ({"until": "soon"}, "until"),
        ({"for": "2h", "until": "2099-01-01T00:00:00Z"}, "not both"),
        ({"reason": "why"}, "reason: it goes with for or until"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(
    admin_client: Client, cast: Cast, cloud: MemoryCloud, given: dict[str, Any], reason: str
) -> None:
    result = add(admin_client, cast, HTTPStatus.BAD_REQUEST, **given)
    assert not result["success"]
    assert reason in result["message"]
    assert not Task.objects.exists()


def test_the_longest_time_is_a_setting(
    admin_client: Client, cast: Cast, cloud: MemoryCloud, settings: Any
) -> None:
    settings.EXPIRATION_LIMIT = timedelta(minutes=90)
    assert add(admin_client, cast, **{"for": "90m"})["success"]
    refused = add(admin_client, cast, HTTPStatus.BAD_REQUEST, **{"for": "91m"})
    assert refused["message"].endswith("the longest time is 90 minutes")


def test_a_removal_takes_no_end(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    url = f"/api/instances/{cast.production.double.pk}/security_groups"
    body = {"action": "remove", "resource": {"name": "default", "for": "2h"}}
    [result] = post(admin_client, url, body, HTTPStatus.BAD_REQUEST)["results"]
    assert "for" in result["message"]


def test_each_resource_has_its_own_end(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    url = f"/api/instances/{cast.production.double.pk}/security_groups"
    resources = [{"name": "web", "for": "1h"}, {"name": "db"}, {"name": "db", "for": "never"}]
    results = post(admin_client, url, {"action": "add", "resources": resources})["results"]
    assert [result["success"] for result in results] == [True, True, False]
    run(f"vms/{cast.production.double.pk}")
    assert [one["security_group_id"] for one in shown(admin_client)] == [str(cast.production.web.pk)]


# Changing ends


@pytest.fixture
def temporary(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> Client:
    added(cast.production.double, end=ending(1))
    return admin_client


def test_an_end_is_moved(temporary: Client, cast: Cast) -> None:
    answer = act(temporary, "extend", **{"for": "3h"})
    row = Expiration.objects.get()
    assert answer["success"]
    assert answer["message"].startswith(f"Extended expiration {row.pk}: it ends at 2")
    assert 3 * 3_600 - 30 < from_now(row.expires_on) <= 3 * 3_600
    assert row.due_on == row.expires_on
    event = EventStream.objects.get(event_type="expiration_extended")
    assert (event.username, event.vm_or_template_id) == ("admin", cast.production.double.pk)
    assert event.full_data["before"]["expires_on"] < event.full_data["after"]["expires_on"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"for": "1m"}, "already, which is not earlier"),
        ({"for": "8d"}, "the longest time is 7 days"),
        ({}, "Specify for or until"),
        ({"for": "2h", "reason": "more"}, "reason"),
    ],
)
def test_an_end_is_only_moved_to_a_later_time(temporary: Client, given: dict[str, Any], reason: str) -> None:
    answer = act(temporary, "extend", HTTPStatus.BAD_REQUEST, **given)
    assert reason in str(answer)


def test_it_is_kept_for_good(temporary: Client, cast: Cast, cloud: MemoryCloud) -> None:
    assert act(temporary, "keep")["success"]
    assert not Expiration.objects.exists()
    assert EventStream.objects.get(event_type="expiration_kept").username == "admin"
    assert "sg-production-web" in cloud.port("eni-production-double-1").group_refs


def test_it_is_taken_back_now(temporary: Client, cast: Cast, cloud: MemoryCloud) -> None:
    answer = act(temporary, "end")
    task = Task.objects.get(pk=answer["task_id"])
    assert (task.userid, task.queue) == ("admin", f"vms/{cast.production.double.pk}")
    run(task.queue)
    assert "sg-production-web" not in cloud.port("eni-production-double-1").group_refs
    assert not Expiration.objects.exists()
    assert EventStream.objects.get(event_type="expiration_ended").username == "admin"


def test_a_rule_is_taken_back_now(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    create(admin_client, cast, **{"for": "2h"})
    run(f"security_groups/{cast.acme.pk}")
    answer = act(admin_client, "end")
    run(f"security_groups/{cast.acme.pk}")
    assert Task.objects.get(pk=answer["task_id"]).status == "Ok"
    assert cloud.rule_list == []


@pytest.mark.parametrize(("action", "given"), [("extend", {"for": "3h"}), ("keep", {}), ("end", {})])
def test_what_is_being_taken_back_can_not_be_changed(
    temporary: Client, action: str, given: dict[str, Any]
) -> None:
    let_pass()
    queue_due_endings()
    Expiration.objects.update(is_ending=True)
    answer = act(temporary, action, HTTPStatus.BAD_REQUEST, **given)
    assert answer["message"].endswith("it is being taken back")


def test_what_is_not_there_is_404(admin_client: Client, cast: Cast) -> None:
    post(admin_client, "/api/expirations/7", {"action": "keep"}, HTTPStatus.NOT_FOUND)


def test_many_are_changed_at_once(temporary: Client, cast: Cast) -> None:
    added(cast.production.single, end=ending(1))
    ids = [{"id": str(row.pk)} for row in Expiration.objects.all()]
    answer = post(temporary, "/api/expirations", {"action": "end", "resources": [*ids, {"id": "77"}]})
    assert [result["success"] for result in answer["results"]] == [True, True, False]


def test_an_end_is_previewed(temporary: Client, cast: Cast, cloud: MemoryCloud) -> None:
    answer = act(temporary, "end", dry_run=True)
    preview = answer["preview"]
    assert "task_id" not in answer
    assert preview["message"].startswith("Removed security group web from production-double on 2 ports. Its time")
    assert [[group["name"] for group in port["after"]] for port in preview["network_ports"]] == [["default"]] * 2
    assert Expiration.objects.get().expires_on > database_now()
    assert not Task.objects.filter(state="Queued").exists()


def test_the_end_of_a_rule_is_previewed(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    create(admin_client, cast, **{"for": "2h"})
    run(f"security_groups/{cast.acme.pk}")
    preview = act(admin_client, "end", dry_run=True)["preview"]
    assert preview["status"] == "Ok"
    assert [line["port"] for line in preview["effective_rules"]["disappear"]] == [443]


def test_a_preview_says_what_the_task_says(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    until = (database_now() + timedelta(hours=5)).isoformat()
    url = f"/api/instances/{cast.production.double.pk}/security_groups"
    for given in ({"until": until}, {"until": until}, {}, {"until": until}):
        body = {"action": "add", "resource": {"name": "web", **given}}
        [previewed] = post(admin_client, url, {**body, "dry_run": True})["results"]
        [result] = post(admin_client, url, body)["results"]
        run(f"vms/{cast.production.double.pk}")
        assert previewed["message"] == result["message"]
        assert previewed["preview"]["message"] == Task.objects.get(pk=result["task_id"]).message


def test_a_preview_of_a_rule_says_what_the_task_says(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    until = (database_now() + timedelta(hours=5)).isoformat()
    url = f"/api/security_groups/{cast.production.web.pk}/firewall_rules"
    for given in ({"until": until}, {"until": until}, {}, {"until": until}):
        body = {"action": "create", "resource": {**RULE, **given}}
        [previewed] = post(admin_client, url, {**body, "dry_run": True})["results"]
        [result] = post(admin_client, url, body)["results"]
        run(f"security_groups/{cast.acme.pk}")
        assert previewed["preview"]["message"] == Task.objects.get(pk=result["task_id"]).message


# Rights


@pytest.mark.parametrize(
    ("rights", "allowed"),
    [((), False), (("inventory.change_vm_security_groups",), True), (("secgroups.add_firewallrule",), False)],
)
@pytest.mark.parametrize(("action", "given"), [("extend", {"for": "3h"}), ("keep", {}), ("end", {})])
def test_changing_an_end_takes_the_right_to_the_change(
    client: Client,
    temporary: Client,
    django_user_model: Any,
    rights: tuple[str, ...],
    allowed: bool,
    action: str,
    given: dict[str, Any],
) -> None:
    user = django_user_model.objects.create_user("somebody")
    grant(user, "secgroups.view_expiration", *rights)
    client.force_login(user)
    act(client, action, HTTPStatus.OK if allowed else HTTPStatus.FORBIDDEN, **given)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 403), ("manager", 200)])
def test_an_operator_does_not_decide_on_rules(
    client: Client, admin_client: Client, cast: Cast, cloud: MemoryCloud, role: str, status: int
) -> None:
    create(admin_client, cast, **{"for": "2h"})
    run(f"security_groups/{cast.acme.pk}")
    user = User.objects.create_user("limited")
    group = Group.objects.create(name="limited")
    user.groups.add(group)
    Grant.objects.create(group=group, role=role, provider=cast.acme)
    client.force_login(user)
    for action in ("end", "extend", "keep"):
        given = {"for": "3h"} if action == "extend" else {"dry_run": True} if action == "end" else {}
        act(client, action, status, **given)


def test_who_may_not_change_any_end_is_offered_none(
    client: Client, temporary: Client, django_user_model: Any
) -> None:
    user = django_user_model.objects.create_user("somebody")
    grant(user, "secgroups.view_expiration")
    client.force_login(user)
    url = f"/api/expirations/{Expiration.objects.get().pk}"
    assert "actions" not in client.get(url).json()
    offered = {action["name"] for action in temporary.get(url).json()["actions"]}
    assert offered == {"extend", "keep", "end", "query"} - {"query"}
