"""What `spec/requests/querying_spec.rb` asks of filters and classes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from inventory.models import Vm
from tests.cast import AMAZON, FILE, OPENSTACK, OPENSTACK_TYPE, Cast, provider, tenant
from tests.dialect.asking import counts, filtered, get, names, refusal, vms

pytestmark = pytest.mark.django_db


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
    provider("file", vendor=FILE)
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


# --- Classes ---


@pytest.fixture
def two_clouds(db: None) -> None:
    vms("aa", cloud=False, vendor="vmware")
    vms("bb", vendor=OPENSTACK)
    vms("cc", vendor=AMAZON)


@pytest.mark.usefixtures("two_clouds")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Vm", ["aa", "bb", "cc"]),
        (f"{OPENSTACK_TYPE}::Vm", ["bb"]),
        ("ManageIQ::Providers::CloudManager::Vm", ["bb", "cc"]),
    ],
)
def test_a_class_narrows(admin_client: Client, name: str, shown: list[str]) -> None:
    found = get(admin_client, "/vms", expand="resources", collection_class=name)
    assert (names(found), counts(found)) == (shown, (len(shown), len(shown)))


def test_a_bogus_class(admin_client: Client) -> None:
    message = refusal(admin_client, "/vms", collection_class="BogusClass")
    assert message == "Invalid collection_class BogusClass specified for the vms collection"
