"""Exposures of a group that several tenants have count what the reader sees."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from inventory.models import NetworkPort, Provider, Vm
from secgroups.exposures import settle_exposures
from secgroups.models import Exposure, SecurityGroup
from secgroups.public_ports import record_public_ports
from tests.cast import group, network, provider, public_rule, tenant, vm
from tests.readers import grant

NAMES = "severity,total_vms,total_public_vms"
pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Provider:
    """Ann's port with the group is private, and Bob's is public. Cid has none, and is shared the group."""
    acme = provider("acme")
    ann, bob, cid = (tenant(acme, name) for name in ("ann", "bob", "cid"))
    shared = group(network(ann, "ann"), "shared")
    shared.shared_with.add(bob, cid)
    public_rule(shared, 22)
    vm(shared.cloud_network, "vm", groups=[shared])
    theirs = vm(network(bob, "bob"), "vm", groups=[shared])
    NetworkPort.objects.filter(vm=theirs).update(public_ipaddresses=["52.0.0.1"])
    record_public_ports(NetworkPort.objects.values_list("pk", flat=True))
    settle_exposures(acme.pk)
    return acme


def client_of(acme: Provider, name: str) -> Client:
    """Of somebody who sees a tenant, or the provider."""
    user = User.objects.create_user(name, is_staff=True)
    grant(user, "viewer", acme.cloud_tenants.filter(name=name).first() or acme, group=name)
    client = Client()
    client.force_login(user)
    return client


SEEN = [
    ("ann", "medium", 1, 0),
    ("bob", "critical", 1, 1),
    ("cid", "low", 0, 0),
    ("whole", "critical", 2, 1),
]


@pytest.mark.parametrize(("name", "severity", "total", "public"), SEEN)
def test_an_exposure_counts_what_the_reader_sees(
    acme: Provider, name: str, severity: str, total: int, public: int
) -> None:
    client = client_of(acme, name)
    [exposure] = client.get(f"/api/exposures?expand=resources&attributes={NAMES}").json()["resources"]
    assert [exposure[each] for each in NAMES.split(",")] == [severity, total, public]
    alone = client.get(f"/api/exposures/{exposure['id']}").json()
    assert [alone[each] for each in NAMES.split(",")] == [severity, total, public]
    found = {
        condition: client.get(f"/api/exposures?{condition}").json()["subcount"]
        for value in ("low", "medium", "critical")
        for condition in (f"severity={value}", f"severity__in={value},none", f"filter[]=severity={value}")
    }
    assert {condition for condition, number in found.items() if number} == {
        f"severity={severity}",
        f"severity__in={severity},none",
        f"filter[]=severity={severity}",
    }
    for number in range(3):
        for attribute, shown in (("total_vms", total), ("total_public_vms", public)):
            for condition in (f"{attribute}={number}", f"filter[]={attribute}={number}"):
                subcount = client.get(f"/api/exposures?{condition}").json()["subcount"]
                assert subcount == int(number == shown), condition
            answer = client.get(f"/api/security_groups?filter[]=exposures.{attribute}={number}").json()
            assert answer["subcount"] == int(number == shown), attribute


def test_lists_are_sorted_by_what_the_reader_sees(acme: Provider) -> None:
    """Whoever hides from Cid has the group of the first exposure, so without that it comes last."""
    [first] = Exposure.objects.all()
    other = group(network(acme.cloud_tenants.get(name="cid"), "cid"), "other")
    public_rule(other, 22)
    vm(other.cloud_network, "vm", groups=[other])
    settle_exposures(acme.pk)
    client = client_of(acme, "cid")
    answer = client.get("/api/exposures?sort_by=total_vms&sort_order=desc").json()["resources"]
    assert answer[-1]["href"].endswith(f"/{first.pk}")


@pytest.mark.parametrize(("name", "severity", "total", "public"), SEEN)
def test_a_page_of_the_admin_shows_what_the_reader_sees(
    acme: Provider, name: str, severity: str, total: int, public: int
) -> None:
    client = client_of(acme, name)
    url = reverse("admin:secgroups_exposure_changelist")
    [row] = client.get(url).context["cl"].result_list
    assert (row.shown_severity, row.shown_total_vms, row.shown_total_public_vms) == (severity, total, public)
    page = client.get(reverse("admin:secgroups_exposure_change", args=[row.pk])).content.decode()
    assert severity.title() in page
    assert name == "whole" or severity == "critical" or "Critical" not in page
    for lookup in ("severity__exact=critical", "total_vms__gt=1"):
        answer = client.get(f"{url}?{lookup}", follow=True)
        assert answer.status_code == (200 if name == "whole" else 400), lookup


def test_what_is_not_brought_in_yet_shows_the_severity_of_all(acme: Provider) -> None:
    """Right after an upgrade, until the groups that it marked are settled."""
    Exposure.objects.update(private_severity=None, unused_severity=None)
    assert client_of(acme, "cid").get("/api/exposures?severity=critical").json()["subcount"] == 1


def test_django_permissions_and_superusers_see_the_columns(acme: Provider, admin_client: Client) -> None:
    user = User.objects.create_user("all")
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    for each in (client, admin_client):
        [exposure] = each.get("/api/exposures?expand=resources").json()["resources"]
        assert [exposure[name] for name in NAMES.split(",")] == ["critical", 2, 1]
    assert Vm.objects.count() == 2
    assert SecurityGroup.objects.count() == 1
