"""Providers, as ManageIQ's requests/providers_spec asks for them, with clouds that Portcullis knows."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider, Task, Zone
from tests import cast as actors
from tests.cast import AMAZON, AMAZON_TYPE, OPENSTACK, OPENSTACK_TYPE, Cast
from tests.dialect.callers import ask, may, refusal

pytestmark = pytest.mark.django_db

URL = "/api/providers"
NOWHERE = f"{URL}/999999"
LOGIN = {"userid": "uname", "password": "pword"}
METRICS = {"userid": "admin2", "password": "password2", "auth_type": "metrics"}
SAMPLE = {
    "type": AMAZON_TYPE,
    "name": "sample amazon",
    "hostname": "amazon.example.com",
    "ipaddress": "100.64.0.4",
}
OTHER = {"type": OPENSTACK_TYPE, "name": "sample openstack", "port": 5000, "hostname": "keystone.example.com"}
ENDPOINT = {"role": "default", "hostname": "cloud.example.com", "port": "5000", "certificate_authority": "PEM"}
CONNECTION = {
    "endpoint": ENDPOINT | {"security_protocol": "ssl-without-validation"},
    "authentication": {"role": "default", **LOGIN},
}


def other(role: str) -> dict[str, Any]:
    endpoint = {"role": role, "hostname": f"{role}.example.com", "port": 443, "security_protocol": "non-ssl"}
    return {"endpoint": endpoint, "authentication": {"role": role, "auth_key": "0123456789abcdef"}}


@pytest.fixture
def creator(client: Client) -> Client:
    return may(client, "inventory.add_provider", "inventory.view_provider")


@pytest.fixture
def editor(client: Client) -> Client:
    return may(client, "inventory.change_provider", "inventory.view_provider")


def created(client: Client, body: Any, query: str = "") -> list[Provider]:
    results = ask(client, "post", URL + query, body)["results"]
    vendors = {AMAZON_TYPE: AMAZON, OPENSTACK_TYPE: OPENSTACK}
    return [Provider.objects.get(pk=one["id"], name=one["name"], vendor=vendors[one["type"]]) for one in results]


# --- `provider_class` ---


@pytest.mark.on_purpose("There is one class of providers, and the parameter is left out, whatever it says")
def test_the_class_of_providers_means_nothing(admin_client: Client, cast: Cast) -> None:
    for named in ("provider", "bad_class"):
        answer = ask(admin_client, "get", f"{URL}?provider_class={named}&expand=resources")
        [resource] = answer["resources"]
        assert (resource["name"], resource["href"]) == ("acme", f"http://testserver{URL}/{cast.acme.pk}")
        one = ask(admin_client, "get", f"{URL}/{cast.acme.pk}?provider_class={named}")
        assert {action["href"] for action in one["actions"]} == {one["href"]}


def test_a_provider_is_created_and_refreshed_with_a_class(admin_client: Client) -> None:
    body = {"action": "create", "resource": SAMPLE | {"credentials": LOGIN}}
    [provider] = created(admin_client, body, "?provider_class=provider")
    url = f"{URL}/{provider.pk}?provider_class=provider"
    assert ask(admin_client, "post", url, {"action": "refresh"})["success"] is True


# --- create ---


def test_credentials_are_asked_for(creator: Client) -> None:
    [refused] = ask(creator, "post", URL, {"action": "create", "resources": [{"name": "name3"}]})["results"]
    assert refused["success"] is False
    assert "credentials: " in refused["message"]
    assert "credentials: " in refusal(creator, "post", URL, {"name": "name3", "type": AMAZON_TYPE})


def test_a_form_of_the_ui_creates_a_provider(creator: Client) -> None:
    endpoints = [{"role": "default"}]
    authentications = [{"authtype": "default", **LOGIN}]
    form = {"ddf": True, "type": AMAZON_TYPE, "name": "Amazon Test", "zone_id": str(Zone.objects.get().pk)}
    body = form | {"provider_region": "us-east-1", "endpoints": endpoints, "authentications": authentications}
    [provider] = created(creator, body)
    assert (provider.provider_region, provider.credentials) == ("us-east-1", LOGIN)


def test_a_form_that_says_too_little_or_too_much_is_refused(creator: Client) -> None:
    assert "type: This field is required." in refusal(creator, "post", URL, {"ddf": True})
    said = refusal(creator, "post", URL, {"ddf": True, "type": AMAZON_TYPE, "foo": "bar"})
    assert said == "Invalid attributes specified: foo"


def test_what_one_kind_of_cloud_has_of_its_own_can_be_given(creator: Client) -> None:
    [provider] = created(creator, OTHER | {"uid_ems": "domain", "project": "web", "credentials": LOGIN})
    assert (provider.uid_ems, provider.project) == ("domain", "web")


def test_creation_asks_its_permission(client: Client) -> None:
    ask(may(client, "inventory.view_provider"), "post", URL, SAMPLE, HTTPStatus.FORBIDDEN)


@pytest.mark.parametrize(
    "wrong", [{"id": 100}, {"href": f"{URL}/100"}, {"type": "BogusType"}, {"type": f"{AMAZON_TYPE}::Vm"}]
)
def test_an_id_an_address_or_an_unknown_type_is_refused(creator: Client, wrong: dict[str, Any]) -> None:
    refusal(creator, "post", URL, SAMPLE | {"credentials": LOGIN} | wrong)
    assert not Provider.objects.exists()


@pytest.mark.parametrize("body", [lambda one: one, lambda one: {"action": "create", "resource": one}])
def test_a_provider_is_created_by_its_attributes_and_by_the_action(creator: Client, body: Any) -> None:
    [provider] = created(creator, body(OTHER | {"security_protocol": "ssl", "credentials": LOGIN}))
    assert provider.endpoint == "https://keystone.example.com:5000"
    assert provider.credentials == LOGIN


def test_of_compound_credentials_the_default_ones_are_the_cloud_s(creator: Client) -> None:
    [provider] = created(creator, SAMPLE | {"credentials": [LOGIN, METRICS]})
    assert provider.credentials == LOGIN


def test_several_are_created_at_once(creator: Client) -> None:
    resources = [SAMPLE | {"credentials": LOGIN}, OTHER | {"credentials": LOGIN}]
    first, second = created(creator, {"action": "create", "resources": resources})
    assert (first.name, second.name) == (SAMPLE["name"], OTHER["name"])


@pytest.mark.parametrize(
    "connections",
    [
        [CONNECTION, other("hawkular")],
        [other("prometheus_alerts"), CONNECTION, other("prometheus")],
        [other("amqp"), other("ceilometer"), CONNECTION],
    ],
)
def test_of_several_endpoints_the_default_one_is_the_cloud(creator: Client, connections: list[Any]) -> None:
    body = {"type": OPENSTACK_TYPE, "name": "several", "connection_configurations": connections}
    [provider] = created(creator, {"action": "create", "resource": body})
    assert provider.endpoint == "https://cloud.example.com:5000"
    assert not provider.connection.verify_ssl
    assert provider.credentials == LOGIN


@pytest.mark.on_purpose("Portcullis talks to the cloud alone: connections of other roles are not kept")
def test_the_endpoints_of_other_roles_are_not_kept(creator: Client) -> None:
    connections = [CONNECTION, other("amqp")]
    [provider] = created(
        creator, {"type": OPENSTACK_TYPE, "name": "several", "connection_configurations": connections}
    )
    assert "amqp" not in str(Provider.objects.values().get(pk=provider.pk)) + str(provider.credentials)


@pytest.mark.on_purpose("It answers whether they are right, and what they may do, without a task")
def test_credentials_are_verified_at_once(creator: Client) -> None:
    form = {"endpoints": {"default": {"url": "http://127.0.0.1:9"}}, "authentications": LOGIN}
    body = {"action": "verify_credentials", "type": AMAZON_TYPE, "zone_id": str(Zone.objects.get().pk), **form}
    [result] = ask(creator, "post", URL, body, HTTPStatus.BAD_REQUEST)["results"]
    assert (result["success"], "task_id" in result) == (False, False)
    assert not Provider.objects.exists()
    assert not Task.objects.exists()


# --- edit ---


def test_a_form_of_the_ui_edits_a_provider(editor: Client, cast: Cast) -> None:
    body = {"action": "edit", "resource": {"name": "updated provider name", "ddf": True}}
    assert ask(editor, "post", f"{URL}/{cast.acme.pk}", body)["name"] == "updated provider name"
    wrong = {"action": "edit", "resource": {"name": "updated again", "ddf": True, "endpoints": "RandomError"}}
    refusal(editor, "post", f"{URL}/{cast.acme.pk}", wrong)
    assert Provider.objects.get().name == "updated provider name"


def test_an_edit_asks_its_permission(client: Client) -> None:
    may(client, "inventory.view_provider")
    resource = {"name": "provider name", "href": NOWHERE}
    ask(client, "post", URL, {"action": "edit", "resource": resource}, HTTPStatus.FORBIDDEN)


def test_what_is_not_there_is_not_edited(editor: Client) -> None:
    body = {"action": "edit", "resource": {"name": "updated provider name"}}
    ask(editor, "post", NOWHERE, body, HTTPStatus.NOT_FOUND)


def test_an_edit_answers_what_is_kept_of_the_provider(editor: Client, cast: Cast) -> None:
    Provider.objects.update(hostname="amazon.example.com")
    body = {"action": "edit", "resource": {"name": "updated provider", "port": "8080"}}
    answer = ask(editor, "post", f"{URL}/{cast.acme.pk}", body)
    assert (answer["id"], answer["name"], answer["port"]) == (str(cast.acme.pk), "updated provider", 8080)
    assert not {"total_vms", "total_security_groups"} & answer.keys()
    assert Provider.objects.get().port == 8080


@pytest.mark.on_purpose("Stored credentials are not sent to another port: an edit of it gives them again")
def test_another_port_asks_for_the_credentials(editor: Client, cast: Cast) -> None:
    Provider.objects.update(hostname="amazon.example.com")
    actors.give_credentials(cast.acme, **LOGIN)
    body = {"action": "edit", "resource": {"port": "8080"}}
    assert "credentials: " in refusal(editor, "post", f"{URL}/{cast.acme.pk}", body)


@pytest.mark.on_purpose("A provider has no options")
def test_options_are_refused(editor: Client, cast: Cast) -> None:
    body = {"action": "edit", "resource": {"options": {"hello": "world"}}}
    assert refusal(editor, "post", f"{URL}/{cast.acme.pk}", body) == "Invalid attributes specified: options"


def test_credentials_are_updated(editor: Client, cast: Cast) -> None:
    body = {"action": "edit", "resource": {"name": "updated", "credentials": {**LOGIN, "userid": "superadmin"}}}
    assert ask(editor, "post", f"{URL}/{cast.acme.pk}", body)["name"] == "updated"
    assert Provider.objects.get().credentials == {**LOGIN, "userid": "superadmin"}


@pytest.mark.on_purpose("Credentials are given whole: half of them is no half of others")
def test_half_of_the_credentials_is_refused(editor: Client, cast: Cast) -> None:
    actors.give_credentials(cast.acme, **LOGIN)
    body = {"action": "edit", "resource": {"credentials": {"userid": "superadmin"}}}
    assert "password: " in refusal(editor, "post", f"{URL}/{cast.acme.pk}", body)
    assert Provider.objects.get().credentials == LOGIN


def test_another_endpoint_is_read_at_once(editor: Client, cast: Cast) -> None:
    body = {"action": "edit", "resource": {"connection_configurations": [CONNECTION, other("hawkular")]}}
    ask(editor, "post", f"{URL}/{cast.acme.pk}", body)
    assert Provider.objects.get().endpoint == "https://cloud.example.com:5000"
    assert Task.objects.get().name == "Refresh of acme"


@pytest.mark.on_purpose("An edit that says how the cloud is reached has it read, also where nothing is new")
def test_the_same_endpoint_is_read_too(editor: Client, cast: Cast) -> None:
    body = {"action": "edit", "resource": {"connection_configurations": [CONNECTION]}}
    ask(editor, "post", f"{URL}/{cast.acme.pk}", body)
    Task.objects.all().delete()
    ask(editor, "post", f"{URL}/{cast.acme.pk}", body)
    assert Task.objects.count() == 1


def test_credentials_of_another_role_leave_the_cloud_s_as_they_are(editor: Client, cast: Cast) -> None:
    actors.give_credentials(cast.acme, **LOGIN)
    body = {"action": "edit", "resource": {"name": "updated", "credentials": [METRICS]}}
    assert ask(editor, "post", f"{URL}/{cast.acme.pk}", body)["name"] == "updated"
    assert Provider.objects.get().credentials == LOGIN


def test_several_are_edited_by_their_addresses(editor: Client) -> None:
    pks = [Provider.objects.create(name=name, vendor=AMAZON).pk for name in ("name1", "name2")]
    resources = [{"href": f"http://testserver{URL}/{pk}", "name": f"updated {pk}"} for pk in pks]
    results = ask(editor, "post", URL, {"action": "edit", "resources": resources})["results"]
    assert [(one["id"], one["name"]) for one in results] == [(str(pk), f"updated {pk}") for pk in pks]


# --- delete and refresh ---


def test_a_deletion_asks_its_permission_whatever_is_there(client: Client) -> None:
    may(client, "inventory.view_provider")
    ask(client, "post", URL, {"action": "delete", "resource": {"href": NOWHERE}}, HTTPStatus.FORBIDDEN)
    ask(client, "delete", NOWHERE, status=HTTPStatus.FORBIDDEN)
    ask(client, "post", NOWHERE, {"action": "refresh"}, HTTPStatus.FORBIDDEN)


def test_what_is_not_there_is_not_deleted(client: Client) -> None:
    may(client, "inventory.delete_provider")
    ask(client, "delete", NOWHERE, status=HTTPStatus.NOT_FOUND)


def test_a_provider_is_deleted_by_the_method(client: Client, cast: Cast) -> None:
    may(client, "inventory.delete_provider", "inventory.view_provider")
    assert ask(client, "delete", f"{URL}/{cast.acme.pk}", status=HTTPStatus.NO_CONTENT) is None


@pytest.mark.parametrize(("action", "word"), [("delete", "Deleting"), ("refresh", "Refreshing")])
def test_a_deletion_and_a_refresh_answer_a_task(client: Client, cast: Cast, action: str, word: str) -> None:
    may(client, f"inventory.{action}_provider", "inventory.view_provider")
    result = ask(client, "post", f"{URL}/{cast.acme.pk}", {"action": action})
    assert result["success"] is True
    assert result["message"].startswith(f"{word} provider")
    assert result["href"] == f"http://testserver{URL}/{cast.acme.pk}"
    assert result["task_href"] == f"http://testserver/api/tasks/{result['task_id']}"
    if action == "refresh":
        assert result["tasks"] == [{"id": result["task_id"], "href": result["task_href"]}]


@pytest.mark.parametrize("action", ["delete", "refresh"])
def test_several_are_deleted_or_refreshed_at_once(client: Client, action: str) -> None:
    may(client, f"inventory.{action}_provider", "inventory.view_provider")
    pks = [Provider.objects.create(name=name, vendor=AMAZON).pk for name in ("name1", "name2")]
    resources = [{"href": f"http://testserver{URL}/{pk}"} for pk in pks]
    results = ask(client, "post", URL, {"action": action, "resources": resources})["results"]
    assert [(one["success"], one["href"]) for one in results] == [(True, one["href"]) for one in resources]
    assert len({one["task_id"] for one in results}) == 2


@pytest.mark.on_purpose("What a user may not see is not there, whatever else they may do")
@pytest.mark.parametrize("action", ["edit", "delete", "refresh"])
def test_nothing_is_done_to_a_provider_that_is_not_seen(client: Client, cast: Cast, action: str) -> None:
    permission = {"edit": "change"}.get(action, action)
    may(client, f"inventory.{permission}_provider")
    ask(client, "post", f"{URL}/{cast.acme.pk}", {"action": action}, HTTPStatus.NOT_FOUND)
