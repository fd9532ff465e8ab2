"""Accepted work is asked again: whoever lost the right meanwhile does not get it done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from inventory.deletion import handle_provider_tasks
from inventory.messages import RIGHT_LOST
from inventory.models import Grant, Task
from inventory.runner import _claim_tasks
from inventory.services import request_refresh
from secgroups.services import (
    GroupReference,
    group_creation,
    group_deletion,
    group_edit,
    request_changes,
    request_edits,
    rule_creation,
)
from tests.cast import Cast, memberships, provider
from tests.clouds import Grip, MemoryCloud
from tests.readers import grant
from tests.secgroups.carrying import carried_out
from tests.secgroups.editing import edited


@pytest.fixture
def ada(cast: Cast, django_user_model: type[User]) -> User:
    ada = django_user_model.objects.create_user("ada")
    grant(ada, "owner", cast.acme)
    return ada


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def delete(user: User) -> None:
    User.objects.get(pk=user.pk).delete()


def demote(user: User) -> None:
    Grant.objects.filter(group__user=user).update(role="viewer")


def move(user: User) -> None:
    Grant.objects.filter(group__user=user).update(provider=987_654)


LOSSES = pytest.mark.parametrize("lose", [deactivate, delete, demote, move])


@LOSSES
def test_a_membership_is_not_changed(
    lose: Callable[[User], None], cast: Cast, cloud: MemoryCloud, ada: User
) -> None:
    vm = cast.production.single
    before = memberships(vm)
    request_changes(vm=vm, action="add", references=[GroupReference("web")], user=ada)
    request_changes(vm=vm, action="add", references=[GroupReference("db")], user=None)
    lose(ada)
    lost, kept = carried_out(vm)
    assert (lost.status, lost.message) == ("Error", RIGHT_LOST)
    assert kept.status == "Ok"
    [port] = before
    assert memberships(vm)[port] == before[port] | {"sg-production-db"}


def test_what_the_cloud_has_by_then_is_done(cast: Cast, cloud: MemoryCloud, ada: User) -> None:
    vm = cast.production.single
    request_changes(vm=vm, action="add", references=[GroupReference("web")], user=ada)
    request_changes(vm=vm, action="add", references=[GroupReference("web")], user=None)
    carried_out(vm)
    request_changes(vm=vm, action="add", references=[GroupReference("web")], user=ada)
    deactivate(ada)
    [task] = carried_out(vm)
    assert task.status == "Ok"


def test_it_does_not_keep_what_another_task_takes_away(cast: Cast, cloud: MemoryCloud, ada: User) -> None:
    """Though the cloud has it until that one is done, with which it runs."""
    vm = cast.production.single
    cloud.set_port("eni-production-single-1", group_refs=("sg-production-default", "sg-production-web"))
    request_changes(vm=vm, action="remove", references=[GroupReference("web")], user=None)
    request_changes(vm=vm, action="add", references=[GroupReference("web")], user=ada)
    deactivate(ada)
    removed, lost = carried_out(vm)
    assert (removed.status, lost.message) == ("Ok", RIGHT_LOST)
    assert cloud.port("eni-production-single-1").group_refs == ("sg-production-default",)


@LOSSES
def test_a_group_and_its_rules_are_not_edited(
    lose: Callable[[User], None], cast: Cast, cloud: MemoryCloud, ada: User
) -> None:
    group = cast.production.web
    edits = [
        group_creation(cast.acme, name="new", cloud_tenant=cast.tenant),
        group_edit(group, description="other"),
        rule_creation(group, direction="inbound", source_ip_range="10.0.0.0/8"),
        group_deletion(cast.staging.web),
    ]
    before = cloud.inventory()
    request_edits(edits, user=ada)
    lose(ada)
    tasks = edited(cast.acme)
    assert [task.status for task in tasks] == ["Error"] * len(edits)
    assert all(RIGHT_LOST in task.message for task in tasks)
    assert cloud.inventory() == before


@LOSSES
def test_a_provider_is_not_refreshed(
    lose: Callable[[User], None], cast: Cast, cloud: MemoryCloud, ada: User
) -> None:
    task = request_refresh(provider=cast.acme, user=ada)
    lose(ada)
    handle_provider_tasks(_claim_tasks(task.queue), Grip())
    task.refresh_from_db()
    assert (task.state, task.status, task.message) == ("Finished", "Error", RIGHT_LOST)


def test_a_provider_is_not_refreshed_by_who_may_only_refresh_elsewhere(
    cast: Cast, cloud: MemoryCloud, ada: User
) -> None:
    task = request_refresh(provider=cast.acme, user=ada)
    Grant.objects.filter(group__user=ada).update(role="viewer", cloud_tenant=cast.tenant)
    grant(ada, "operator", provider("other"))
    handle_provider_tasks(_claim_tasks(task.queue), Grip())
    task.refresh_from_db()
    assert (task.status, task.message) == ("Error", RIGHT_LOST)


def test_a_task_of_somebody_who_was_called_system_is_not_of_portcullis(
    cast: Cast, cloud: MemoryCloud, django_user_model: type[User]
) -> None:
    gone = django_user_model.objects.create_superuser("system")
    vm = cast.production.single
    request_changes(vm=vm, action="add", references=[GroupReference("web")], user=gone)
    Task.objects.update(request_id="of a request")
    gone.delete()
    [task] = carried_out(vm)
    assert (task.status, task.message) == ("Error", RIGHT_LOST)
