"""Prefix lists and address groups over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from secgroups.models import AddressList, FirewallRule
from tests import cast as actors
from tests.cast import Cast

URL = "/api/address_lists"


@pytest.fixture
def offices(cast: Cast) -> AddressList:
    """A list that a rule names."""
    attributes = {"network_protocol": "IPV4", "max_entries": 20, "cloud_tenant": cast.tenant}
    row = actors.address_list(cast.acme, "offices", ["10.0.0.0/8", "192.0.2.0/24"], **attributes)
    actors.rule(cast.staging.web, 443)
    FirewallRule.objects.update(source_address_list=row, source_ip_range=row.ems_ref)
    return row


def refs(client: Client, condition: str, collection: str = "address_lists") -> list[str]:
    query = {"expand": "resources", "attributes": "ems_ref", "filter[]": condition}
    return [one["ems_ref"] for one in client.get(f"/api/{collection}", query).json()["resources"]]


def test_a_list_is_shown_with_its_entries(admin_client: Client, cast: Cast, offices: AddressList) -> None:
    rule = FirewallRule.objects.get()
    names = "all,entries,firewall_rules,cloud_tenant.name,ext_management_system.name"
    read = admin_client.get(f"{URL}/{offices.pk}?attributes={names}").json()
    [named_by] = read.pop("firewall_rules")
    assert named_by["id"] == str(rule.pk)
    read.pop("actions", None)
    assert read == {
        "href": f"http://testserver{URL}/{offices.pk}",
        "id": str(offices.pk),
        "name": "offices",
        "ems_id": str(cast.acme.pk),
        "ems_ref": "pl-offices",
        "cloud_tenant_id": str(cast.tenant.pk),
        "network_protocol": "IPV4",
        "max_entries": 20,
        "entries": ["10.0.0.0/8", "192.0.2.0/24"],
        "cloud_tenant": {"name": "account"},
        "ext_management_system": {"name": "acme"},
    }


@pytest.mark.parametrize("entries", [None, []])
def test_unknown_entries_are_null_and_not_empty(admin_client: Client, offices: AddressList, entries: Any) -> None:
    AddressList.objects.update(entries=entries)
    assert admin_client.get(f"{URL}/{offices.pk}?attributes=entries").json()["entries"] == entries


def test_a_rule_names_its_list_and_keeps_the_clouds_name_for_it(
    admin_client: Client, offices: AddressList
) -> None:
    rule = FirewallRule.objects.get()
    read = admin_client.get(f"/api/firewall_rules/{rule.pk}?attributes=all,source_address_list.name").json()
    assert (read["source_address_list_id"], read["source_ip_range"]) == (str(offices.pk), "pl-offices")
    assert read["source_address_list"] == {"name": "offices"}


def test_lists_and_rules_are_found_by_entries(admin_client: Client, cast: Cast, offices: AddressList) -> None:
    actors.address_list(cast.acme, "empty", [])
    actors.address_list(cast.acme, "unknown", None)
    assert refs(admin_client, "entries='10.0.0.0/8'") == ["pl-offices"]
    assert refs(admin_client, "entries!='10.0.0.0/8'") == ["pl-empty", "pl-unknown"]
    assert refs(admin_client, "entries='10.*'") == ["pl-offices"]
    assert refs(admin_client, "entries!='10.*'") == ["pl-empty", "pl-unknown"]
    assert refs(admin_client, "entries=NULL") == ["pl-empty", "pl-unknown"]
    assert refs(admin_client, "source_address_list.entries='10.0.0.0/8'", "firewall_rules") == [
        FirewallRule.objects.get().ems_ref
    ]


@pytest.mark.parametrize("action", ["create", "edit", "delete", "refresh"])
def test_it_can_not_be_changed(admin_client: Client, offices: AddressList, action: str) -> None:
    for url in (URL, f"{URL}/{offices.pk}"):
        answer = admin_client.post(url, {"action": action, "resource": {"name": "x"}}, "application/json")
        assert answer.json()["error"]["message"].startswith("Unsupported Action"), answer.content
