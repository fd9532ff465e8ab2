"""Which groups an instance can have."""

from __future__ import annotations

import pytest
from django.test import Client

from inventory.models import Vm
from secgroups.models import FirewallRule, SecurityGroup
from tests import cast as actors
from tests.cast import OPENSTACK, Cast


def rule(cast: Cast, ref: str, protocol: str | None, port: int | None = None, end: int | None = None) -> None:
    FirewallRule.objects.create(
        provider=cast.acme,
        ems_ref=ref,
        security_group=cast.production.web,
        direction="inbound",
        network_protocol="IPV4",
        host_protocol=protocol,
        port=port,
        end_port=end,
        source_ip_range="22.0.0.0/8",
    )


@pytest.fixture
def rules(cast: Cast) -> None:
    rule(cast, "everything", None)
    rule(cast, "every port of tcp", "tcp")
    rule(cast, "every port of sctp", "sctp")
    rule(cast, "0 to 65535", "tcp", 0, 65535)
    rule(cast, "22", "tcp", 22, 22)
    rule(cast, "22 without an end", "udp", 22)
    rule(cast, "20 to 25", "tcp", 20, 25)
    rule(cast, "23 to 80", "tcp", 23, 80)
    rule(cast, "8443", "tcp", 8443, 8443)
    rule(cast, "6379-22", "tcp", 6379, 6379)
    rule(cast, "every icmp", "icmp")
    rule(cast, "type 22 of icmp", "icmp", 22, 22)
    rule(cast, "types up to 30", "icmpv6", 1, 30)
    rule(cast, "vrrp", "vrrp")


ALL_PORTS = {"everything", "every port of tcp", "every port of sctp", "0 to 65535"}
OF_22 = ALL_PORTS | {"22", "22 without an end", "20 to 25"}


@pytest.mark.usefixtures("rules")
@pytest.mark.parametrize(
    ("ports", "found"),
    [
        ((22, 22), OF_22),
        ((20, 21), ALL_PORTS | {"20 to 25"}),
        ((22, 80), OF_22 | {"23 to 80"}),
        ((81, 81), ALL_PORTS),
        ((65535, 65535), ALL_PORTS),
    ],
)
def test_a_port_is_found_in_every_range_that_has_it(ports: tuple[int, int], found: set[str]) -> None:
    assert {one.ems_ref for one in FirewallRule.objects.for_ports(*ports)} == found


@pytest.mark.usefixtures("rules")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("22", OF_22),
        ("20-21", ALL_PORTS | {"20 to 25"}),
        ("web 22", OF_22),
        ("22 23", ALL_PORTS | {"20 to 25"}),
        ("udp 22", {"22 without an end"}),
        ("8443", ALL_PORTS | {"8443"}),
        ("6379-22", {"6379-22"}),
        ('"to 80"', {"23 to 80"}),
        ("99999", set()),
        ("vrrp", {"vrrp"}),
        ("22 nowhere", set()),
    ],
)
def test_the_admin_searches_for_a_number_as_a_port(admin_client: Client, words: str, found: set[str]) -> None:
    page = admin_client.get("/admin/secgroups/firewallrule/", {"q": words})
    assert {one.ems_ref for one in page.context["cl"].result_list} == found


def available(vm: Vm) -> set[str]:
    return {group.ems_ref for group in SecurityGroup.objects.available_to(vm)}


def everything_in(network: str) -> set[str]:
    return {f"sg-{network}-{name}" for name in ("default", "web", "db")}


def test_a_group_of_a_network_is_for_the_instances_in_it(cast: Cast) -> None:
    assert available(cast.production.single) == everything_in("production")
    assert available(cast.staging.double) == everything_in("staging")


def test_an_instance_in_two_networks_can_have_the_groups_of_both(cast: Cast) -> None:
    actors.port(cast.production.single, cast.staging.network, "eni-second")
    assert available(cast.production.single) == everything_in("production") | everything_in("staging")


@pytest.fixture
def stack(cast: Cast) -> Cast:
    """The cast on a cloud whose groups belong to tenants, and each instance has its default group."""
    cast.acme.vendor = OPENSTACK
    cast.acme.save()
    SecurityGroup.objects.update(cloud_network=None, cloud_tenant=None)
    return cast


def test_elsewhere_a_group_is_for_the_instances_of_its_tenant(stack: Cast) -> None:
    other = actors.tenant(stack.acme, "other")
    actors.group(stack.production.network, "ours", cloud_network=None)
    actors.group(stack.production.network, "theirs", cloud_network=None, cloud_tenant=other)
    for vm in (stack.production.single, stack.staging.single):
        vm = Vm.objects.get(pk=vm.pk)
        assert available(vm) == {"sg-production-ours", f"sg-{vm.name.partition('-')[0]}-default"}


def test_a_tenant_that_is_not_known_is_no_tenant(stack: Cast) -> None:
    Vm.objects.update(cloud_tenant=None)
    assert available(Vm.objects.get(pk=stack.production.single.pk)) == {"sg-production-default"}


def test_a_network_that_is_not_known_is_no_network(cast: Cast) -> None:
    actors.group(cast.production.network, "lost", cloud_network=None)
    vm = cast.production.single
    vm.network_ports.update(cloud_network=None)
    assert available(vm) == {"sg-production-default"}


def test_a_group_is_for_the_networks_that_it_is_associated_with(cast: Cast) -> None:
    cast.staging.web.associated_networks.add(cast.production.network)
    assert available(cast.production.single) == everything_in("production") | {"sg-staging-web"}
    assert available(cast.staging.single) == everything_in("staging")
    third = actors.network(cast.tenant, "third")
    assert available(actors.vm(third, "single", ports=1)) == set()


def test_an_instance_without_ports_can_have_no_group_of_a_network(cast: Cast) -> None:
    assert available(actors.vm(cast.production.network, "bare", ports=0)) == set()


@pytest.mark.parametrize("confined", [True, False])
def test_a_group_of_another_provider_is_never_offered(confined: bool, cast: Cast) -> None:
    other = actors.network(actors.tenant(actors.provider("other")), "production")
    actors.group(other, "foreign", cloud_network=other if confined else None, cloud_tenant=cast.tenant)
    actors.port(cast.production.single, other, "eni-odd")
    assert available(cast.production.single) == everything_in("production")


def test_each_group_comes_once_however_many_ports_the_instance_has(cast: Cast) -> None:
    assert SecurityGroup.objects.available_to(cast.production.double).count() == 3
