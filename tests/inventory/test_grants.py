"""What users may see and do by the grants of their groups."""

from __future__ import annotations

import re
from http import HTTPStatus
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from inventory.models import CloudTenant, EventStream, Grant, Provider, Task
from inventory.services import create_token
from secgroups.models import Membership, SecurityGroup
from secgroups.services import GroupReference, keep_refused_change, request_changes
from tests.cast import Planted, plant
from tests.clouds import MemoryCloud
from tests.readers import CHANGING, grant

RULE = {
    "action": "create",
    "direction": "inbound",
    "host_protocol": "tcp",
    "port": 22,
    "source_ip_range": "10.0.0.0/8",
}


@pytest.fixture
def ada(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("ada")


@pytest.fixture
def mine(ada: User) -> Planted:
    return plant("mine")


@pytest.fixture
def other(mine: Planted) -> Planted:
    """Of another tenant of the same provider."""
    return plant("other", mine.provider)


def api(user: User, **headers: str) -> Client:
    _, token = create_token(user=user, name="test")
    return Client(headers={"X-Auth-Token": token, **headers})


def names(client: Client, collection: str) -> set[str]:
    answer = client.get(f"/api/{collection}?expand=resources&attributes=name").json()
    assert answer["count"] == len(answer["resources"])
    return {resource["name"] for resource in answer["resources"]}


def test_a_grant_on_a_tenant_shows_the_tenant_and_needs_no_permission(
    ada: User, mine: Planted, other: Planted
) -> None:
    client = api(ada)
    assert client.get("/api/vms").status_code == HTTPStatus.FORBIDDEN
    grant(ada, "viewer", mine.tenant)
    assert names(client, "vms") == {"mine-mine"}
    assert names(client, "security_groups") == {"mine-web", "mine-db"}
    assert client.get(f"/api/vms/{other.vm.pk}").status_code == HTTPStatus.NOT_FOUND
    assert client.get(f"/api/vms/{mine.vm.pk}").json()["name"] == "mine-mine"


def test_a_grant_limits_who_also_has_permissions(ada: User, mine: Planted, other: Planted) -> None:
    ada.user_permissions.set(Permission.objects.all())
    client = api(ada)
    assert names(client, "vms") == {"mine-mine", "other-other"}
    grant(ada, "viewer", other.tenant)
    assert names(client, "vms") == {"other-other"}
    answer = client.post(
        f"/api/vms/{other.vm.pk}/security_groups", {"action": "add", "id": other.web.pk}, "application/json"
    )
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert client.get("/api/users").json()["count"] == 1


def test_a_tenant_s_provider_is_only_named(ada: User, mine: Planted) -> None:
    Provider.objects.filter(pk=mine.provider.pk).update(url="http://secret.invalid", provider_region="secret")
    grant(ada, "owner", mine.tenant)
    client = api(ada)
    url = f"/api/providers/{mine.provider.pk}"
    shown = client.get(f"{url}?attributes=all,total_vms").json()
    assert {name for name, value in shown.items() if value is not None} == {"href", "id", "name", "type"}
    for parameters in (
        "provider_region=secret",
        "filter[]=provider_region='s*'",
        "filter[]=total_vms=1",
        "enabled=true",
    ):
        assert client.get(f"/api/providers?{parameters}").json()["subquery_count"] == 0, parameters
    related = "filter[]=ext_management_system.provider_region='secret'"
    assert client.get(f"/api/vms?{related}").json()["subquery_count"] == 0
    vm = client.get(f"/api/vms/{mine.vm.pk}?attributes=ext_management_system").json()
    assert vm["ext_management_system"]["provider_region"] is None
    assert client.get(f"/api/providers?name={mine.provider.name}").json()["subquery_count"] == 1
    for action, body in (("edit", {"name": "taken"}), ("delete", {}), ("refresh", {})):
        answer = client.post(url, {"action": action, **body}, "application/json")
        assert answer.status_code == HTTPStatus.FORBIDDEN, action


def test_a_group_that_is_shared_with_a_tenant_is_seen_and_not_changed(
    ada: User, mine: Planted, other: Planted
) -> None:
    grant(ada, "manager", mine.tenant)
    client = api(ada)
    assert client.get(f"/api/security_groups/{other.web.pk}").status_code == HTTPStatus.NOT_FOUND
    other.web.shared_with.add(mine.tenant)
    assert names(client, "security_groups") == {"mine-web", "mine-db", "other-web"}
    shared, own = (client.get(f"/api/security_groups/{group.pk}").json() for group in (other.web, mine.web))
    assert {action["name"] for action in own["actions"]} == {"delete", "refresh", "replace"}
    assert "actions" not in shared
    answer = client.post(f"/api/security_groups/{other.web.pk}", {"action": "delete"}, "application/json")
    assert answer.status_code == HTTPStatus.FORBIDDEN
    rules = f"/api/security_groups/{other.web.pk}/firewall_rules"
    assert client.get(rules).json()["count"] == 1
    assert client.post(rules, RULE, "application/json").status_code == HTTPStatus.FORBIDDEN


def test_every_group_of_a_provider_that_is_shared_with_all_is_seen(
    ada: User, mine: Planted, other: Planted
) -> None:
    third = plant("third")
    for group in (other.web, third.web):
        group.shared = True
        group.save()
    grant(ada, "viewer", mine.tenant)
    assert names(api(ada), "security_groups") == {"mine-web", "mine-db", "other-web"}


def test_a_role_acts_where_it_is_given(ada: User, mine: Planted, other: Planted) -> None:
    """A viewer of one tenant and operator of another one."""
    grant(ada, "viewer", mine.tenant)
    grant(ada, "operator", other.tenant)
    client = api(ada)
    assert names(client, "vms") == {"mine-mine", "other-other"}
    status = {}
    for planted in (mine, other):
        url = f"/api/vms/{planted.vm.pk}/security_groups"
        body = {"action": "remove", "id": planted.web.pk}
        status[planted.vm.name] = client.post(url, body, "application/json").status_code
        offered = {action["name"] for action in client.get(url).json()["actions"]}
        assert offered == ({"query"} if planted is mine else {"add", "query", "remove"})
    assert status == {"mine-mine": HTTPStatus.FORBIDDEN, "other-other": HTTPStatus.OK}


def test_a_manager_of_a_tenant_creates_groups_in_it(ada: User, mine: Planted, other: Planted) -> None:
    grant(ada, "manager", mine.tenant)
    client = api(ada)
    url = f"/api/providers/{mine.provider.pk}/security_groups"

    def create(tenant: CloudTenant | None) -> Any:
        place = {"cloud_tenant": {"id": str(tenant.pk)}} if tenant else {}
        [answer] = client.post(
            url, {"action": "create", "resources": [{"name": "new", **place}]}, "application/json"
        ).json()["results"]
        return answer["success"], answer["message"]

    assert create(mine.tenant)[0]
    assert create(other.tenant) == (
        False,
        f"Cannot create security group new: cloud_tenant: there is no cloud tenant {other.tenant.pk}",
    )
    assert create(None) == (False, "Cannot create security group new: Your grants do not permit this here.")


def test_a_grant_on_everything_reaches_what_comes_later(ada: User, mine: Planted) -> None:
    grant(ada, "operator")
    client = api(ada)
    plant("later")
    assert names(client, "vms") == {"mine-mine", "later-later"}
    assert client.post("/api/providers", {"name": "x"}, "application/json").status_code == HTTPStatus.FORBIDDEN


def test_a_grant_whose_tenant_or_provider_is_gone_reaches_nothing(
    ada: User, mine: Planted, other: Planted
) -> None:
    ada.user_permissions.set(Permission.objects.all())
    grant(ada, "owner", mine.tenant)
    pk, provider = mine.tenant.pk, mine.provider.pk
    CloudTenant.objects.filter(pk=pk).delete()
    assert Grant.objects.get(group__user=ada).cloud_tenant_id == pk
    client = api(ada)
    assert names(client, "vms") == set()
    assert client.get(f"/api/vms/{other.vm.pk}").status_code == HTTPStatus.NOT_FOUND
    assert Membership.objects.visible_to(ada).count() == 0
    assert client.get(f"/api/providers/{provider}").json()["enabled"] is None


def test_superusers_are_not_limited(admin_user: User, mine: Planted, other: Planted) -> None:
    team = grant(admin_user, "viewer", mine.tenant)
    assert names(api(admin_user), "vms") == {"mine-mine", "other-other"}
    assert names(api(admin_user, **{"X-MIQ-Group": team.name}), "vms") == {"mine-mine"}


def test_a_group_of_the_request_limits_to_its_grants(ada: User, mine: Planted, other: Planted) -> None:
    grant(ada, "viewer", mine.tenant, "mine")
    grant(ada, "viewer", other.tenant, "other")
    free = Group.objects.create(name="free")
    free.permissions.set(Permission.objects.all())
    ada.groups.add(free)
    assert names(api(ada), "vms") == {"mine-mine", "other-other"}
    assert names(api(ada, **{"X-MIQ-Group": "other"}), "vms") == {"other-other"}
    answer = api(ada, **{"X-MIQ-Group": "free"}).get("/api/vms")
    assert answer.status_code == HTTPStatus.FORBIDDEN, "a group without grants must not free its members"


def test_who_has_no_grant_is_as_before(ada: User, mine: Planted, other: Planted) -> None:
    ada.user_permissions.set(Permission.objects.filter(codename="view_vm"))
    assert names(api(ada), "vms") == {"mine-mine", "other-other"}
    assert api(ada).get("/api/security_groups").status_code == HTTPStatus.FORBIDDEN


# --- Giving and taking ---


def give(user: User, group: Group, role: str, **scope: Any) -> Any:
    body = {"group_id": str(group.pk), "role": role, **{name: str(row.pk) for name, row in scope.items()}}
    return api(user).post("/api/grants", body, "application/json")


@pytest.fixture
def team(ada: User, django_user_model: type[User]) -> Group:
    """A group of which ada is a member too, so that she can name it."""
    team = Group.objects.create(name="others")
    team.user_set.add(ada, django_user_model.objects.create_user("bob"))
    return team


def test_an_owner_gives_and_takes_grants_of_what_they_own_and_of_nothing_else(
    ada: User, team: Group, mine: Planted, other: Planted
) -> None:
    grant(ada, "owner", mine.tenant)
    for scope in ({}, {"ems_id": mine.provider}):
        assert give(ada, team, "viewer", **scope).status_code == HTTPStatus.FORBIDDEN
    assert give(ada, team, "viewer", cloud_tenant_id=other.tenant).status_code == HTTPStatus.BAD_REQUEST
    answer = give(ada, team, "owner", cloud_tenant_id=mine.tenant)
    assert answer.status_code == HTTPStatus.OK
    [shown] = answer.json()["results"]
    assert (shown["role"], shown["cloud_tenant_id"], shown["ems_id"]) == (
        "owner",
        str(mine.tenant.pk),
        str(mine.provider.pk),
    )
    url = f"/api/grants/{shown['id']}"
    assert api(ada).post(url, {"action": "edit", "role": "viewer"}, "application/json").json()["role"] == "viewer"
    widened = api(ada).post(url, {"action": "edit", "ems_id": str(mine.provider.pk)}, "application/json")
    assert widened.status_code == HTTPStatus.FORBIDDEN
    assert api(ada).delete(url).status_code == HTTPStatus.NO_CONTENT
    assert not Grant.objects.filter(group=team).exists()


def test_grants_outside_are_not_there(ada: User, mine: Planted, other: Planted, django_user_model: Any) -> None:
    grant(ada, "owner", mine.tenant)
    bob = django_user_model.objects.create_user("bob")
    for scope in (other.tenant, mine.provider, None):
        grant(bob, "viewer", scope, "bob's")
    listed = api(ada).get("/api/grants?expand=resources").json()
    assert [resource["cloud_tenant_id"] for resource in listed["resources"]] == [str(mine.tenant.pk)]
    assert listed["count"] == 1
    for pk in Grant.objects.filter(group__name="bob's").values_list("pk", flat=True):
        assert api(ada).delete(f"/api/grants/{pk}").status_code == HTTPStatus.NOT_FOUND
    assert {
        group["description"] for group in api(ada).get("/api/groups?expand=resources").json()["resources"]
    } == {"team"}


def test_nobody_gives_more_than_they_have(ada: User, team: Group, mine: Planted) -> None:
    """By Django's permissions: who may add grants, and only view, gives nothing but that."""
    viewing = Permission.objects.filter(codename__startswith="view_")
    ada.user_permissions.set(viewing | Permission.objects.filter(codename="add_grant"))
    assert give(ada, team, "operator").status_code == HTTPStatus.FORBIDDEN
    assert give(ada, team, "viewer", ems_id=mine.provider).status_code == HTTPStatus.OK


def test_nobody_frees_themselves_by_taking_a_grant(ada: User, mine: Planted) -> None:
    ada.user_permissions.set(Permission.objects.all())
    grant(ada, "owner", mine.tenant)
    [pk] = Grant.objects.filter(group__user=ada).values_list("pk", flat=True)
    answer = api(ada).delete(f"/api/grants/{pk}")
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "neither limit nor free" in answer.json()["error"]["message"]
    assert Grant.objects.filter(pk=pk).exists()


def test_viewers_operators_and_managers_see_no_grants(ada: User, mine: Planted) -> None:
    for role in ("viewer", "operator", "manager"):
        Grant.objects.all().delete()
        grant(ada, role, mine.tenant)
        assert api(ada).get("/api/grants").status_code == HTTPStatus.FORBIDDEN


@pytest.mark.django_db
def test_ready_groups_come_with_the_installation() -> None:
    ready = Grant.objects.filter(provider=None).values_list("group__name", "role")
    assert set(ready) == {(role, role) for role in ("viewer", "operator", "manager", "owner")}


@pytest.mark.django_db
def test_a_group_that_was_there_before_gets_nothing() -> None:
    Grant.objects.all().delete()
    Group.objects.exclude(name="viewer").delete()
    import_module("inventory.migrations.0026_ready_groups").make_groups(apps, None)
    assert set(Grant.objects.values_list("group__name", flat=True)) == {"operator", "manager", "owner"}


def test_what_is_given_changed_and_taken_leaves_events(ada: User, team: Group, mine: Planted) -> None:
    grant(ada, "owner", mine.tenant)
    [shown] = give(ada, team, "viewer", cloud_tenant_id=mine.tenant).json()["results"]
    url = f"/api/grants/{shown['id']}"
    api(ada).post(url, {"action": "edit", "role": "operator"}, "application/json")
    api(ada).delete(url)
    events = EventStream.objects.filter(event_type__startswith="grant_").order_by("pk")
    told = events.values_list("event_type", "username", "full_data__before__role", "full_data__after__role")
    assert list(told) == [
        ("grant_created", "ada", None, "viewer"),
        ("grant_edited", "ada", "viewer", "operator"),
        ("grant_deleted", "ada", "operator", None),
    ]


def test_who_is_limited_sees_events_of_what_they_see(ada: User, mine: Planted, other: Planted) -> None:
    grant(ada, "viewer", mine.tenant)
    listed = api(ada).get("/api/event_streams?expand=resources").json()
    assert listed["count"] == len(listed["resources"]) > 0
    assert "other" not in str(listed["resources"])
    assert "mine" in str(listed["resources"])


def test_a_replay_asks_the_right_anew(ada: User, mine: Planted, other: Planted) -> None:
    """Of an operator who only views this tenant by now, and is an operator elsewhere."""
    grant(ada, "operator", mine.tenant)
    client = api(ada, **{"Idempotency-Key": "once"})
    url = f"/api/vms/{mine.vm.pk}/security_groups"
    body = {"action": "remove", "id": mine.web.pk}
    first, again = (client.post(url, body, "application/json") for _ in range(2))
    assert (first.status_code, again.status_code) == (HTTPStatus.OK, HTTPStatus.OK)
    assert again.headers["Idempotency-Replayed"] == "true"
    Grant.objects.filter(group__user=ada).update(role="viewer")
    assert client.post(url, body, "application/json").status_code == HTTPStatus.FORBIDDEN
    grant(ada, "operator", other.tenant)
    assert client.post(url, body, "application/json").status_code == HTTPStatus.FORBIDDEN
    Grant.objects.filter(group__user=ada, cloud_tenant=mine.tenant).delete()
    assert client.post(url, body, "application/json").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("action", ["query", "refresh"])
def test_a_replay_asks_for_each_resource_of_the_body_anew(
    ada: User, mine: Planted, other: Planted, action: str
) -> None:
    """By id and by guid. What was not there in the first place keeps its place."""
    hidden = plant("hidden", mine.provider)
    for scope in (mine.tenant, other.tenant):
        grant(ada, "operator", scope)
    client = api(ada, **{"Idempotency-Key": "once"})
    resources = [{"id": mine.vm.pk}, {"guid": str(other.vm.guid)}, {"id": hidden.vm.pk}]
    body = {"action": action, "resources": resources}
    first, again = (client.post("/api/vms", body, "application/json") for _ in range(2))
    assert first.status_code == again.status_code == HTTPStatus.OK
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.content == again.content
    lost = Grant.objects.filter(group__user=ada, cloud_tenant=other.tenant)
    if action == "refresh":
        lost.update(role="viewer")
        assert client.post("/api/vms", body, "application/json").status_code == HTTPStatus.FORBIDDEN
    lost.delete()
    answer = client.post("/api/vms", body, "application/json")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert "other" not in answer.content.decode()


def test_a_deletion_that_is_repeated_is_answered_as_before(ada: User, mine: Planted) -> None:
    task = Task.objects.create(name="done", queue="x", provider=mine.provider, vm=mine.vm, state="Finished")
    grant(ada, "owner", mine.tenant)
    client = api(ada, **{"Idempotency-Key": "once"})
    for _ in range(2):
        answer = client.post(f"/api/tasks/{task.pk}", {"action": "delete"}, "application/json")
        assert answer.status_code == HTTPStatus.OK, answer.json()


# --- What others found ---


def outcome(user: User, url: str, body: dict[str, Any]) -> tuple[bool, str]:
    answer = api(user).post(url, body, "application/json").json()
    [result] = answer.get("results", [answer])
    return result["success"], result["message"]


@pytest.mark.parametrize("dry_run", [False, True, "cloud"])
@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("named", ["ems_ref", "name"])
def test_a_group_outside_is_answered_as_one_that_is_nowhere(
    ada: User, mine: Planted, other: Planted, cloud: MemoryCloud, action: str, named: str, dry_run: bool | str
) -> None:
    """Though the cloud would find it, which is not asked: in its network it fits the port, and it is on it."""
    SecurityGroup.objects.filter(pk=other.web.pk).update(cloud_network=mine.network)
    Membership.objects.create(security_group=other.web, network_port=mine.port, vm=mine.vm)
    grant(ada, "operator", mine.tenant)
    url, body = f"/api/vms/{mine.vm.pk}/security_groups", {"action": action, "dry_run": dry_run}
    if not dry_run:
        del body["dry_run"]
    name = getattr(other.web, named)
    outside, nowhere = (outcome(ada, url, {**body, named: text}) for text in (name, "nosuch"))
    assert not outside[0]
    assert outside[1].replace(name, "nosuch") == nowhere[1]
    assert (Task.objects.count(), cloud.calls) == (0, [])


def test_deleting_a_rule_does_not_name_its_hidden_source(ada: User, mine: Planted, other: Planted) -> None:
    mine.web.firewall_rules.update(source_security_group=other.web, source_address_list=None)
    grant(ada, "manager", mine.tenant)
    url = f"/api/security_groups/{mine.web.pk}/firewall_rules/{mine.rule.pk}"
    _, message = outcome(ada, url, {"action": "delete", "dry_run": True})
    assert "from what you may not see" in message
    assert "other" not in message


def test_a_task_shows_no_groups_before_and_after_to_who_sees_only_some(
    ada: User, mine: Planted, other: Planted
) -> None:
    context = {"before": ["other-web"], "after": [], "network_ports": [{"before": ["other-web"]}], "action": "add"}
    task = Task.objects.create(name="t", queue="x", provider=mine.provider, vm=mine.vm, context_data=context)
    grant(ada, "viewer", mine.tenant)
    assert api(ada).get(f"/api/tasks/{task.pk}").json()["context_data"] == {"action": "add"}


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_a_task_that_names_a_group_of_another_tenant_is_hidden_like_the_group(
    ada: User, admin_user: User, mine: Planted, other: Planted, role: str
) -> None:
    """Also one that names what the inventory does not have, and one that was refused."""
    SecurityGroup.objects.filter(pk=other.web.pk).update(cloud_network=mine.network)
    wanted = [GroupReference(name) for name in ("mine-web", "other-web", "nobody-knows")]
    for action in ("add", "remove"):
        request_changes(vm=mine.vm, action=action, references=wanted, user=admin_user)
    keep_refused_change(vm=mine.vm, action="add", reference=wanted[1], reason="No.", user=admin_user)
    grant(ada, role, mine.tenant)
    hers = {task for task in names(api(ada), "tasks") if "mine-web" in task}
    assert names(api(ada), "tasks") == hers
    assert len(hers) == 2
    hidden = Task.objects.filter(name__contains="other-web").first()
    assert api(ada).get(f"/api/tasks/{hidden.pk}").status_code == HTTPStatus.NOT_FOUND
    Task.objects.filter(pk=hidden.pk).update(owner=ada)
    assert api(ada).get(f"/api/tasks/{hidden.pk}").status_code == HTTPStatus.OK
    Task.objects.filter(pk=hidden.pk).update(owner=admin_user)
    grant(ada, role, mine.provider)
    assert api(ada).get("/api/tasks").json()["count"] == Task.objects.count() == 7


def test_an_owner_limits_nobody_with_more_rights(
    ada: User, team: Group, mine: Planted, django_user_model: type[User]
) -> None:
    boss = django_user_model.objects.create_user("boss")
    boss.user_permissions.set(Permission.objects.all())
    boss.groups.add(team)
    grant(ada, "owner", mine.tenant)
    assert give(ada, team, "viewer", cloud_tenant_id=mine.tenant).status_code == HTTPStatus.FORBIDDEN
    assert names(api(boss), "vms") == {"mine-mine"}
    assert not Grant.objects.filter(group=team).exists()


def test_a_provider_that_is_only_named_is_not_found_by_its_guid(ada: User, mine: Planted) -> None:
    grant(ada, "viewer", mine.tenant)
    body = {"action": "query", "resources": [{"guid": str(mine.provider.guid)}, {"id": str(mine.provider.pk)}]}
    by_guid, by_id = api(ada).post("/api/providers", body, "application/json").json()["results"]
    assert by_guid["success"] is False
    assert by_id["name"] == "mine"


def test_a_page_says_the_same_of_what_is_hidden_and_of_what_is_not_there(
    ada: User, mine: Planted, other: Planted
) -> None:
    grant(ada, "manager", mine.tenant)
    hidden, nowhere = (
        CHANGING.sub("", api(ada, Accept="text/html").get(f"/api/security_groups/{pk}").content.decode())
        for pk in (other.web.pk, 987_654)
    )
    assert re.sub(rf"\b{other.web.pk}\b", "987654", hidden) == re.sub(rf"\b{other.web.pk}\b", "987654", nowhere)


def test_an_answer_about_what_is_no_longer_seen_is_not_given_again(
    ada: User, mine: Planted, other: Planted
) -> None:
    task = Task.objects.create(name="t", queue="x", provider=mine.provider, vm=mine.vm, state="Finished")
    grant(ada, "operator", mine.tenant)
    client = api(ada, **{"Idempotency-Key": "once"})
    url = f"/api/tasks/{task.pk}"
    assert client.post(url, {"action": "cancel"}, "application/json").status_code == HTTPStatus.BAD_REQUEST
    Grant.objects.filter(group__user=ada).update(cloud_tenant=other.tenant)
    assert client.post(url, {"action": "cancel"}, "application/json").status_code == HTTPStatus.NOT_FOUND


def test_a_group_has_a_grant_once(ada: User, team: Group, mine: Planted) -> None:
    grant(ada, "owner", mine.provider)
    scopes: tuple[dict[str, Any], ...] = ({"ems_id": mine.provider}, {"cloud_tenant_id": mine.tenant})
    for scope in scopes:
        for role in ("viewer", "viewer", "operator"):
            [given] = give(ada, team, role, **scope).json()["results"]
        url = f"/api/grants/{given['id']}"
        answer = api(ada).post(url, {"action": "edit", "role": "viewer"}, "application/json")
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert "has this role there already" in answer.json()["error"]["message"]
    assert sorted(team.grants.values_list("role", flat=True)) == ["operator", "operator", "viewer", "viewer"]


def test_a_tenant_and_a_provider_have_to_fit(ada: User, team: Group, mine: Planted) -> None:
    other = plant("foreign")
    grant(ada, "owner")
    fitting = give(ada, team, "viewer", cloud_tenant_id=mine.tenant, ems_id=mine.provider)
    assert fitting.status_code == HTTPStatus.OK
    answer = give(ada, team, "viewer", cloud_tenant_id=mine.tenant, ems_id=other.provider)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == "mine does not belong to foreign."
