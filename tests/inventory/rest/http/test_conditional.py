"""`ETag` and `If-None-Match`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from inventory.models import Provider, Task
from tests.cast import Cast


def etag(client: Client, url: str) -> str:
    return client.get(url).headers["ETag"]


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', "*"])
def test_what_the_caller_has_already_is_not_sent_again(admin_client: Client, cast: Cast, known: str) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    tag = etag(admin_client, url)
    answer = admin_client.get(url, headers={"If-None-Match": known.format(tag)})
    assert (answer.status_code, answer.content) == (HTTPStatus.NOT_MODIFIED, b"")
    assert answer.headers["ETag"] == tag


def test_a_change_of_the_resource_changes_its_tag(admin_client: Client, cast: Cast) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    tag = etag(admin_client, url)
    Provider.objects.filter(pk=cast.acme.pk).update(project="new")
    answer = admin_client.get(url, headers={"If-None-Match": tag})
    assert answer.status_code == HTTPStatus.OK
    assert answer.json()["project"] == "new"


def test_a_change_of_what_is_shown_with_it_changes_its_tag(admin_client: Client, cast: Cast) -> None:
    url = f"/api/vms/{cast.production.single.pk}?attributes=ext_management_system.project"
    tag = etag(admin_client, url)
    Provider.objects.filter(pk=cast.acme.pk).update(project="new")
    assert etag(admin_client, url) != tag


def test_other_attributes_have_another_tag(admin_client: Client, cast: Cast) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    assert etag(admin_client, url) != etag(admin_client, f"{url}?attributes=name")


def test_a_page_for_people_is_always_sent(admin_client: Client, cast: Cast) -> None:
    answer = admin_client.get(
        f"/api/providers/{cast.acme.pk}", headers={"accept": "text/html", "If-None-Match": "*"}
    )
    assert answer.status_code == HTTPStatus.OK
    assert "ETag" not in answer.headers


@pytest.mark.parametrize("change", ["put", "patch", "edit", "refresh", "delete", "DELETE"])
def test_what_has_changed_since_it_was_read_is_not_changed(admin_client: Client, cast: Cast, change: str) -> None:
    url = f"/api/providers/{cast.acme.pk}"
    body = {"project": "mine"} if change in {"put", "patch", "edit"} else {}

    def ask(tag: str) -> Any:
        headers = {"If-Match": tag}
        if change in {"put", "patch", "DELETE"}:
            return getattr(admin_client, change.lower())(url, body, "application/json", headers=headers)
        return admin_client.post(url, {"action": change, **body}, "application/json", headers=headers)

    tag = etag(admin_client, url)
    Provider.objects.filter(pk=cast.acme.pk).update(project="theirs")
    for stale in (tag, '"other"', "", f"W/{etag(admin_client, url)}"):
        refused = ask(stale)
        assert refused.status_code == HTTPStatus.PRECONDITION_FAILED
        assert refused.json()["error"]["kind"] == "precondition_failed"
    assert Provider.objects.get(pk=cast.acme.pk).project == "theirs"
    assert not Task.objects.exists()
    done = ask(f'"other", {etag(admin_client, url)}')
    assert done.status_code in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}


def test_any_state_is_matched_by_a_star(admin_client: Client, cast: Cast) -> None:
    url, headers = f"/api/providers/{cast.acme.pk}", {"If-Match": "*"}
    assert (
        admin_client.put(url, {"project": "x"}, "application/json", headers=headers).status_code == HTTPStatus.OK
    )
    missing = admin_client.put("/api/providers/0", {"project": "x"}, "application/json", headers=headers)
    assert missing.status_code == HTTPStatus.NOT_FOUND


def test_it_is_not_overlooked_where_several_could_be_meant(admin_client: Client, cast: Cast) -> None:
    for url in ("/api/providers", f"/api/vms/{cast.production.single.pk}/security_groups/add"):
        answer = admin_client.post(url, {"name": "web"}, "application/json", headers={"If-Match": '"x"'})
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert answer.json()["error"]["message"] == "If-Match is only supported at the address of one resource"


@pytest.mark.parametrize(
    "path",
    ["", "/ping", "/auth", "/schema", "/docs", "/vms", "/vms/{pk}", "/vms/{pk}/security_groups", "/foo", "/vms/0"],
)
def test_head_is_get_without_a_body(admin_client: Client, cast: Cast, path: str) -> None:
    url = f"/api{path.format(pk=cast.production.single.pk)}"
    got, head = (ask(url, headers={"X-Request-Id": "mine"}) for ask in (admin_client.get, admin_client.head))
    assert head.status_code == got.status_code
    assert head.content == b""
    changing = {"Date", "Content-Length"} if path in {"", "/auth", "/docs"} else {"Date"}
    assert {k: v for k, v in head.items() if k not in changing} == {
        k: v for k, v in got.items() if k not in changing
    }
