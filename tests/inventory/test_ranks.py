"""Nobody makes anybody, or themselves, more than they are: by users, groups, grants and links of logins."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from inventory.models import EventStream, Grant
from inventory.services import Rank
from tests.cast import Planted, plant
from tests.readers import grant


@pytest.fixture
def clerk(django_user_model: type[User]) -> User:
    """Who may change users and groups, and look at VMs."""
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    accounts = Permission.objects.filter(content_type__app_label="auth", content_type__model__in=["user", "group"])
    clerk.user_permissions.set(accounts | Permission.objects.filter(codename__in=["view_vm", "add_oidcidentity"]))
    return clerk


@pytest.fixture
def accounts(django_user_model: type[User], admin_user: User) -> dict[str, User]:
    """By what they have: no more than the clerk, or more in one of the ways."""
    made = {
        name: django_user_model.objects.create_user(name, password="correct horse")
        for name in ("equal", "permission", "group", "grant", "reader")
    }
    change = Permission.objects.get(codename="change_provider")
    made["equal"].user_permissions.set(Permission.objects.filter(codename="view_vm"))
    made["permission"].user_permissions.add(change)
    Group.objects.create(name="changers").permissions.add(change)
    made["group"].groups.set(Group.objects.filter(name="changers"))
    grant(made["grant"], "viewer", plant("tenant").tenant, "granted")
    return {**made, "superuser": admin_user}


BEYOND = {"permission", "group", "grant", "superuser"}


def test_only_accounts_with_no_more_rights_are_within(clerk: User, accounts: dict[str, User]) -> None:
    within = {user.username for user in Rank(clerk).users()}
    assert within & {user.username for user in accounts.values()} == {"equal", "reader"}
    assert "changers" not in {group.name for group in Rank(clerk).groups()}
    assert "granted" not in {group.name for group in Rank(clerk).groups()}
    assert Rank(accounts["superuser"]).users().count() == User.objects.count()


def test_nobody_changes_or_deletes_an_account_with_more_rights(
    client: Client, clerk: User, accounts: dict[str, User]
) -> None:
    client.force_login(clerk)
    for kind, user in accounts.items():
        before = User.objects.values().get(pk=user.pk)
        password = client.post(
            reverse("admin:auth_user_password_change", args=[user.pk]),
            {"password1": "tr0ub4dor-and-3", "password2": "tr0ub4dor-and-3"},
        )
        delete = client.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"})
        expected = HTTPStatus.FORBIDDEN if kind in BEYOND else HTTPStatus.FOUND
        assert (password.status_code, delete.status_code) == (expected, expected), kind
        kept = User.objects.values().filter(pk=user.pk).first()
        assert kept == (before if kind in BEYOND else None), kind


def test_nobody_deletes_accounts_with_more_rights_from_the_list(
    client: Client, clerk: User, accounts: dict[str, User]
) -> None:
    client.force_login(clerk)
    pks = {user.pk for user in accounts.values()}
    for selected, left in ((pks, pks), ({accounts["equal"].pk}, pks - {accounts["equal"].pk})):
        chosen = {"action": "delete_selected", "post": "yes", "_selected_action": [*selected]}
        client.post(reverse("admin:auth_user_changelist"), chosen)
        assert set(User.objects.filter(pk__in=pks).values_list("pk", flat=True)) == left


def change_account(client: Client, user: User, **given: Any) -> User:
    """Post the form of an account with this. Returns the account as it then is."""
    form = {
        "username": user.username,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "is_active": "on",
        "is_staff": "on",
    }
    client.post(reverse("admin:auth_user_change", args=[user.pk]), form | given)
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize("beyond", ["is_superuser", "groups", "user_permissions"])
def test_nobody_gives_an_account_more_than_they_have(
    client: Client, clerk: User, accounts: dict[str, User], beyond: str
) -> None:
    """Not even themselves."""
    client.force_login(clerk)
    given: dict[str, Any] = {
        "is_superuser": "on",
        "groups": [Group.objects.get(name="changers").pk],
        "user_permissions": [Permission.objects.get(codename="change_provider").pk],
    }
    for user in (accounts["equal"], clerk):
        changed = change_account(client, user, **{beyond: given[beyond]})
        assert not changed.is_superuser
        assert not changed.groups.exists()
        assert "inventory.change_provider" not in changed.get_all_permissions()


@pytest.mark.parametrize("within", ["groups", "user_permissions"])
def test_an_account_is_given_what_the_giver_has(
    client: Client, clerk: User, accounts: dict[str, User], within: str
) -> None:
    view = Permission.objects.get(codename="view_vm")
    lookers = Group.objects.create(name="lookers")
    lookers.permissions.add(view)
    client.force_login(clerk)
    given = {"groups": [lookers.pk], "user_permissions": [view.pk]}
    changed = change_account(client, accounts["reader"], **{within: given[within]})
    assert changed.get_all_permissions() == {"inventory.view_vm"}


def test_nobody_gives_a_group_more_than_they_have(client: Client, clerk: User, accounts: dict[str, User]) -> None:
    client.force_login(clerk)
    mine = Group.objects.create(name="mine")
    change, view = (Permission.objects.get(codename=name) for name in ("change_provider", "view_vm"))
    for permission in (change, view):
        form = {"name": "mine", "permissions": [permission.pk]}
        client.post(reverse("admin:auth_group_change", args=[mine.pk]), form)
    assert [permission.codename for permission in mine.permissions.all()] == ["view_vm"]
    changers = Group.objects.get(name="changers")
    answer = client.post(reverse("admin:auth_group_change", args=[changers.pk]), {"name": "taken"})
    assert answer.status_code == HTTPStatus.FORBIDDEN


def test_an_owner_gives_grants_in_the_admin_of_what_they_own(
    client: Client, django_user_model: type[User], accounts: dict[str, User]
) -> None:
    mine: Planted = plant("mine")
    other = plant("meadow", mine.provider)
    ada = django_user_model.objects.create_user("ada", is_staff=True)
    team = grant(ada, "owner", mine.tenant)
    url = reverse("admin:inventory_grant_add")
    for user, is_offered in ((accounts["superuser"], True), (ada, False)):
        client.force_login(user)
        page = client.get(url, {"cloud_tenant": other.tenant.pk}).content.decode()
        assert ("granted" in page, "meadow" in page) == (is_offered, is_offered)
    for tenant, made in ((mine.tenant, True), (other.tenant, False), (None, False)):
        form = {"group": team.pk, "role": "viewer", "provider": "", "cloud_tenant": tenant.pk if tenant else ""}
        client.post(url, form)
        assert Grant.objects.filter(group=team, role="viewer", cloud_tenant=tenant).exists() is made, tenant
    listed = client.get(reverse("admin:inventory_grant_changelist")).context["cl"].queryset
    assert {row.cloud_tenant_id for row in listed} == {mine.tenant.pk}


def test_an_owner_of_a_tenant_connects_no_provider_in_the_admin(
    client: Client, django_user_model: type[User]
) -> None:
    """An owner of everything does."""
    ada = django_user_model.objects.create_user("ada", is_staff=True)
    client.force_login(ada)
    for scope, status in ((plant("mine").tenant, HTTPStatus.FORBIDDEN), (None, HTTPStatus.OK)):
        grant(ada, "owner", scope)
        for page in ("add", "verify"):
            answer = client.post(reverse(f"admin:inventory_provider_{page}"), {"name": "new", "vendor": "amazon"})
            assert answer.status_code == status, page


def test_a_group_that_limits_somebody_with_more_rights_is_not_deleted(
    client: Client, clerk: User, django_user_model: type[User]
) -> None:
    """It would go with its grant."""
    clerk.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    clerk.user_permissions.add(Permission.objects.get(codename="delete_grant"))
    boss = django_user_model.objects.create_user("boss")
    limiting, listed = (grant(boss, "viewer", plant(name).tenant, name) for name in ("mine", "other"))
    client.force_login(clerk)
    chosen = {"action": "delete_selected", "post": "yes", "_selected_action": [listed.pk]}
    for permissions, status, left in (
        (Permission.objects.all(), HTTPStatus.FORBIDDEN, 2),
        (Permission.objects.none(), HTTPStatus.FOUND, 0),
    ):
        boss.user_permissions.set(permissions)
        answer = client.post(reverse("admin:auth_group_delete", args=[limiting.pk]), {"post": "yes"})
        client.post(reverse("admin:auth_group_changelist"), chosen)
        assert answer.status_code == status
        assert Group.objects.filter(pk__in=[limiting.pk, listed.pk]).count() == left


def test_grants_that_go_with_their_group_leave_events(client: Client, admin_user: User) -> None:
    gone = Group.objects.get(name="viewer")
    client.force_login(admin_user)
    client.post(reverse("admin:auth_group_delete", args=[gone.pk]), {"post": "yes"})
    assert not Group.objects.filter(name="viewer").exists()
    assert EventStream.objects.filter(event_type="grant_deleted", username=admin_user.username).count() == 1
