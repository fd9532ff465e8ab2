"""What `spec/lib/api/links_builder_spec.rb` asks: the links between pages, and how many there are."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from tests.dialect.asking import Answer, get, refusal, vms

pytestmark = pytest.mark.django_db


def page(client: Client, count: int, **query: Any) -> Answer:
    vms(*(f"vm-{number}" for number in range(count)))
    return get(client, "/vms", **query)


def offsets(answer: Answer) -> dict[str, int]:
    """Where each link leads."""
    queries = {name: parse_qs(urlsplit(href).query) for name, href in answer["links"].items()}
    return {name: int(query["offset"][0]) for name, query in queries.items()}


def test_no_page_is_empty(admin_client: Client) -> None:
    assert "limit" in refusal(admin_client, "/vms", offset=5, limit=0)


@pytest.mark.parametrize(
    ("count", "query", "links"),
    [
        (7, {"offset": 0, "limit": 2}, {"self": 0, "first": 0, "next": 2, "last": 6}),
        (7, {"offset": 2, "limit": 2}, {"self": 2, "first": 0, "previous": 0, "next": 4, "last": 6}),
        (3, {"offset": 0, "limit": 3}, {"self": 0, "first": 0, "last": 0}),
        (22, {"offset": 10, "limit": 12}, {"self": 10, "first": 0, "previous": 0, "last": 12}),
        (1, {}, {"self": 0, "first": 0, "last": 0}),
    ],
)
def test_links(admin_client: Client, count: int, query: dict[str, int], links: dict[str, int]) -> None:
    found = page(admin_client, count, **query)
    assert offsets(found) == links
    assert found["links"]["first"] == found["links"]["previous"] if links.get("previous") == 0 else True


def test_a_page_beyond_the_end_leads_back(admin_client: Client) -> None:
    found = page(admin_client, 3, offset=3, limit=2)
    assert found["links"].keys() == {"self", "previous", "first", "last"}
    assert offsets(found) == {"self": 3, "previous": 1, "first": 0, "last": 2}


@pytest.mark.parametrize(("count", "limit", "pages"), [(7, 2, 4), (2, 2, 1), (6, 3, 2)])
def test_pages(admin_client: Client, count: int, limit: int, pages: int) -> None:
    assert page(admin_client, count, offset=0, limit=limit)["pages"] == pages


def test_of_nothing_there_is_no_page(admin_client: Client) -> None:
    assert page(admin_client, 3, offset=0, limit=2, **{"filter[]": "id=0"})["pages"] == 0
