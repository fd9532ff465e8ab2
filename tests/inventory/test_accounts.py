"""What users may do."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, Group, Permission, User

from inventory.accounts import AccountBackend


@pytest.fixture
def ada(django_user_model: type[User]) -> User:
    """A user with a permission of her own, and with some by two groups, one of them by both."""
    ada = django_user_model.objects.create_user("ada")
    first, second, third, *_ = Permission.objects.order_by("?")
    ada.user_permissions.add(first)
    for name, permissions in (("readers", [second]), ("operators", [second, third]), ("others", [])):
        Group.objects.create(name=name).permissions.add(*permissions)
    ada.groups.set(Group.objects.filter(name__in=["readers", "operators"]))
    Group.objects.get(name="others").permissions.set(Permission.objects.all())
    return User.objects.get(pk=ada.pk)


def granted(user: Any) -> set[str]:
    """What Django's own backend says that a user may."""
    return ModelBackend().get_all_permissions(User.objects.get(pk=user.pk))


def test_a_user_may_what_is_granted_to_them_and_to_their_groups_by_one_query(
    ada: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert len(ada.get_all_permissions()) == 3
        assert ada.has_perms(ada.get_all_permissions())
    assert ada.get_all_permissions() == granted(ada)


def test_another_user_s_permissions_are_not_theirs(ada: User, django_user_model: type[User]) -> None:
    assert ada.get_all_permissions()
    assert django_user_model.objects.create_user("eve").get_all_permissions() == set()


def test_who_is_not_active_may_nothing(ada: User, django_assert_num_queries: Any) -> None:
    ada.is_active = False
    with django_assert_num_queries(0):
        assert ada.get_all_permissions() == set()
        assert AnonymousUser().get_all_permissions() == set()


def test_nobody_is_granted_anything_on_one_object(ada: User) -> None:
    assert AccountBackend().get_all_permissions(ada, obj=ada) == set()


def test_a_superuser_may_everything(admin_user: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert admin_user.has_perm("inventory.view_vm")
    assert admin_user.get_all_permissions() == granted(admin_user)


def test_a_user_who_is_not_saved_may_nothing(db: None) -> None:
    assert User(username="sam").get_all_permissions() == set()
