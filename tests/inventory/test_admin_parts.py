"""Tasks with parts in the admin."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from inventory.models import Task
from inventory.services import Part, TaskSpec, complete_tasks, queue_parts
from inventory.services.parents import settle
from inventory.services.tasks import TaskResult
from tests.cast import Cast


@pytest.fixture
def parent(cast: Cast, admin_user: User) -> Task:
    """Of three parts, one has failed and one went well."""
    vms = (cast.production.single, cast.production.double, cast.staging.single)
    parts = [Part(f"vms/{vm.pk}", TaskSpec(f"Change {vm}", f"Change {vm}"), vm.pk) for vm in vms]
    task = queue_parts(TaskSpec("Change all", "Change all"), parts, user=admin_user, provider=cast.acme)
    failed, well, _ = task.tasks.order_by("pk")
    complete_tasks([TaskResult(failed, Task.Status.ERROR, "No"), TaskResult(well, Task.Status.OK, "Yes")])
    Task.objects.filter(parent=task, state="Finished").update(started_on=task.created_on)
    settle(task.pk)
    task.refresh_from_db()
    return task


def page(client: Client, task: Task) -> str:
    answer = client.get(reverse("admin:inventory_task_change", args=[task.pk]))
    assert answer.status_code == HTTPStatus.OK
    return answer.content.decode()


def test_the_page_leads_to_the_parts_by_how_they_ended(admin_client: Client, parent: Task) -> None:
    shown = page(admin_client, parent)
    for text, names in (("3 total", 3), ("1 queued", 1), ("1 ok", 1), ("1 error", 1)):
        [before, _] = shown.split(f">{text}</a>")
        url = before.rpartition('href="')[2].rstrip('"').replace("&amp;", "&")
        listed: Any = admin_client.get(url).context["cl"].result_list
        assert len(listed) == names
        assert {row.parent_id for row in listed} == {parent.pk}
    part = parent.tasks.latest("pk")
    assert f'href="/admin/inventory/task/{parent.pk}/change/"' in page(admin_client, part)


@pytest.mark.parametrize(
    ("state", "buttons"), [("Active", {"cancel", "retry"}), ("Finished", {"revert", "retry"})]
)
def test_it_offers_what_its_parts_allow(admin_client: Client, parent: Task, state: str, buttons: set[str]) -> None:
    Task.objects.filter(pk=parent.pk).update(state=state)
    shown = page(admin_client, parent)
    assert {name for name in ("cancel", "retry", "revert") if f'value="{name}"' in shown} == buttons


def test_the_button_retries_what_failed(admin_client: Client, parent: Task) -> None:
    url = reverse("admin:inventory_task_changelist")
    admin_client.post(url, {"action": "retry", "_selected_action": [parent.pk]})
    assert parent.tasks.filter(state="Queued").count() == 2
