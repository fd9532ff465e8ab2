"""Security groups of a provider, as ManageIQ's requests/security_groups_spec asks for them."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client

from inventory.models import Task
from tests.cast import Cast
from tests.clouds import MemoryCloud
from tests.dialect.callers import ask, may

pytestmark = pytest.mark.django_db


def test_groups_ask_their_permission(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_provider")
    ask(client, "get", f"/api/providers/{cast.acme.pk}/security_groups", status=HTTPStatus.FORBIDDEN)


def test_the_groups_of_a_provider_are_listed(client: Client, cast: Cast) -> None:
    may(client, "inventory.view_provider", "secgroups.view_securitygroup")
    listed = ask(client, "get", f"/api/providers/{cast.acme.pk}/security_groups?expand=resources")
    assert (listed["name"], listed["count"], listed["subcount"]) == ("security_groups", 6, 6)


def test_a_group_is_made_by_a_task(client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    may(client, "inventory.view_provider", "secgroups.add_securitygroup")
    body = {"name": "new security group"}
    [result] = ask(client, "post", f"/api/providers/{cast.acme.pk}/security_groups", body)["results"]
    assert result["success"] is True
    assert result["message"].startswith("Creating security group")
    assert result["task_href"] == f"http://testserver/api/tasks/{result['task_id']}"
    assert Task.objects.get(pk=result["task_id"]).state == Task.State.QUEUED
