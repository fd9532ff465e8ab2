"""`manage.py synthesize`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from io import StringIO
from ipaddress import ip_address
from statistics import median
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F
from rest_framework.test import APIClient

from inventory import overdue
from inventory.models import CloudTenant, NetworkPort, Provider, Vm
from secgroups.models import AddressList, FirewallRule, Membership, SecurityGroup
from secgroups.synthesis.company import Size, company
from tests import cast as actors

pytestmark = [pytest.mark.walk, pytest.mark.django_db]

INSTANCES, GROUPS, RULES = 2000, 400, 1000


def synthesize(seed: int = 1, *, instances: int = INSTANCES, groups: int = GROUPS, rules: int = RULES) -> str:
    """Run the command; what it said."""
    out = StringIO()
    given = {"seed": seed, "instances": instances, "groups": groups, "rules": rules}
    call_command("synthesize", **given, stdout=out, stderr=StringIO())
    return out.getvalue()


def links() -> Iterator[Any]:
    """Everything that is the same for the same seed: not the ids, which depend on what else there is."""
    yield from Vm.objects.order_by("ems_ref").values_list("ems_ref", "guid", "name", "power_state", "created_on")
    yield from SecurityGroup.objects.order_by("ems_ref").values_list("ems_ref", "name", "cloud_tenant__ems_ref")
    yield from AddressList.objects.order_by("ems_ref").values_list("ems_ref", "name", "entries")
    yield from NetworkPort.objects.order_by("ems_ref").values_list(
        "ems_ref", "mac_address", "ipaddresses", "public_ipaddresses"
    )
    for model, to in ((Membership, ("network_port", "security_group", "vm")), (FirewallRule, ("security_group",))):
        yield from sorted(model._default_manager.values_list(*(f"{name}__ems_ref" for name in to)))


def test_it_makes_as_many_as_it_is_told() -> None:
    said = synthesize()
    assert said.endswith(f"{INSTANCES} instances\n")
    counts = [model._default_manager.count() for model in (Vm, SecurityGroup, FirewallRule)]
    assert counts == [INSTANCES, GROUPS, RULES]


def test_an_instance_has_one_or_two_ports_and_about_three_groups() -> None:
    synthesize()
    ports = set(Vm.objects.annotate(ports=Count("network_ports")).values_list("ports", flat=True))
    assert ports == {1, 2}
    assert Membership.objects.count() / INSTANCES == pytest.approx(3, abs=0.2)


def test_few_groups_are_on_half_of_all_instances_and_most_on_a_handful() -> None:
    synthesize(instances=4000)
    sizes = sorted(SecurityGroup.objects.annotate(vms_=Count("vms", distinct=True)).values_list("vms_", flat=True))
    assert [size > 4000 / 2.1 for size in sizes[-3:]] == [False, True, True]
    assert median(sizes) < 10


def test_groups_are_those_of_the_tenant_or_of_everybody() -> None:
    synthesize()
    others = Membership.objects.exclude(security_group__cloud_tenant=F("vm__cloud_tenant"))
    names = set(others.values_list("security_group__name", flat=True))
    assert names == {"monitoring", "ssh-from-bastion"}
    assert not Membership.objects.exclude(vm=F("network_port__vm")).exists()
    assert not Membership.objects.exclude(security_group__provider=F("vm__provider")).exists()


def test_few_rules_name_a_list_of_addresses() -> None:
    synthesize()
    naming = FirewallRule.objects.exclude(source_address_list=None)
    assert 1 <= naming.count() <= RULES / 50
    assert not naming.exclude(source_ip_range=F("source_address_list__ems_ref")).exists()
    assert not naming.exclude(provider=F("source_address_list__provider")).exists()
    assert not naming.exclude(source_security_group=None).exists()
    lists = AddressList.objects.annotate(rules=Count("firewall_rules"))
    assert {one.rules > 0 for one in lists} == {bool(one.entries) for one in lists} == {True}
    for_provider = Counter(lists.values_list("provider", flat=True))
    assert set(for_provider) == set(Provider.objects.values_list("pk", flat=True))
    assert set(for_provider.values()) == {1, 2}
    families = naming.values_list("provider__vendor", "network_protocol", "source_address_list__network_protocol")
    assert set(families) == {("amazon", None, "IPV4"), ("openstack", "IPV4", None)}


def test_there_are_clouds_of_both_kinds_with_several_tenants() -> None:
    synthesize()
    assert set(Vm.objects.values_list("vendor", flat=True)) == {"amazon", "openstack"}
    assert CloudTenant.objects.count() > Provider.objects.count() == 4


def test_some_instances_have_a_public_address_of_their_own() -> None:
    synthesize()
    published = NetworkPort.objects.exclude(public_ipaddresses=[])
    assert published.values("vm").distinct().count() == published.count() == pytest.approx(INSTANCES / 10, abs=4)
    addresses = [address for port in published for address in port.public_ipaddresses]
    assert len(set(addresses)) == len(addresses)
    assert all(ip_address(address).is_global for address in addresses)
    assert all(port.ipaddresses[1:] == port.public_ipaddresses for port in NetworkPort.objects.all())
    assert set(NetworkPort.objects.values_list("device_owner", flat=True)) == {"interface", "compute:nova"}


def test_the_same_seed_gives_the_same_inventory() -> None:
    synthesize()
    first = list(links())
    Provider.objects.all().delete()
    synthesize()
    assert list(links()) == first


def test_another_seed_gives_another_beside_it() -> None:
    synthesize()
    synthesize(2)
    assert Vm.objects.count() == 2 * INSTANCES
    assert Vm.objects.values("guid").distinct().count() == 2 * INSTANCES


def test_a_seed_is_not_used_twice() -> None:
    synthesize()
    with pytest.raises(CommandError, match=r"synthetic-1-aws-america, .* already exists"):
        synthesize(instances=1)
    assert Vm.objects.count() == INSTANCES


def test_it_leaves_what_is_there_as_it_is_and_what_comes_later_has_its_own_ids() -> None:
    cast = actors.enter()
    before = {vm.pk: vm.name for vm in Vm.objects.all()}
    synthesize()
    assert {vm.pk: vm.name for vm in Vm.objects.filter(provider=cast.acme)} == before
    later = actors.site(actors.network(cast.tenant, "later"))
    assert later.single.pk > max(Vm.objects.exclude(provider=cast.acme).values_list("pk", flat=True))


def test_nobody_tries_to_reach_its_clouds() -> None:
    synthesize()
    assert list(overdue.refreshes()) == []
    assert all(provider.endpoint.partition(":5000")[0].endswith(".invalid") for provider in Provider.objects.all())


def test_the_api_lists_it(admin_client: APIClient) -> None:
    synthesize()
    query = "expand=resources,security_groups&attributes=ipaddresses&limit=5&sort_by=name"
    answer = admin_client.get(f"/api/instances?{query}").json()
    assert answer["count"] == INSTANCES
    assert all(one["security_groups"] and one["ipaddresses"] for one in answer["resources"])


@pytest.mark.parametrize("wrong", [{"groups": 59}, {"instances": -1}, {"rules": -1}])
def test_it_refuses_a_company_that_can_not_be(wrong: dict[str, int]) -> None:
    with pytest.raises(CommandError, match="at least 60 groups"):
        synthesize(**wrong)
    assert not Provider.objects.exists()


def test_the_smallest_company_can_be_made() -> None:
    synthesize(instances=10, groups=60, rules=0)
    assert Vm.objects.count() == 10


def test_values_are_made_one_after_the_other() -> None:
    [cloud, *_] = company(1, Size(10**12, 10**6, 0))
    first = next(cloud.instances())
    assert first == next(cloud.instances())
