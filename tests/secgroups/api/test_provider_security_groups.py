"""Making and editing security groups over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Task
from inventory.runner import run_queue
from secgroups.models import SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import MemoryCloud
from tests.contracts import everything_to_see, grant


def post(client: Client, url: str, body: Any, status: int = HTTPStatus.OK) -> Any:
    answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def refused(client: Client, url: str, resource: Any, action: str = "create") -> str:
    """The message of a single one that is refused."""
    [result] = post(client, url, {"action": action, "resource": resource}, HTTPStatus.BAD_REQUEST)["results"]
    assert result["success"] is False
    assert not Task.objects.exists()
    return str(result["message"])


@pytest.fixture
def url(cast: Cast) -> str:
    return f"/api/providers/{cast.acme.pk}/security_groups"


class TestCreate:
    def test_a_group_is_made_by_a_task_that_the_answer_names(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str
    ) -> None:
        resource = {"name": "new", "description": "a new one", "cloud_network": {"id": cast.staging.network.pk}}

        answer = post(admin_client, url, {"action": "create", "resource": resource})

        task = Task.objects.get()
        assert answer == {
            "results": [
                {
                    "success": True,
                    "message": "Creating security group new",
                    "task_id": str(task.pk),
                    "task_href": f"http://testserver/api/tasks/{task.pk}",
                    "href": f"http://testserver/api/providers/{cast.acme.pk}",
                }
            ]
        }
        run_queue(task.queue)
        made = SecurityGroup.objects.get(name="new")
        assert (made.description, made.cloud_network) == ("a new one", cast.staging.network)
        shown = admin_client.get(f"/api/tasks/{task.pk}").json()
        assert (shown["state"], shown["status"]) == ("Finished", "Ok")
        assert shown["message"] == "Created security group new."
        assert shown["context_data"]["security_group"] == {
            "id": str(made.pk),
            "ems_ref": made.ems_ref,
            "name": "new",
            "description": "a new one",
            "cloud_tenant": None,
            "cloud_network": "staging",
        }
        read = admin_client.get(f"{url}/{made.pk}?expand=firewall_rules").json()
        assert [rule["direction"] for rule in read["firewall_rules"]] == ["outbound"]

    def test_without_an_action_it_is_create_and_many_are_each_answered(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str
    ) -> None:
        resources = [{"name": "one"}, {}, {"name": "two", "foo": 1}, {"name": "web"}, {"name": "three"}]

        results = post(admin_client, url, {"resources": resources})["results"]

        assert [result["success"] for result in results] == [True, False, False, True, True]
        run_queue(f"security_groups/{cast.acme.pk}")
        assert list(Task.objects.values_list("status", flat=True)) == ["Ok", "Error", "Ok"]
        assert SecurityGroup.objects.filter(name__in=["one", "two", "three"]).count() == 2

    @pytest.mark.parametrize("collection", ["cloud_tenants", "cloud_networks"])
    def test_tenant_and_network_can_be_named_by_their_address(
        self, admin_client: Client, cast: Cast, url: str, collection: str
    ) -> None:
        row = {"cloud_tenants": cast.tenant, "cloud_networks": cast.staging.network}[collection]
        named = {"href": f"http://testserver/api/{collection}/{row.pk}"}
        post(admin_client, url, {"name": "new", collection[:-1]: named})
        group = Task.objects.get().arguments["group"]
        key = {"cloud_tenants": "tenant_ref", "cloud_networks": "network_ref"}[collection]
        assert group[key] == row.ems_ref

    @pytest.mark.parametrize(
        ("resource", "message"),
        [
            ({}, "Cannot create a security group: name: This field is required."),
            ({"name": ""}, "Cannot create security group : name: This field may not be blank."),
            ({"name": "n" * 256}, "name: Ensure this field has no more than 255 characters."),
            ({"name": ["web"]}, "Cannot create a security group: name: Not a valid string."),
            ({"name": "new", "foo": 1, "bar": 2}, "security group new: Invalid attributes specified: bar, foo"),
            ({"name": "new", "cloud_network": {"id": 0}}, "new: cloud_network: there is no cloud network 0"),
            ({"name": "new", "cloud_network": {}}, "new: cloud_network: there is no cloud network"),
            ({"name": "new", "cloud_network": {"href": "/api/vms/1"}}, "there is no cloud network /api/vms/1"),
            ({"name": "new", "cloud_tenant": {"id": "x"}}, "new: cloud_tenant: there is no cloud tenant x"),
            (
                {"name": "new", "cloud_tenant": "x"},
                "cloud_tenant: Invalid data. Expected a dictionary, but got str.",
            ),
        ],
    )
    def test_what_cannot_be_understood_is_refused_and_named(
        self, admin_client: Client, url: str, resource: Any, message: str
    ) -> None:
        assert refused(admin_client, url, resource).endswith(message)

    @pytest.mark.parametrize("attribute", ["cloud_tenant", "cloud_network"])
    def test_the_id_and_the_address_of_a_reference_are_of_one(
        self, admin_client: Client, cast: Cast, url: str, attribute: str
    ) -> None:
        row = {"cloud_tenant": cast.tenant, "cloud_network": cast.staging.network}[attribute]
        named = {"id": row.pk, "href": f"/api/{attribute}s/{row.pk + 1}"}
        message = refused(admin_client, url, {"name": "new", attribute: named})
        assert message.endswith(f"{attribute}: its id and href name different resources")

    def test_a_network_of_another_provider_is_refused(self, admin_client: Client, cast: Cast, url: str) -> None:
        other = actors.network(actors.tenant(actors.provider("other")), "far")
        message = refused(admin_client, url, {"name": "new", "cloud_network": {"id": other.pk}})
        assert message == "Cannot create security group new: cloud_network: far does not belong to acme"

    def test_a_network_that_the_caller_may_not_see_is_none(
        self, client: Client, cast: Cast, url: str, django_user_model: type[User]
    ) -> None:
        user = django_user_model.objects.create_user("sam")
        grant(user, "inventory.view_provider", "secgroups.add_securitygroup")
        client.force_login(user)
        network = cast.staging.network.pk
        assert refused(client, url, {"name": "new", "cloud_network": {"id": network}}).endswith(
            f"cloud_network: there is no cloud network {network}"
        )

    def test_a_provider_that_cannot_manage_groups_refuses(self, admin_client: Client, cast: Cast) -> None:
        other = actors.provider("other", vendor="kubernetes")
        message = refused(admin_client, f"/api/providers/{other.pk}/security_groups", {"name": "new"})
        assert message == (
            "Cannot create security group new: Portcullis has no driver for provider other of type kubernetes"
        )

    def test_a_disabled_provider_ends_the_task_as_an_error(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str
    ) -> None:
        type(cast.acme).objects.update(enabled=False)
        post(admin_client, url, {"name": "new"})
        run_queue(f"security_groups/{cast.acme.pk}")
        task = Task.objects.get()
        assert (task.status, task.message) == (
            "Error",
            "Cannot create security group new: Provider acme is disabled.",
        )
        assert cloud.calls == []


class TestEdit:
    def test_a_group_is_edited_by_a_task(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str
    ) -> None:
        group = cast.production.web
        address = f"{url}/{group.pk}"

        answer = post(admin_client, address, {"action": "edit", "resource": {"name": "www", "description": "x"}})

        assert (answer["success"], answer["href"]) == (True, f"http://testserver{address}")
        assert answer["message"] == "Editing security group web"
        run_queue(Task.objects.get().queue)
        group.refresh_from_db()
        assert (group.name, group.description) == ("www", "x")

    def test_many_are_edited_by_id_or_address(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str
    ) -> None:
        web, db = cast.production.web, cast.production.db
        resources = [
            {"id": web.pk, "name": "www"},
            {"href": f"http://testserver{url}/{db.pk}", "description": "data"},
            {"id": web.pk},
            {"id": web.pk, "direction": "x"},
            {"id": 0, "name": "www"},
            {"name": "www"},
        ]
        results = post(admin_client, url, {"action": "edit", "resources": resources})["results"]
        assert [result["success"] for result in results] == [True, True, False, False, False, False]
        assert [result["message"] for result in results[2:]] == [
            "Cannot edit security group web: no changes were given",
            "Cannot edit security group web: Invalid attributes specified: direction",
            "Cannot edit security group www: Couldn't find SecurityGroup with 'id'=0",
            "Cannot edit security group www: A resource must have an id or an href",
        ]

    def test_a_cloud_that_cannot_is_not_asked(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(MemoryCloud, "supports_group_edits", False)
        address = f"{url}/{cast.production.web.pk}"
        answer = post(admin_client, address, {"action": "edit", "name": "www"}, HTTPStatus.BAD_REQUEST)
        assert answer == {
            "success": False,
            "message": "Cannot edit security group web: the cloud of acme can't edit security groups",
            "href": f"http://testserver{address}",
        }
        assert not Task.objects.exists()

    def test_put_and_patch_are_no_methods_of_it(self, admin_client: Client, cast: Cast, url: str) -> None:
        address = f"{url}/{cast.production.web.pk}"
        for method in ("put", "patch"):
            answer = getattr(admin_client, method)(address, {"name": "www"}, "application/json")
            assert answer.status_code == HTTPStatus.BAD_REQUEST
            assert f"Unsupported HTTP Method {method}" in answer.json()["error"]["message"]


@pytest.mark.parametrize("action", ["create", "edit", "delete"])
def test_each_action_asks_its_permission_and_is_offered_with_it(
    client: Client, cast: Cast, cloud: MemoryCloud, url: str, django_user_model: type[User], action: str
) -> None:
    user = everything_to_see(django_user_model.objects.create_user("sam"))
    client.force_login(user)
    address = url if action == "create" else f"{url}/{cast.production.web.pk}"
    offered = lambda: {one["name"] for one in client.get(address).json().get("actions", ())}  # noqa: E731
    assert action not in offered()
    body = {"action": action, "resource": {} if action == "delete" else {"name": "new"}}
    post(client, address, body, HTTPStatus.FORBIDDEN)
    grant(user, f"secgroups.{ {'create': 'add', 'edit': 'change'}.get(action, action) }_securitygroup")
    assert action in offered()
    assert not Task.objects.exists()
    post(client, address, body)
    assert Task.objects.get().userid == "sam"
