"""The examples of ManageIQ's API documentation, of its reference and of providers, as in `test_documentation`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Provider, Task, Zone
from tests import cast as actors
from tests.cast import AMAZON, AMAZON_TYPE, OPENSTACK_TYPE, Cast
from tests.clouds import MemoryCloud
from tests.dialect.callers import ask, may, refusal
from tests.dialect.test_documentation import HOST, LOGIN, named

pytestmark = pytest.mark.django_db

METRICS = {"userid": "metrics_userid", "password": "metrics_password", "auth_type": "metrics"}

# --- examples/*_provider*, reference/providers ---


@pytest.mark.parametrize(
    "body",
    [
        {"type": AMAZON_TYPE, **HOST, "credentials": LOGIN},
        {"type": AMAZON_TYPE, **HOST, "credentials": [LOGIN, METRICS]},
        {"type": AMAZON_TYPE, "provider_region": "us-east-1", "credentials": LOGIN},
        {
            "type": OPENSTACK_TYPE,
            **HOST,
            "security_protocol": "ssl",
            "credentials": LOGIN,
            "connection_configurations": [
                {
                    "endpoint": {
                        "role": "amqp",
                        "hostname": "amqphost.com",
                        "port": "5672",
                        "security_protocol": "non-ssl",
                    },
                    "authentication": {"userid": "amqp_userid", "password": "amqp_password", "role": "amqp"},
                }
            ],
        },
        {
            "type": OPENSTACK_TYPE,
            "connection_configurations": [
                {"endpoint": {**HOST, "port": "5000", "verify_ssl": 0}, "authentication": LOGIN},
                {"endpoint": {"role": "ceilometer"}},
            ],
        },
    ],
)
def test_a_provider_is_created(admin_client: Client, body: dict[str, Any]) -> None:
    zone = {"zone": {"href": f"http://localhost:3000/api/zones/{Zone.objects.get().pk}"}}
    for number, resource in enumerate([body, body | zone]):
        for wrapped in (one := {"name": f"cloud {number}", **resource}, {"action": "create", "resource": one}):
            [made] = ask(admin_client, "post", "/api/providers", wrapped)["results"]
            assert made["type"] == body["type"]
            assert {"id", "href", "name", "hostname", "guid", "created_on", "updated_on"} <= made.keys()
            provider = Provider.objects.get(pk=made["id"])
            assert (provider.credentials, "amqp" in str(provider.endpoint)) == (LOGIN, False)
            ask(admin_client, "delete", made["href"], status=HTTPStatus.NO_CONTENT)


@pytest.mark.on_purpose("Keystone is asked by its API v3, and a key pair is no login")
def test_the_openstack_example_of_old_is_refused(admin_client: Client) -> None:
    endpoint = {"role": "default", "hostname": "10.0.0.1", "port": "5000", "security_protocol": "non-ssl"}
    authentication = {"type": f"{OPENSTACK_TYPE}::AuthKeyPair", "fingerprint": "fingerprint"}
    connections = [{"endpoint": endpoint, "authentication": authentication}]
    body = {"type": OPENSTACK_TYPE, "name": "API Example", "connection_configurations": connections}
    assert refusal(admin_client, "post", "/api/providers", {**body, "api_version": "v2"}).startswith("api_version")
    assert "fingerprint" in refusal(admin_client, "post", "/api/providers", body)


def test_a_provider_is_updated(admin_client: Client, cast: Cast) -> None:
    Provider.objects.update(hostname="cloud102")
    actors.give_credentials(cast.acme, **LOGIN)
    body = {"action": "edit", "ipaddress": "100.64.0.112", "credentials": [METRICS]}
    answer = ask(admin_client, "post", f"/api/providers/{cast.acme.pk}", body)
    assert (answer["name"], answer["hostname"]) == ("acme", "cloud102")
    resource = {"hostname": "new_cloud_50", "ipaddress": "192.168.150.2", "credentials": LOGIN}
    body = {"action": "edit", "resource": resource}
    assert ask(admin_client, "post", f"/api/providers/{cast.acme.pk}", body)["hostname"] == "new_cloud_50"


def test_providers_are_refreshed_and_deleted_by_tasks(admin_client: Client) -> None:
    urls = [f"/api/providers/{Provider.objects.create(name=name, vendor=AMAZON).pk}" for name in "abc"]
    refreshed = ask(admin_client, "post", urls[0], {"action": "refresh"})
    assert refreshed["tasks"] == [{"id": refreshed["task_id"], "href": refreshed["task_href"]}]
    deleted = ask(admin_client, "post", urls[0], {"action": "delete"})
    task = ask(admin_client, "get", deleted["task_href"])
    assert {"name", "state", "status", "message", "userid", "created_on", "updated_on"} <= task.keys()
    body = {"action": "delete", "resources": [{"href": f"http://testserver{url}"} for url in urls[1:]]}
    results = ask(admin_client, "post", "/api/providers", body)["results"]
    assert [one["href"] for one in results] == [f"http://testserver{url}" for url in urls[1:]]
    assert all({"success", "message", "task_id", "task_href"} < one.keys() for one in results)


def test_what_a_provider_has_is_queried(admin_client: Client, cast: Cast) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    for name in ("cloud_networks", "vms"):
        [first, *_] = ask(admin_client, "get", f"{url}/{name}")["resources"]
        assert ask(admin_client, "get", first["href"])["href"] == first["href"]
        assert ask(admin_client, "get", f"{url}?expand={name}")[name][0]["href"] == first["href"]
    query = "filter[]=name='staging*'&attributes=name,vendor&expand=resources"
    assert named(ask(admin_client, "get", f"{url}/vms?{query}")) == ["staging-single", "staging-double"]


# --- reference/security_groups, instances, vms, tasks, users, groups ---


@pytest.mark.parametrize("parent", ["cloud_tenants", "instances", "providers", "vms"])
def test_the_groups_of_a_resource(admin_client: Client, cast: Cast, parent: str) -> None:
    pks = {"cloud_tenants": cast.tenant.pk, "providers": cast.acme.pk}
    url = f"/api/{parent}/{pks.get(parent, cast.production.double.pk)}/security_groups"
    [first, *_] = ask(admin_client, "get", url)["resources"]
    assert ask(admin_client, "get", first["href"])["name"] == "default"


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("names", [["security_group_a"], ["security_group_a", "security_group_b"]])
def test_groups_are_added_and_removed(
    client: Client, cast: Cast, cloud: MemoryCloud, action: str, names: list[str]
) -> None:
    may(client, "inventory.view_vm", "inventory.change_vm_security_groups")
    resources = [{"name": name} for name in names]
    body = {"action": action} | ({"resources": resources} if names[1:] else {"resource": resources[0]})
    url = f"/api/instances/{cast.production.double.pk}/security_groups"
    results = ask(client, "post", url, body)["results"]
    assert [one["success"] for one in results] == [True] * len(names)


def test_tasks_are_queried_and_deleted(admin_client: Client, admin_user: User) -> None:
    urls = []
    for number in range(4):
        task = Task.objects.create(
            name=str(number), message="", owner=admin_user, userid="admin", state="Finished"
        )
        urls.append(f"http://testserver/api/tasks/{task.pk}")
    assert [one["href"] for one in ask(admin_client, "get", "/api/tasks")["resources"]] == urls
    assert ask(admin_client, "get", urls[0])["name"] == "0"
    ask(admin_client, "post", urls[0], {"action": "delete"})
    ask(admin_client, "delete", urls[1], status=HTTPStatus.NO_CONTENT)
    body = {"action": "delete", "resources": [{"href": href} for href in urls[2:]]}
    assert [one["success"] for one in ask(admin_client, "post", "/api/tasks", body)["results"]] == [True, True]
    assert not Task.objects.exists()


@pytest.mark.parametrize("collection", ["users", "groups", "security_groups", "instances", "vms", "tasks"])
def test_all_and_one_are_queried(admin_client: Client, company: Cast, collection: str) -> None:
    [first, *_] = ask(admin_client, "get", f"/api/{collection}")["resources"]
    assert ask(admin_client, "get", first["href"])["href"] == first["href"]


def test_groups_are_searched(admin_client: Client, company: Cast) -> None:
    query = "expand=resources&attributes=description&filter[]=description='*read*'"
    resources = ask(admin_client, "get", f"/api/groups/?{query}")["resources"]
    assert [one["description"] for one in resources] == ["readers"]
