"""Groups, as ManageIQ's requests/groups_spec asks for them: here they are managed in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.dialect.callers import ask, refusal, user
from tests.dialect.test_users import READ_ONLY

pytestmark = pytest.mark.django_db


@READ_ONLY
@pytest.mark.parametrize("action", ["create", "edit", "delete"])
def test_groups_are_not_changed(admin_client: Client, action: str) -> None:
    group = Group.objects.create(name="sample_group_1")
    resources = [{"href": f"/api/groups/{group.pk}", "description": "updated_group"}]
    said = refusal(admin_client, "post", "/api/groups", {"action": action, "resources": resources})
    assert said == f"Unsupported Action {action} for the groups collection specified"
    for method in ("put", "patch", "delete"):
        refusal(admin_client, method, f"/api/groups/{group.pk}", {"description": "updated_group"})
    assert Group.objects.get(pk=group.pk).name == "sample_group_1"


def test_ones_own_groups_are_shown(client: Client) -> None:
    me = user(groups=("first", "second"))
    Group.objects.create(name="third")
    client.force_login(me)
    resources = ask(client, "get", "/api/groups?expand=resources")["resources"]
    assert [one["description"] for one in resources] == ["first", "second"]
