"""`type`: the name of a resource's class, of which its row has the vendor."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.migrations._vendors import vendor_of
from inventory.models import Provider, Vm
from inventory.rest.classes import ClassNames
from tests.cast import AMAZON_TYPE, network, provider, tenant, vm
from tests.cast import group as group_in

#: What an older version left, of which there never were resources.
WHOLE = "ManageIQ::Providers::Vmware::InfraManager"
#: Some have no driver, and their class names are in another order.
VENDORS = ("openstack", "amazon", "nowhere", "AzureStack", WHOLE, "ama", "file")
ENDINGS = {
    "providers": "CloudManager",
    "vms": "CloudManager::Vm",
    "security_groups": "NetworkManager::SecurityGroup",
}
Keep = Callable[[str], object]


@pytest.fixture
def clouds(db: None) -> None:
    for vendor in VENDORS:
        owner = provider(vendor, vendor=vendor)
        if vendor != WHOLE:
            place = network(tenant(owner), "net")
            group_in(place, "web", vendor=vendor)
            Vm.objects.filter(pk=vm(place, "one").pk).update(vendor=vendor)


def shown(client: Client, collection: str, query: str = "") -> list[str]:
    answer = client.get(f"/api/{collection}?expand=resources&attributes=type&{query}")
    assert answer.status_code == 200, answer.content
    return [resource["type"] for resource in answer.json()["resources"]]


@pytest.mark.parametrize(
    ("vendor", "name"),
    [
        ("amazon", AMAZON_TYPE),
        ("nowhere", "ManageIQ::Providers::Nowhere::CloudManager"),
        ("AzureStack", "ManageIQ::Providers::AzureStack::CloudManager"),
        (WHOLE, WHOLE),
    ],
)
def test_a_vendor_has_a_class_and_the_migration_finds_the_vendor_of_each(vendor: str, name: str) -> None:
    assert ClassNames("CloudManager")[vendor] == name
    assert vendor_of(name, "CloudManager") == vendor


@pytest.mark.parametrize("name", ["nonsense", "ManageIQ::Providers::nowhere::CloudManager", f"{AMAZON_TYPE}::Vm"])
def test_the_migration_leaves_what_it_can_not_make_again(name: str) -> None:
    assert vendor_of(name, "CloudManager") == name


def starts(text: str) -> Keep:
    return lambda name: name.startswith(text)


@pytest.mark.parametrize("collection", ENDINGS)
@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ("filter[]=type='*Openstack*'", lambda name: "Openstack" in name),
        ("filter[]=type!='*Openstack*'", lambda name: "Openstack" not in name),
        ("filter[]=type='{}'", lambda name: "Amazon" in name),
        ("filter[]=type!='{}'", lambda name: "Amazon" not in name),
        ("filter[]=type=='*'", lambda name: False),
        ("filter[]=type='amazon'", lambda name: False),
        ("filter[]=type=['{}','*Nowhere*',NULL]", re.compile("Amazon|Nowhere").search),
        ("filter[]=type!=['{}',NULL]", lambda name: "Amazon" not in name),
        ("filter[]=type=NULL", lambda name: False),
        ("filter[]=type!=NULL", lambda name: True),
        ("filter[]=type<'ManageIQ::Providers::B'", re.compile("::A[mz]").search),
        ("filter[]=type>='ManageIQ::Providers::Nowhere'", lambda name: name >= "ManageIQ::Providers::Nowhere"),
        ("filter[]=type=~/^ManageIQ::.*::(file|openstack)/i", re.compile("File|Openstack").search),
        ("filter[]=type!~/Amazon/", lambda name: "Amazon" not in name),
        ("filter[]=type='*Nowhere*'&filter[]=or type='*File*'", re.compile("Nowhere|File").search),
        ("type={}", lambda name: "Amazon" in name),
        ("type__in={},x", lambda name: "Amazon" in name),
        ("type__icontains=PROVIDERS::AMA", starts("ManageIQ::Providers::Ama")),
        ("type__istartswith=manageiq::providers::f", starts("ManageIQ::Providers::File")),
        ("type__iendswith=x", lambda name: False),
        ("type__isnull=true", lambda name: False),
        ("type__isnull=false", lambda name: True),
        ("type__icontains=::ama&filter[]=type!='{}'", re.compile("::Ama::").search),
    ],
)
@pytest.mark.usefixtures("clouds")
def test_it_is_filtered_by_as_any_text(admin_client: Client, collection: str, query: str, keep: Keep) -> None:
    amazon = f"ManageIQ::Providers::Amazon::{ENDINGS[collection]}"
    found = shown(admin_client, collection, query.format(amazon))
    assert found == [name for name in shown(admin_client, collection) if keep(name)]


@pytest.mark.parametrize("ignore_case", ["", "&sort_options=ignore_case"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("collection", ENDINGS)
@pytest.mark.usefixtures("clouds")
def test_it_sorts(admin_client: Client, collection: str, descending: bool, ignore_case: str) -> None:
    expected = sorted(shown(admin_client, collection), key=str.lower if ignore_case else None, reverse=descending)
    query = f"sort_by=type&sort_order={'desc' if descending else 'asc'}{ignore_case}"
    assert shown(admin_client, collection, query) == expected
    pages, url = [], f"/api/{collection}?expand=resources&attributes=type&limit=2&{query}"
    while url:
        page = admin_client.get(url).json()
        pages += [resource["type"] for resource in page["resources"]]
        url = page["links"].get("next")
    assert pages == expected


@pytest.mark.parametrize("query", ["filter[]=type='*Openstack*'", "type__icontains=open", "sort_by=type"])
@pytest.mark.usefixtures("company")
def test_of_rows_the_vendor_alone_is_compared(admin_client: Client, query: str) -> None:
    """What compares a class name that it makes of each row takes several times as long, and no index helps it."""
    provider("private", vendor="openstack")
    with CaptureQueriesContext(connection) as captured:
        shown(admin_client, "vms", query)
    on_vms = [one["sql"] for one in captured if 'FROM "inventory_vm"' in one["sql"]]
    assert [sql for sql in on_vms if "ManageIQ" in sql or "CASE" in sql] == []


def test_what_no_vendor_fits_asks_for_no_rows(admin_client: Client, company: Any) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert shown(admin_client, "vms", "filter[]=type='*Nowhere*'") == []
    assert not any("power_state" in one["sql"] for one in captured)


@pytest.mark.usefixtures("clouds")
def test_it_is_shown_of_what_is_embedded_and_related(admin_client: Client) -> None:
    amazon = Provider.objects.get(vendor="amazon")
    embedded = admin_client.get(f"/api/providers/{amazon.pk}?expand=vms&attributes=security_groups").json()
    assert [one["type"] for one in embedded["vms"]] == [f"{AMAZON_TYPE}::Vm"]
    [group] = embedded["security_groups"]
    assert group["type"] == "ManageIQ::Providers::Amazon::NetworkManager::SecurityGroup"
    query = "attributes=ext_management_system.type&expand=resources&filter[]=ext_management_system.type='*Amazon*'"
    [found] = admin_client.get(f"/api/vms?{query}").json()["resources"]
    assert found["ext_management_system"] == {"type": AMAZON_TYPE}
