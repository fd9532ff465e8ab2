"""`ETag` and `If-None-Match`."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client

from inventory.models import Provider
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
