"""What is embedded is at most a page of each, and says where the rest is."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from inventory.rest.resources import ToMany, get_resource_type
from secgroups.models import FirewallRule, Membership
from settings.base import COLLECTIONS
from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("company")


def embedding() -> list[tuple[str, str, str]]:
    """Each collection with what can be embedded in it, and how."""
    found = []
    for collection in COLLECTIONS:
        resource_type = get_resource_type(collection)
        found += [(collection, "expand", name) for name in resource_type.subcollections]
        found += [
            (collection, "attributes", name)
            for name, relation in resource_type.relations.items()
            if isinstance(relation, ToMany)
        ]
    return found


def filled(company: Cast) -> None:
    """More rules in one group and more groups on one VM than a page has."""
    site = company.production
    FirewallRule.objects.bulk_create(
        FirewallRule(
            provider=company.acme,
            security_group=site.web,
            ems_ref=f"r-{n}",
            direction="inbound",
            port=n,
            end_port=n,
        )
        for n in range(3)
    )
    port = site.single.network_ports.get()
    Membership.objects.filter(network_port=port).delete()
    Membership.objects.bulk_create(
        Membership(security_group=group, network_port=port, vm_id=site.single.pk)
        for group in (site.default, site.web, site.db)
    )


@pytest.mark.parametrize(("collection", "how", "name"), embedding())
def test_each_resource_has_a_page_and_the_address_of_the_rest(
    admin_client: Client, company: Cast, settings: Any, collection: str, how: str, name: str
) -> None:
    filled(company)
    base = f"/api/{collection}?expand=resources"
    query = f"{base},{name}" if how == "expand" else f"{base}&attributes={name}"
    whole = {one["id"]: one[name] for one in admin_client.get(query).json()["resources"]}
    ids = list(whole)
    settings.API_PAGE_LIMIT = 1
    shown = {pk: one for pk in ids for one in [read(admin_client, f"/api/{collection}/{pk}?{how}={name}")]}
    settings.API_PAGE_LIMIT = 2
    for one in admin_client.get(f"{query}&limit=2").json()["resources"]:
        assert one[name] == whole[one["id"]][:2]
        assert ("more" in one) == (len(whole[one["id"]]) > 2)
    for pk, one in shown.items():
        assert one[name] == whole[pk][:1]
        if len(whole[pk]) > 1:
            settings.API_PAGE_LIMIT = 1000
            rest = admin_client.get(one["more"][name])
            assert [r["href"].rpartition("/")[2] for r in rest.json()["resources"]] == [
                r["id"] for r in whole[pk][1:]
            ]
        else:
            assert "more" not in one


@pytest.mark.parametrize(("collection", "how", "name"), embedding())
@pytest.mark.parametrize("most", [0, 1, 2, 3, 5])
def test_an_answer_has_so_much_in_all_and_says_where_the_rest_is(
    admin_client: Client, company: Cast, settings: Any, collection: str, how: str, name: str, most: int
) -> None:
    filled(company)
    base = f"/api/{collection}?expand=resources"
    query = f"{base},{name}" if how == "expand" else f"{base}&attributes={name}"
    whole = {one["id"]: one[name] for one in admin_client.get(query).json()["resources"]}
    settings.API_EMBEDDED_LIMIT = most
    found = admin_client.get(query).json()["resources"]
    assert sum(len(one[name]) for one in found) <= most
    for one in found:
        begun = len(one[name])
        assert one[name] == whole[one["id"]][:begun]
        assert ("more" in one) == (begun < len(whole[one["id"]]))
        if "more" in one:
            rest = admin_client.get(f"{one['more'][name]}&expand=resources").json()["resources"]
            assert [r["id"] for r in rest] == [r["id"] for r in whole[one["id"]][begun:]]


def test_what_is_embedded_shares_the_bound(admin_client: Client, company: Cast, settings: Any) -> None:
    settings.API_EMBEDDED_LIMIT = 3
    found = read(admin_client, f"/api/providers/{company.acme.pk}?expand=vms,security_groups,cloud_networks")
    assert [len(found[name]) for name in ("vms", "security_groups", "cloud_networks")] == [3, 0, 0]
    assert found["more"].keys() == {"vms", "security_groups", "cloud_networks"}


def read(client: Client, url: str) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(url).json()
    return shown


def test_there_is_a_page_of_each_in_a_query_too(admin_client: Client, company: Cast, settings: Any) -> None:
    settings.API_PAGE_LIMIT = 1
    body = {"action": "query", "resource": {"id": company.acme.pk}}
    url = "/api/providers?expand=vms,security_groups"
    [found] = admin_client.post(url, body, content_type="application/json").json()["results"]
    assert len(found["vms"]) == len(found["security_groups"]) == 1
    assert found["more"] == {
        name: f"http://testserver/api/providers/{company.acme.pk}/{name}?offset=1"
        for name in ("vms", "security_groups")
    }
