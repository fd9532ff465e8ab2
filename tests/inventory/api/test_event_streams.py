"""What happened, as the API tells it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.models import EventStream, Task
from secgroups.models import Membership
from tests.cast import Cast
from tests.contracts.collections import grant


def read(client: Client, url: str) -> list[dict[str, Any]]:
    separator = "&" if "?" in url else "?"
    answer = client.get(f"/api/{url}{separator}expand=resources")
    assert answer.status_code == HTTPStatus.OK, answer.content
    return answer.json()["resources"]


def test_the_latest_come_first_on_every_page(cast: Cast, admin_client: Client) -> None:
    expected = [str(pk) for pk in EventStream.objects.order_by("-pk").values_list("pk", flat=True)]
    assert [event["id"] for event in read(admin_client, "event_streams")] == expected
    walked, url = [], "http://testserver/api/event_streams?limit=7&expand=resources"
    while url:
        page = admin_client.get(url).json()
        walked += [event["id"] for event in page["resources"]]
        url = page["links"].get("next")
    assert walked == expected
    oldest = read(admin_client, "event_streams?sort_by=timestamp&sort_order=asc")
    assert [event["id"] for event in oldest] == expected[::-1]


def test_they_are_filtered(cast: Cast, admin_client: Client) -> None:
    vm = cast.production.single
    [appeared] = read(
        admin_client, f"event_streams?filter[]=event_type='instance_appeared'&vm_or_template_id={vm.pk}"
    )
    assert appeared["message"] == "Instance production-single appeared"
    assert appeared["full_data"]["after"]["name"] == "production-single"
    assert read(admin_client, "event_streams?filter[]=timestamp<'2020-01-01T00:00:00Z'") == []
    assert read(admin_client, "event_streams?username=nobody") == []


@pytest.mark.parametrize("embedded", [False, True])
def test_each_parent_has_its_own(cast: Cast, admin_client: Client, embedded: bool) -> None:
    site = cast.production
    Membership.objects.filter(vm=site.single).delete()
    task = Task.objects.create(name="a task", queue="vms/1")
    EventStream.objects.create(event_type="x", timestamp=task.created_on, task_id=task.pk)
    parents = {
        f"providers/{cast.acme.pk}": {"ems_id": cast.acme.pk},
        f"cloud_tenants/{cast.tenant.pk}": {"cloud_tenant_id": cast.tenant.pk},
        f"instances/{site.single.pk}": {"vm_or_template_id": site.single.pk},
        f"vms/{site.single.pk}": {"vm_or_template_id": site.single.pk},
        f"security_groups/{site.default.pk}": {"security_group_id": site.default.pk},
        f"tasks/{task.pk}": {"task_id": task.pk},
    }
    for parent, lookup in parents.items():
        if embedded:
            events = admin_client.get(f"/api/{parent}?expand=event_streams").json()["event_streams"]
        else:
            events = read(admin_client, f"{parent}/event_streams")
        expected = EventStream.objects.filter(**lookup).order_by("-pk").values_list("pk", flat=True)
        assert [event["id"] for event in events] == [str(pk) for pk in expected]
        assert events


def test_what_is_embedded_is_cut_after_the_latest(cast: Cast, admin_client: Client, settings: Any) -> None:
    settings.API_PAGE_LIMIT = 3
    provider = admin_client.get(f"/api/providers/{cast.acme.pk}?expand=event_streams").json()
    expected = EventStream.objects.filter(ems_id=cast.acme.pk).order_by("-pk").values_list("pk", flat=True)[:3]
    assert [event["id"] for event in provider["event_streams"]] == [str(pk) for pk in expected]
    url = provider["more"]["event_streams"]
    assert url.endswith(f"/api/providers/{cast.acme.pk}/event_streams?offset=3")


def test_they_ask_for_a_permission(cast: Cast, client: Client, django_user_model: type[User]) -> None:
    user = django_user_model.objects.create_user("reader")
    client.force_login(user)
    assert client.get("/api/event_streams").status_code == HTTPStatus.FORBIDDEN
    grant(user, "inventory.view_eventstream")
    assert client.get("/api/event_streams").status_code == HTTPStatus.OK
    assert client.get(f"/api/providers/{cast.acme.pk}/event_streams").status_code == HTTPStatus.FORBIDDEN


def test_a_page_behind_another_skips_no_rows(cast: Cast, admin_client: Client) -> None:
    url = admin_client.get("/api/event_streams?limit=2").json()["links"]["next"]
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(url)
    pages = [
        query["sql"] for query in queries if "inventory_eventstream" in query["sql"] and "LIMIT" in query["sql"]
    ]
    assert pages
    assert not any("OFFSET" in sql for sql in pages)
