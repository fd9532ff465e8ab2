"""The admin of what is for a while."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from inventory.db.clock import database_now
from inventory.models import Task
from secgroups.models import Expiration
from tests.cast import Cast
from tests.clouds import MemoryCloud
from tests.secgroups.temporary import added, ending, run

LIST = "admin:secgroups_expiration_changelist"


@pytest.fixture
def temporary(cast: Cast, cloud: MemoryCloud) -> Expiration:
    added(cast.production.double, end=ending())
    return Expiration.objects.get()


def act(client: Client, action: str, row: Expiration, **given: str) -> list[str]:
    answer = client.post(reverse(LIST), {"action": action, "_selected_action": [row.pk], **given})
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_the_list_and_the_page_show_them(admin_client: Client, temporary: Expiration) -> None:
    page = admin_client.get(reverse(LIST)).content.decode()
    assert "to look" in page
    assert "production-double" in page
    page = admin_client.get(reverse("admin:secgroups_expiration_change", args=[temporary.pk])).content.decode()
    assert "to look" in page


def test_an_end_is_moved(admin_client: Client, temporary: Expiration) -> None:
    [said] = act(admin_client, "extend", temporary, duration="3h")
    assert said.startswith(f"Extended expiration {temporary.pk}: it ends at 2")
    assert (Expiration.objects.get().expires_on - database_now()).total_seconds() > 2 * 3_600


@pytest.mark.parametrize(
    ("duration", "reason"),
    [("", "Specify for or until"), ("soon", "Specify a number"), ("1m", "not earlier"), ("9d", "longest time")],
)
def test_a_wrong_time_is_refused(admin_client: Client, temporary: Expiration, duration: str, reason: str) -> None:
    [said] = act(admin_client, "extend", temporary, duration=duration)
    assert reason in said
    assert Expiration.objects.get().expires_on == temporary.expires_on


def test_it_is_kept_for_good(admin_client: Client, temporary: Expiration) -> None:
    assert act(admin_client, "keep", temporary) == [f"Kept for good: expiration {temporary.pk}"]
    assert not Expiration.objects.exists()


def test_it_is_taken_back_now(admin_client: Client, temporary: Expiration, cloud: MemoryCloud) -> None:
    [said] = act(admin_client, "end", temporary)
    assert said.startswith("Removing security group web from production-double")
    task = Task.objects.latest("pk")
    assert task.userid == "admin"
    run(task.queue)
    assert "sg-production-web" not in cloud.port("eni-production-double-1").group_refs


@pytest.mark.parametrize("action", ["keep", "end", "extend"])
def test_what_is_being_taken_back_can_not_be_changed(
    admin_client: Client, temporary: Expiration, action: str
) -> None:
    removal = Task.objects.create(name="removal", queue="vms/1", message="")
    Expiration.objects.update(is_ending=True, removal=removal)
    [said] = act(admin_client, action, temporary, duration="3h")
    assert said.endswith("it is being taken back")


def add(client: Client, cast: Cast, **given: Any) -> Any:
    url = reverse("admin:inventory_instance_add_groups", query={"ids": cast.production.single.pk})
    return client.post(url, {"groups": [cast.production.web.pk], **given})


def test_groups_are_added_for_a_while(admin_client: Client, cast: Cast, cloud: MemoryCloud) -> None:
    preview = add(admin_client, cast, duration="2h", reason="to debug").content.decode()
    assert "It is taken back at" in preview
    assert '<input type="hidden" name="duration" value="2h"' in preview
    assert '<input type="hidden" name="reason" value="to debug"' in preview
    add(admin_client, cast, duration="2h", reason="to debug", confirm="Add")
    run(f"vms/{cast.production.single.pk}")
    assert (Expiration.objects.get().reason, Expiration.objects.get().userid) == ("to debug", "admin")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"duration": "soon"}, "Specify a number"),
        ({"reason": "why"}, "it goes with"),
        ({"duration": "9d"}, "longest"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(
    admin_client: Client, cast: Cast, cloud: MemoryCloud, given: dict[str, str], reason: str
) -> None:
    assert reason in add(admin_client, cast, **given).content.decode()
    assert not Task.objects.exists()
