"""Reverting tasks in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Task, Vm
from inventory.refresh import refresh
from tests.cast import Cast, memberships
from tests.clouds import Grip, MemoryCloud
from tests.contracts import grant
from tests.secgroups.carrying import carried_out, queue

LIST = "/admin/inventory/task/"


@pytest.fixture
def vm(cast: Cast, cloud: MemoryCloud) -> Vm:
    refresh(cast.acme, Grip())  # the first one leaves no events of what it finds
    return cast.production.single


def done(vm: Vm, action: Any, group: str) -> Task:
    queue(vm, action, group)
    [task] = carried_out(vm)
    return task


def revert(client: Client, *tasks: Task) -> list[str]:
    """What the operator is told."""
    chosen = {"action": "revert", "_selected_action": [task.pk for task in tasks]}
    answer = client.post(LIST, chosen, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def buttons(client: Client, task: Task) -> list[str]:
    return [*client.get(f"{LIST}{task.pk}/change/").context["task_actions"]]


def test_a_finished_task_has_the_button_and_others_have_theirs(admin_client: Client, vm: Vm) -> None:
    task = done(vm, "add", "web")
    assert buttons(admin_client, task) == ["revert"]
    [waiting] = queue(vm, "add", "db")
    assert buttons(admin_client, waiting) == ["cancel", "retry"]
    Task.objects.filter(pk=waiting.pk).update(state="Active")
    assert buttons(admin_client, waiting) == []


def test_it_reverts_and_says_what_it_can_not(admin_client: Client, vm: Vm) -> None:
    before = memberships(vm)
    db, web, gone = done(vm, "add", "db"), done(vm, "add", "web"), done(vm, "remove", "web")
    told = revert(admin_client, db, web)
    assert sorted(told)[1] == f"Reverting task {db.pk}: removing security group db from {vm.name}"
    assert f"in task {gone.pk}" in sorted(told)[0]
    carried_out(vm)
    assert memberships(vm) == before


def test_it_takes_the_right_of_the_change(client: Client, vm: Vm) -> None:
    task = done(vm, "add", "web")
    ada = User.objects.create_user("ada", is_staff=True)
    grant(ada, "inventory.view_task")
    client.force_login(ada)
    assert buttons(client, task) == []
    grant(ada, "secgroups.add_firewallrule")
    [told] = revert(client, task)
    assert "takes the right to make the reverse change" in told
    assert not Task.objects.unfinished().exists()
