from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.http import QueryDict

from inventory.rest.errors import BadInput
from inventory.rest.reading.paging import Page


def page(query: str) -> Page:
    return Page.of_request(QueryDict(query))


def links(query: str, total: int, ids: Sequence[int] = ()) -> dict[str, str]:
    """The links of a page for which these ids were found."""
    asked = QueryDict(query)
    shown = Page.of_request(asked)
    return shown.links("/api/vms", asked, total, shown.following(ids, total))


def test_a_page_begins_at_the_start_and_holds_as_many_as_the_settings_say(settings: Any) -> None:
    settings.API_PAGE_LIMIT = 7
    assert page("") == Page(limit=7, offset=0)


def test_a_limit_above_that_of_the_settings_is_clamped() -> None:
    assert page("limit=5000").limit == 1000


@pytest.mark.parametrize("name", ["limit", "offset", "after"])
@pytest.mark.parametrize("value", ["x", "", "-1", "+1", "1.5", " 1", "٣", "1e3"])
def test_anything_but_digits_is_refused(name: str, value: str) -> None:
    query = QueryDict(mutable=True)
    query[name] = value
    with pytest.raises(BadInput, match=f"Non numeric parameter: {name}"):
        Page.of_request(query)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(BadInput):
        page("limit=0")


def test_an_offset_that_no_database_can_count_to_is_a_page_beyond_the_end() -> None:
    assert page(f"offset={'9' * 40}").offset <= 2**62


@pytest.mark.parametrize(
    ("offset", "total", "expected"),
    [
        (0, 0, {"self": 0, "first": 0, "last": 0}),
        (0, 10, {"self": 0, "first": 0, "last": 0}),
        (0, 11, {"self": 0, "first": 0, "last": 10, "next": 10}),
        (10, 30, {"self": 10, "first": 0, "last": 20, "next": 20, "previous": 0}),
        (20, 30, {"self": 20, "first": 0, "last": 20, "previous": 10}),
        (5, 30, {"self": 5, "first": 0, "last": 20, "next": 15, "previous": 0}),
        (900, 30, {"self": 900, "first": 0, "last": 20, "previous": 20}),
    ],
)
def test_links_lead_to_the_neighbours_and_the_ends(offset: int, total: int, expected: dict[str, int]) -> None:
    assert links(f"limit=10&offset={offset}&sort_by=name", total) == {
        name: f"/api/vms?sort_by=name&limit=10&offset={where}" for name, where in expected.items()
    }


def test_links_keep_the_other_parameters() -> None:
    link = links(
        "expand=resources&filter[]=name='a'&filter[]=or name='b'&limit=1&after=3&offset=7", total=9, ids=[4]
    )
    for name, offset in (("self", "7"), ("first", "0"), ("last", "8"), ("previous", "6")):
        kept = QueryDict(link[name].partition("?")[2])
        assert kept.getlist("filter[]") == ["name='a'", "or name='b'"]
        assert (kept["expand"], kept["limit"], kept["offset"]) == ("resources", "1", offset)


def test_the_next_page_begins_behind_the_last_id_in_the_order_by_id() -> None:
    assert links("limit=2", total=3, ids=[7, 9])["next"] == "/api/vms?limit=2&offset=2&after=9"
    assert links("limit=2&sort_by=id", total=3, ids=[7, 9])["next"] == "/api/vms?sort_by=id&limit=2&offset=2"


@pytest.mark.parametrize(
    ("query", "ids", "total"),
    [
        ("limit=3", [], 0),
        ("limit=3", [4, 5], 2),
        ("limit=3", [4, 5, 6], None),
        ("limit=3&offset=6", [4, 5], 8),
        ("limit=3&offset=6", [4, 5, 6], None),
        ("limit=3&offset=6", [], None),
        ("limit=3&offset=6&after=3", [4, 5], None),
    ],
)
def test_a_page_that_has_the_last_says_how_many_there_are(query: str, ids: list[int], total: int | None) -> None:
    assert page(query).total(ids) == total


def test_an_id_to_begin_behind_leads_to_this_page_alone() -> None:
    found = links("limit=2&offset=2&after=9", total=9)
    assert {name for name, link in found.items() if "after" in link} == {"self"}
    assert found["self"] == "/api/vms?limit=2&offset=2&after=9"


def test_an_id_to_begin_behind_is_refused_in_another_order() -> None:
    with pytest.raises(BadInput, match="can't be combined with sort_by"):
        page("after=1&sort_by=name")
    assert page("after=1&sort_by=").after == 1
