"""A provider that can only be read: every change is refused over HTTP, and nothing is queued."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Provider, Task
from secgroups.models import FirewallRule, SecurityGroup
from tests import cast as actors
from tests.cast import FILE, Cast
from tests.contracts import grant

REASON = "provider acme is read-only (type file)"
OPEN = {"direction": "inbound", "host_protocol": "tcp", "port": 22, "source_ip_range": "10.0.0.0/8"}


@pytest.fixture
def company(cast: Cast) -> Cast:
    """The cast, whose provider is a file."""
    Provider.objects.filter(pk=cast.acme.pk).update(vendor=FILE, url="file:///acme.json")
    return cast


@pytest.fixture
def rule(company: Cast) -> FirewallRule:
    return actors.rule(company.production.web, 80)


def refusals(client: Client, url: str, body: dict[str, Any], status: int = HTTPStatus.BAD_REQUEST) -> list[str]:
    """What is said of each resource."""
    answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    results = answer.json().get("results", [answer.json()])
    assert [result["success"] for result in results] == [False] * len(results)
    assert not Task.objects.exists()
    return [result["message"] for result in results]


@pytest.mark.parametrize("collection", ["instances", "vms"])
@pytest.mark.parametrize(("action", "preposition"), [("add", "to"), ("remove", "from")])
def test_groups_are_neither_added_nor_removed(
    admin_client: Client, company: Cast, collection: str, action: str, preposition: str
) -> None:
    url = f"/api/{collection}/{company.production.single.pk}/security_groups"
    said = f"Cannot {action} {{}} {preposition} production-single: {REASON}"
    assert refusals(admin_client, url, {"action": action, "resource": {"name": "web"}}) == [said.format("web")]
    assert refusals(admin_client, f"{url}/{action}", {"name": "web"}) == [said.format("web")]
    many = {"action": action, "resources": [{"name": "web"}, {"ems_ref": "sg-9"}]}
    assert refusals(admin_client, url, many, HTTPStatus.OK) == [said.format("web"), said.format("sg-9")]


def test_groups_are_not_made(admin_client: Client, company: Cast) -> None:
    url = f"/api/providers/{company.acme.pk}/security_groups"
    said = f"Cannot create security group new: {REASON}"
    assert refusals(admin_client, url, {"name": "new"}) == [said]
    network = {"id": company.production.network.pk}
    assert refusals(admin_client, url, {"name": "new", "cloud_network": network}) == [said]


def test_groups_are_not_edited(admin_client: Client, company: Cast) -> None:
    url = f"/api/providers/{company.acme.pk}/security_groups/{company.production.web.pk}"
    said = f"Cannot edit security group web: {REASON}"
    assert refusals(admin_client, url, {"action": "edit", "resource": {"name": "www"}}) == [said]


def test_groups_are_not_deleted(admin_client: Client, company: Cast) -> None:
    pk = company.production.web.pk
    said = f"Cannot delete security group web: {REASON}"
    for url in (f"/api/security_groups/{pk}", f"/api/providers/{company.acme.pk}/security_groups/{pk}"):
        assert refusals(admin_client, url, {"action": "delete"}) == [said]
        assert admin_client.delete(url).status_code == HTTPStatus.BAD_REQUEST
    many = {"action": "delete", "resources": [{"id": pk}]}
    assert refusals(admin_client, "/api/security_groups", many, HTTPStatus.OK) == [said]
    assert SecurityGroup.objects.filter(pk=pk).exists()
    assert not Task.objects.exists()


def test_rules_are_not_made(admin_client: Client, company: Cast) -> None:
    url = f"/api/security_groups/{company.production.web.pk}/firewall_rules"
    assert refusals(admin_client, url, OPEN) == [
        f"Cannot create rule inbound tcp 22 from 10.0.0.0/8 of security group web: {REASON}"
    ]


def test_rules_are_not_deleted(admin_client: Client, company: Cast, rule: FirewallRule) -> None:
    url = f"/api/security_groups/{company.production.web.pk}/firewall_rules/{rule.pk}"
    assert refusals(admin_client, url, {"action": "delete"}) == [
        f"Cannot delete rule inbound tcp 80 from 10.0.0.0/8 of security group web: {REASON}"
    ]
    assert admin_client.delete(url).status_code == HTTPStatus.BAD_REQUEST
    assert FirewallRule.objects.filter(pk=rule.pk).exists()


def test_the_admin_refuses_in_the_same_words(admin_client: Client, company: Cast) -> None:
    url = f"/admin/inventory/vm/security-groups/add/?ids={company.production.single.pk}"
    answer = admin_client.post(url, {"groups": [company.production.web.pk], "confirm": "Add"}, follow=True)
    assert f"Cannot add web (sg-production-web) to production-single: {REASON}" in answer.content.decode()
    assert {task.state for task in Task.objects.all()} == {"Finished"}


def test_the_provider_says_so(admin_client: Client, company: Cast) -> None:
    actors.provider("aws")
    url = "/api/providers?expand=resources&attributes=name,supports_security_groups"
    shown = {one["name"]: one["supports_security_groups"] for one in admin_client.get(url).json()["resources"]}
    assert shown == {"acme": False, "aws": True}


def test_without_the_permission_it_is_that_which_is_missing(
    client: Client, company: Cast, django_user_model: type[User]
) -> None:
    user = django_user_model.objects.create_user("sam")
    grant(user, "inventory.view_vm", "secgroups.view_securitygroup")
    client.force_login(user)
    url = f"/api/vms/{company.production.single.pk}/security_groups"
    answer = client.post(url, {"action": "add", "name": "web"}, content_type="application/json")
    assert answer.status_code == HTTPStatus.FORBIDDEN
