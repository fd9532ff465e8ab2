"""Which users and groups each user sees, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.contracts import grant


@pytest.fixture
def ada(django_user_model: type[User]) -> User:
    """A user of two groups."""
    user = django_user_model.objects.create_user("ada", first_name="Ada", last_name="L.")
    user.groups.set(Group.objects.create(name=name) for name in ("operators", "readers"))
    return user


def test_users_see_themselves_and_their_groups_and_with_a_permission_all(client: Client, ada: User) -> None:
    other = User.objects.create_user("other", email="other@example.org")
    Group.objects.create(name="others")
    client.force_login(ada)

    def get(url: str) -> Any:
        return client.get(url).json()

    [me] = get("/api/users?expand=resources&attributes=groups")["resources"]
    assert (me["userid"], me["name"], me["email"]) == ("ada", "Ada L.", None)
    assert [group["description"] for group in me["groups"]] == ["operators", "readers"]
    assert get("/api/groups")["count"] == 2
    assert get(f"/api/users/{other.pk}")["error"]["kind"] == "not_found"
    grant(ada, "auth.view_user", "auth.view_group")
    assert get("/api/users?name=other")["subquery_count"] == 1
    assert get(f"/api/users/{other.pk}")["email"] == "other@example.org"
    assert get("/api/groups")["count"] == 3
