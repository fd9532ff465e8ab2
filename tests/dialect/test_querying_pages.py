"""What `spec/requests/querying_spec.rb` asks of pages and orders."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

from tests.cast import Cast, provider
from tests.dialect.asking import counts, get, names, refusal, vms

pytestmark = pytest.mark.django_db


# --- Pages ---


@pytest.mark.parametrize(
    ("query", "subcount"), [({"offset": 2}, 1), ({"limit": 2}, 2), ({"offset": 1, "limit": 1}, 1)]
)
def test_offset_and_limit(admin_client: Client, query: dict[str, int], subcount: int) -> None:
    vms("aa", "bb", "cc")
    assert counts(get(admin_client, "/vms", **query)) == (subcount, 3)


def test_a_page_is_never_larger_than_the_most(admin_client: Client) -> None:
    vms("aa", "bb", "cc")
    with override_settings(API_PAGE_LIMIT=2):
        assert counts(get(admin_client, "/vms", limit=3)) == (2, 3)


@pytest.mark.parametrize(("offset", "shown"), [(0, ["aa", "bb"]), (2, ["cc", "dd"]), (4, ["ee"])])
def test_a_list_is_read_page_by_page(admin_client: Client, offset: int, shown: list[str]) -> None:
    vms("ee", "dd", "cc", "bb", "aa")
    page = get(admin_client, "/vms", offset=offset, limit=2, sort_by="name", expand="resources")
    assert (names(page), counts(page)) == (shown, (len(shown), 5))


@pytest.mark.parametrize("parameter", ["offset", "limit"])
def test_pages_are_counted_in_digits(admin_client: Client, parameter: str) -> None:
    assert refusal(admin_client, "/vms", **{parameter: "0'"}) == f"Non numeric parameter: {parameter}"


def test_links_lead_from_page_to_page(admin_client: Client) -> None:
    vms("bb", "ff", "aa", "cc", "ee", "gg", "dd")
    page = get(admin_client, "/vms", offset=0, limit=2, sort_by="name", expand="resources")
    assert (names(page), page["links"].keys()) == (["aa", "bb"], {"self", "first", "next", "last"})
    assert get(admin_client, page["links"]["self"])["resources"] == page["resources"]

    page = get(admin_client, page["links"]["next"])
    assert (names(page), page["links"].keys()) == (["cc", "dd"], {"self", "first", "next", "previous", "last"})

    page = get(admin_client, page["links"]["last"])
    assert (names(page), page["links"].keys()) == (["gg"], {"self", "first", "previous", "last"})
    assert names(get(admin_client, page["links"]["previous"])) == ["ee", "ff"]

    page = get(admin_client, "/vms", offset=4, limit=3, sort_by="name", expand="resources")
    assert (names(page), page["links"].keys()) == (["ee", "ff", "gg"], {"self", "first", "previous", "last"})


def test_one_page_has_its_links_too(admin_client: Client) -> None:
    vms("aa", "bb")
    assert get(admin_client, "/vms")["links"].keys() == {"self", "first", "last"}


def test_pages_are_counted(admin_client: Client) -> None:
    vms("aa", "bb", "cc", "dd")
    assert [get(admin_client, "/vms", offset=0, limit=limit)["pages"] for limit in (2, 3, 4)] == [2, 2, 1]
    assert "subquery_count" not in get(admin_client, "/vms", offset=0, limit=4)
    found = get(admin_client, "/vms", offset=0, limit=4, **{"filter[]": ["name='aa'", "or name='bb'"]})
    assert (found["subquery_count"], found["pages"]) == (2, 1)


def test_pages_of_a_filtered_list(admin_client: Client) -> None:
    vms("aa", "bb", "cc")
    asked = {"filter[]": ["name='aa'", "or name='bb'"], "sort_by": "name", "expand": "resources"}
    page = get(admin_client, "/vms", offset=0, limit=1, **asked)
    assert (names(page), counts(page), page["links"].keys()) == (["aa"], (1, 3), {"self", "next", "first", "last"})
    page = get(admin_client, page["links"]["next"])
    assert (names(page), page["links"].keys()) == (["bb"], {"self", "previous", "first", "last"})


def test_what_a_filter_leaves_is_counted(admin_client: Client) -> None:
    vms("aa", "bb", "cc", "dd")
    asked = {"filter[]": ["name='aa'", "or name='bb'", "or name='dd'"], "sort_by": "name"}
    page = get(admin_client, "/vms", offset=0, limit=1, **asked)
    assert (page["subquery_count"], counts(page)) == (3, (1, 4))


# --- Orders ---


@pytest.mark.parametrize(
    ("order", "shown"),
    [
        ("asc", ["aa", "bb", "cc"]),
        ("ascending", ["aa", "bb", "cc"]),
        ("desc", ["cc", "bb", "aa"]),
        ("descending", ["cc", "bb", "aa"]),
    ],
)
def test_directions_of_an_order(admin_client: Client, order: str, shown: list[str]) -> None:
    vms("cc", "aa", "bb")
    assert names(get(admin_client, "/vms", sort_by="name", sort_order=order, expand="resources")) == shown


def test_an_order_without_case(admin_client: Client) -> None:
    vms("B", "c", "a")
    query = {"sort_by": "name", "sort_order": "asc", "sort_options": "ignore_case", "expand": "resources"}
    assert names(get(admin_client, "/vms", **query)) == ["a", "B", "c"]


def test_an_order_by_a_plain_attribute(admin_client: Client) -> None:
    vms("second", vendor="openstack")
    vms("first", vendor="amazon")
    query = {"sort_by": "vendor", "sort_order": "asc", "expand": "resources"}
    assert names(get(admin_client, "/vms", **query)) == ["first", "second"]


def test_an_order_by_a_computed_attribute(admin_client: Client, cast: Cast) -> None:
    provider("other")
    query = {"sort_by": "total_vms", "sort_order": "asc", "expand": "resources"}
    assert names(get(admin_client, "/providers", **query)) == ["other", "acme"]


def test_what_no_query_can_sort_by_is_refused(admin_client: Client) -> None:
    message = refusal(admin_client, "/vms", sort_by="ipaddresses", sort_order="asc")
    assert message == "Vm cannot be sorted by ipaddresses"


def test_an_order_goes_with_a_filter(admin_client: Client) -> None:
    vms("aa", "bb")
    found = get(
        admin_client, "/vms", **{"filter[]": "name=bb"}, sort_by="created_on", sort_order="asc", limit=20, offset=0
    )
    assert found["subcount"] == 1


def test_an_order_of_nothing(admin_client: Client) -> None:
    assert counts(get(admin_client, "/vms", sort_by="name", expand="resources")) == (0, 0)


def test_an_order_by_what_there_is_not(admin_client: Client) -> None:
    assert refusal(admin_client, "/vms", sort_by="bad_attribute").startswith(
        "bad_attribute is not a valid attribute"
    )
