"""Reading a page takes the same few queries, however much is on it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.api import VmViewSet
from inventory.models import NetworkPort, Vm
from inventory.rest.resources import Costly
from secgroups.models import Membership
from tests.cast import Cast
from tests.contracts import everything_to_see

ROWS = 1000


@pytest.fixture
def thousand(cast: Cast) -> None:
    """1000 VMs of a provider, with a port each, and two groups on each port."""
    Vm.objects.all().delete()
    site = cast.production
    common = {"provider": cast.acme, "cloud_tenant": cast.tenant}
    vms = Vm.objects.bulk_create(Vm(**common, ems_ref=f"i-{n}", name=f"vm-{n}") for n in range(ROWS))
    ports = NetworkPort.objects.bulk_create(
        NetworkPort(**common, ems_ref=f"eni-{vm.pk}", vm=vm, cloud_network=site.network, ipaddresses=["10.0.0.1"])
        for vm in vms
    )
    Membership.objects.bulk_create(
        Membership(security_group=group, network_port=port, vm_id=port.vm_id)
        for port in ports
        for group in (site.default, site.web)
    )


@pytest.mark.usefixtures("thousand")
@pytest.mark.parametrize("collection", ["vms", "instances"])
def test_a_thousand_vms_with_everything_are_at_most_12_queries(
    client: Client, django_user_model: type[User], django_assert_max_num_queries: Any, collection: str
) -> None:
    client.force_login(everything_to_see(django_user_model.objects.create_user("reader")))
    vm = VmViewSet.resource_type
    costly = {name for name, computed in vm.computed.items() if isinstance(computed, Costly)}
    everything = ",".join([*vm.columns, *vm.computed_names.difference(costly), *vm.relations])
    with django_assert_max_num_queries(12):
        url = f"/api/{collection}?expand=resources,security_groups&attributes={everything}"
        page = client.get(url).json()["resources"]
    assert len(page) == ROWS
    assert all(len(vm["security_groups"]) == vm["total_security_groups"] == 2 for vm in page)
    assert all(vm["ipaddresses"] == ["10.0.0.1"] and len(vm["network_ports"]) == 1 for vm in page)


@pytest.mark.usefixtures("thousand")
def test_a_thousand_that_a_query_names_are_as_few_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    vms = list(Vm.objects.order_by("-pk"))
    named = [{"id": vm.pk} if vm.pk % 2 else {"guid": str(vm.guid)} for vm in vms]
    with django_assert_max_num_queries(12):
        answer = admin_client.post(
            "/api/vms?attributes=name,cloud_tenant,network_ports&expand=security_groups",
            {"action": "query", "resources": named},
            content_type="application/json",
        )
    assert [found["name"] for found in answer.json()["results"]] == [vm.name for vm in vms]
