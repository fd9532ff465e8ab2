"""What `spec/requests/querying_spec.rb` asks: pages, orders, filters, attributes, actions, classes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client, override_settings

from inventory.models import Vm
from tests.cast import AMAZON, OPENSTACK, Cast, provider, tenant
from tests.dialect.asking import ask, caller, filtered, get, refusal, vms

pytestmark = pytest.mark.django_db


def names(answer: dict[str, Any]) -> list[str]:
    return [one["name"] for one in answer["resources"]]


def counts(answer: dict[str, Any]) -> tuple[int, int]:
    return answer["subcount"], answer["count"]


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


# --- Filters ---


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        (['name="bb"'], ["bb"]),
        (["name='aa_1'"], ["aa_1"]),
        (["name='aa%'"], ["aa_2", "aa_1"]),
        (["name='aa*'"], ["aa_2", "aa_1"]),
        (["name!='b%'"], ["aa_2", "aa_1"]),
        (["description=NULL"], ["bb", "aa_1"]),
        (["description!=nil"], ["aa_2"]),
        (["id < {aa_1}"], ["aa_2", "bb"]),
        (["id <= {bb}"], ["aa_2", "bb"]),
        (["id > {bb}"], ["aa_1"]),
        (["id >= {bb}"], ["bb", "aa_1"]),
        (["id = {aa_2}", "or id > {bb}"], ["aa_2", "aa_1"]),
        (["id = {aa_2}", "name = aa_2"], ["aa_2"]),
        (["id = {aa_2}", "name = aa_2", "or id > {bb}"], ["aa_2", "aa_1"]),
    ],
)
def test_a_filter_leaves(admin_client: Client, filters: list[str], shown: list[str]) -> None:
    ids = {vm.name: vm.pk for vm in (*vms("aa_2", description="x"), *vms("bb", "aa_1"))}
    assert filtered(admin_client, *(text.format(**ids) for text in filters)) == shown


@pytest.mark.parametrize("query", [{}, {"offset": 0, "limit": 1}])
def test_a_filter_by_a_relation(admin_client: Client, query: dict[str, int]) -> None:
    one, two = provider("foo"), provider("bar")
    vms("baz", provider=one)
    vms("qux", provider=two)
    assert filtered(admin_client, "ext_management_system.name='foo'", **query) == ["baz"]


def test_a_filter_by_what_is_further_away(admin_client: Client) -> None:
    message = refusal(admin_client, "/vms", **{"filter[]": "security_groups.cloud_tenant.name=x"})
    assert message == "Filtering of attributes with more than one association away is not supported"


@pytest.mark.parametrize("text", ["cloud_tenant.name='ab'", "cloud_tenant.name='a%'"])
def test_a_filter_by_the_name_of_an_owner(admin_client: Client, text: str) -> None:
    one, two = (tenant(provider(f"of {name}"), name) for name in ("ab", "cd"))
    vms("in-ab", provider=one.provider, cloud_tenant=one)
    vms("in-cd", provider=two.provider, cloud_tenant=two)
    assert filtered(admin_client, text) == ["in-ab"]


def test_a_filter_by_a_computed_truth_value(admin_client: Client) -> None:
    provider("changed")
    provider("file", type="ManageIQ::Providers::File::CloudManager")
    assert filtered(admin_client, "supports_security_groups=true", path="/providers") == ["changed"]


def test_a_filter_by_a_computed_number(admin_client: Client, cast: Cast) -> None:
    provider("other")
    assert filtered(admin_client, "total_vms > 3", path="/providers") == ["acme"]


@pytest.fixture
def three_days(db: None) -> None:
    for day, vendor in ((1, "amazon"), (2, "amazon"), (3, "openstack")):
        Vm.objects.filter(pk=vms(f"day-{day}", vendor=vendor)[0].pk).update(
            created_on=datetime(2016, 1, day, tzinfo=UTC)
        )


@pytest.mark.usefixtures("three_days")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("created_on = 2016-01-02", ["day-2"]),
        ("created_on > 2016-01-01", ["day-2"]),
        ("created_on > 2016-01-01T07:59:59Z", ["day-2"]),
        ("created_on < 2016-01-02", ["day-1"]),
        ("created_on < 2016-01-01T08:00:00Z", ["day-1"]),
    ],
)
def test_a_filter_by_a_time(admin_client: Client, text: str, shown: list[str]) -> None:
    assert filtered(admin_client, text, "vendor = amazon") == shown


@pytest.mark.usefixtures("three_days")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("created_on <= 2016-01-02", ["day-1", "day-2"]),
        ("created_on >= 2016-01-02", ["day-2", "day-3"]),
        ("created_on != 2016-01-02", ["day-1", "day-3"]),
    ],
)
@pytest.mark.on_purpose("times take every comparison; ManageIQ refuses these three")
def test_a_filter_by_a_time_with_any_operator(admin_client: Client, text: str, shown: list[str]) -> None:
    assert filtered(admin_client, text) == shown


def test_a_filter_by_what_is_no_time(admin_client: Client) -> None:
    assert (
        refusal(admin_client, "/vms", **{"filter[]": "created_on > foobar"}) == "Bad format for datetime: foobar"
    )


@pytest.mark.on_purpose("a subcollection is filtered as a collection is")
def test_a_filter_below_a_parent(admin_client: Client, cast: Cast) -> None:
    path = f"/providers/{cast.acme.pk}/vms"
    assert filtered(admin_client, "name=staging-single", path=path) == ["staging-single"]


def test_a_filter_with_slashes(admin_client: Client) -> None:
    vms("/managed/foo", "/managed/bar")
    assert filtered(admin_client, "name='*/foo'") == ["/managed/foo"]


def test_a_filter_by_what_there_is_not(admin_client: Client) -> None:
    assert refusal(admin_client, "/vms", **{"filter[]": "destroy=true"}) == "attribute Vm-destroy does not exist"


def test_filter_without_brackets_is_never_everything(admin_client: Client) -> None:
    assert refusal(admin_client, "/vms", filter="name=x") == "Unknown parameter: filter"


@pytest.mark.on_purpose("there are no tags")
@pytest.mark.parametrize("tags", ["/department/finance", "/department/finance,/cc/cc01"])
def test_tags_are_refused(admin_client: Client, tags: str) -> None:
    assert refusal(admin_client, "/vms", by_tag=tags, expand="resources") == "Unknown parameter: by_tag"


# --- Attributes ---


def test_an_attribute_that_there_is_not(admin_client: Client) -> None:
    [vm] = vms("aa")
    message = refusal(admin_client, f"/vms/{vm.pk}", attributes="not_an_attribute")
    assert message == "Invalid attributes specified: not_an_attribute"


def test_the_id_alone(admin_client: Client) -> None:
    [vm] = vms("aa")
    only = {"href": f"http://testserver/api/vms/{vm.pk}", "id": str(vm.pk)}
    assert get(admin_client, "/vms", expand="resources", attributes="id")["resources"] == [only]
    assert get(admin_client, f"/vms/{vm.pk}", attributes="id") == only


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        (None, {"description": None, "flavor_name": None}),
        ("cloud_tenant", {"cloud_tenant": None}),
        ("cloud_tenant.description", {"cloud_tenant": None}),
        ("security_groups", {"security_groups": []}),
        ("ipaddresses", {"ipaddresses": []}),
        ("ext_management_system.last_refresh_error", {"ext_management_system": {"last_refresh_error": None}}),
        ("ext_management_system.total_vms", {"ext_management_system": {"total_vms": 1}}),
    ],
)
def test_what_is_empty_is_shown(admin_client: Client, attributes: str | None, shown: dict[str, Any]) -> None:
    [vm] = vms("aa")
    found = get(admin_client, f"/vms/{vm.pk}", **({"attributes": attributes} if attributes else {}))
    assert shown.items() <= found.items()


def test_some_attributes(admin_client: Client) -> None:
    [vm] = vms("aa")
    [shown] = get(admin_client, "/vms", expand="resources", attributes="href_slug,name,vendor")["resources"]
    assert shown == {
        "id": str(vm.pk),
        "href": f"http://testserver/api/vms/{vm.pk}",
        "href_slug": f"vms/{vm.pk}",
        "name": "aa",
        "vendor": "amazon",
    }


def test_addresses_alone_without_expanding(admin_client: Client) -> None:
    vms("aa", "bb")
    assert [one.keys() for one in get(admin_client, "/vms")["resources"]] == [{"href"}] * 2


def test_expanding_resources_and_a_subcollection(admin_client: Client, cast: Cast) -> None:
    found = get(admin_client, "/vms", expand="resources")["resources"]
    assert all({"id", "href", "guid", "name", "vendor"} <= one.keys() for one in found)
    found = get(admin_client, "/vms", expand="resources,security_groups")["resources"]
    assert all({"id", "guid", "security_groups"} <= one.keys() for one in found)


def test_hiding_the_resources(admin_client: Client) -> None:
    vms("aa")
    assert "resources" not in get(admin_client, "/vms", hide="resources")


# --- Actions ---


def offered(answer: dict[str, Any]) -> list[str]:
    return [action["name"] for action in answer.get("actions", [])]


def test_no_actions_for_who_may_do_none(client: Client) -> None:
    [vm] = vms("aa")
    caller(client, "inventory.view_vm")
    assert "actions" not in get(client, f"/vms/{vm.pk}")


def test_the_actions_that_the_caller_may_do(client: Client) -> None:
    [vm] = vms("aa")
    caller(client, "inventory.view_vm", "inventory.refresh_provider")
    assert offered(get(client, f"/vms/{vm.pk}")) == ["refresh"]
    assert offered(get(client, "/vms")) == ["query", "refresh"]


def test_several_actions(client: Client, cast: Cast) -> None:
    may = ("view", "change", "delete", "refresh")
    caller(client, *(f"inventory.{what}_provider" for what in may))
    found = get(client, f"/providers/{cast.acme.pk}")
    assert {*offered(found)} == {"edit", "delete", "refresh"}
    assert {action["method"] for action in found["actions"] if action["name"] == "edit"} == {
        "post",
        "put",
        "patch",
    }


def test_the_actions_of_a_subcollection(client: Client, cast: Cast) -> None:
    views = ("inventory.view_provider", "secgroups.view_securitygroup")
    caller(client, *views, *(f"secgroups.{what}_securitygroup" for what in ("add", "delete")))
    path = f"/providers/{cast.acme.pk}/security_groups"
    assert {*offered(get(client, path))} - {"query"} == {"create", "delete"}
    assert {*offered(get(client, f"{path}/{cast.production.web.pk}"))} == {"delete"}


@pytest.mark.parametrize(
    ("attributes", "has_actions"),
    [
        ("name,vendor,actions", True),
        ("name", False),
        ("total_security_groups", True),
        ("name,total_security_groups", False),
    ],
)
def test_attributes_and_actions(admin_client: Client, attributes: str, has_actions: bool) -> None:
    [vm] = vms("aa")
    found = get(admin_client, f"/vms/{vm.pk}", attributes=attributes)
    assert ("actions" in found) is has_actions
    if "name" in attributes:
        assert found.keys() == {"id", "href", *attributes.split(",")}


def test_options(admin_client: Client) -> None:
    found = ask(admin_client, "options", "/vms")
    assert found.keys() == {"attributes", "virtual_attributes", "relationships", "subcollections", "data"}
    assert found["data"] == {}
    assert all(found[name] == sorted(found[name]) for name in found.keys() - {"data"})


# --- Classes ---


@pytest.fixture
def two_clouds(db: None) -> None:
    vms("aa", cloud=False, type="ManageIQ::Providers::Vmware::InfraManager::Vm")
    vms("bb", type=f"{OPENSTACK}::Vm")
    vms("cc", type=f"{AMAZON}::Vm")


@pytest.mark.usefixtures("two_clouds")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Vm", ["aa", "bb", "cc"]),
        (f"{OPENSTACK}::Vm", ["bb"]),
        ("ManageIQ::Providers::CloudManager::Vm", ["bb", "cc"]),
    ],
)
def test_a_class_narrows(admin_client: Client, name: str, shown: list[str]) -> None:
    found = get(admin_client, "/vms", expand="resources", collection_class=name)
    assert (names(found), counts(found)) == (shown, (len(shown), len(shown)))


def test_a_bogus_class(admin_client: Client) -> None:
    message = refusal(admin_client, "/vms", collection_class="BogusClass")
    assert message == "Invalid collection_class BogusClass specified for the vms collection"
