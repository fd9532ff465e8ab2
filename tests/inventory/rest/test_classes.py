"""`collection_class`: the resources of one of ManageIQ's classes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from inventory.models import Vm
from inventory.rest.resources import get_resource_type
from tests.cast import AMAZON_TYPE, FILE_TYPE, OPENSTACK, OPENSTACK_TYPE, Cast, provider, tenant, vm
from tests.cast import network as network_of

NETWORK_MANAGER = "ManageIQ::Providers::Amazon::NetworkManager"
CLOUD_VM = "ManageIQ::Providers::CloudManager::Vm"


@pytest.fixture
def three(company: Cast) -> Cast:
    """With VMs of two clouds, and one that is no cloud's."""
    stack = provider("stack", vendor=OPENSTACK)
    other = vm(network_of(tenant(stack, "stack"), "stack"), "only")
    Vm.objects.filter(pk=other.pk).update(vendor=OPENSTACK)
    Vm.objects.filter(pk=company.staging.single.pk).update(cloud=False, vendor="vmware")
    return company


def listed(client: Client, url: str) -> tuple[list[str], dict[str, Any]]:
    answer = client.get(url)
    assert answer.status_code == HTTPStatus.OK, answer.content
    page = answer.json()
    return [one["name"] for one in page["resources"]], page


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("vms?collection_class=Vm", 5),
        (f"vms?collection_class={CLOUD_VM}", 4),
        (f"vms?collection_class={OPENSTACK_TYPE}::Vm", ["stack-only"]),
        (f"vms?collection_class={OPENSTACK_TYPE}::Vm&filter[]=name='production*'", []),
        (f"instances?collection_class={CLOUD_VM}", 4),
        (f"instances?collection_class={OPENSTACK_TYPE}::Vm", ["stack-only"]),
        ("providers?collection_class=ExtManagementSystem", 3),
        ("providers?collection_class=ManageIQ::Providers::CloudManager", 3),
        (f"providers?collection_class={OPENSTACK_TYPE}", ["stack"]),
        (f"security_groups?collection_class={NETWORK_MANAGER}::SecurityGroup", 6),
        ("providers/{acme}/vms?collection_class=ManageIQ::Providers::Openstack::CloudManager::Vm", []),
    ],
)
def test_a_list_has_the_resources_of_the_class(
    admin_client: Client, three: Cast, url: str, names: int | list[str]
) -> None:
    url = url.format(acme=three.acme.pk)
    found, page = listed(admin_client, f"/api/{url}&expand=resources&limit=2")
    if isinstance(names, int):
        assert (page["count"], "subquery_count" in page) == (names, False)
        assert page["links"]["next"].count("collection_class=") == 1
    else:
        assert found == names


def test_what_there_is_is_what_is_of_the_class(admin_client: Client, three: Cast) -> None:
    _, page = listed(admin_client, f"/api/vms?collection_class={CLOUD_VM}&filter[]=name='stack*'&expand=resources")
    assert (page["count"], page["subquery_count"], page["subcount"]) == (4, 1, 1)


@pytest.mark.parametrize("collection", sorted(settings.COLLECTIONS))
def test_its_own_class_is_all_of_a_collection(admin_client: Client, company: Cast, collection: str) -> None:
    name = next(iter(get_resource_type(collection).classes))
    everything = admin_client.get(f"/api/{collection}").json()
    found = admin_client.get(f"/api/{collection}?collection_class={name}").json()
    assert (found["count"], found["resources"]) == (everything["count"], everything["resources"])


@pytest.mark.parametrize(
    ("collection", "name"),
    [
        ("vms", "BogusClass"),
        ("vms", "vm"),
        ("vms", ""),
        ("instances", "Vm"),
        ("providers", "Vm"),
        ("vms", "VmOrTemplate"),
    ],
)
def test_another_class_is_refused(admin_client: Client, company: Cast, collection: str, name: str) -> None:
    answer = admin_client.get(f"/api/{collection}?collection_class={name}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    message = answer.json()["error"]["message"]
    assert message == f"Invalid collection_class {name} specified for the {collection} collection"


def test_it_is_of_lists_alone(admin_client: Client, company: Cast) -> None:
    answer = admin_client.get(f"/api/providers/{company.acme.pk}?collection_class=ExtManagementSystem")
    assert answer.json()["error"]["message"] == "Unknown parameter: collection_class"


def test_every_type_of_a_provider_is_a_class_of_providers(db: None) -> None:
    assert {AMAZON_TYPE, OPENSTACK_TYPE, FILE_TYPE} < get_resource_type("providers").classes.keys()
