"""What uses a security group: `unused` and `used_by`."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from secgroups.models import FirewallRule, Membership, SecurityGroup
from tests import cast
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast_(db: None) -> Cast:
    return cast.enter()


def names(client: Client, parameters: str) -> set[str]:
    answer = client.get(f"/api/security_groups?expand=resources&attributes=ems_ref&{parameters}")
    assert answer.status_code == 200, answer.content
    return {resource["ems_ref"] for resource in answer.json()["resources"]}


def use(client: Client, group: SecurityGroup) -> dict[str, Any]:
    used_by: dict[str, Any] = client.get(f"/api/security_groups/{group.pk}?attributes=used_by").json()["used_by"]
    return used_by


def name_in_rule(group: SecurityGroup, source: SecurityGroup) -> None:
    cast.rule(group, 22)
    FirewallRule.objects.filter(security_group=group).update(source_security_group=source, source_ip_range=None)


def test_a_group_is_unused_until_a_port_has_it_or_a_rule_of_another_names_it(
    admin_client: Client, cast_: Cast
) -> None:
    production, staging = cast_.production, cast_.staging
    everything = {group.ems_ref for site in (production, staging) for group in (site.web, site.db)}
    assert names(admin_client, "unused=true") == everything
    port = production.single.network_ports.get()
    Membership.objects.create(security_group=production.web, network_port=port, vm=production.single)
    name_in_rule(staging.web, source=staging.db)
    name_in_rule(production.db, source=production.db)  # its own rule
    unused = everything - {production.web.ems_ref, staging.db.ems_ref}
    assert names(admin_client, "unused=true") == unused
    assert names(admin_client, "unused=false").isdisjoint(unused)


def test_the_default_group_is_never_unused(admin_client: Client, cast_: Cast) -> None:
    Membership.objects.all().delete()
    assert "sg-production-default" in names(admin_client, "unused=false")
    assert not use(admin_client, cast_.production.default)["deletable"]


def test_what_uses_a_group_is_counted(admin_client: Client, cast_: Cast) -> None:
    production = cast_.production
    name_in_rule(production.web, source=production.db)
    cast.vm(production.network, "store", ports=2, groups=[production.db])
    assert use(admin_client, production.db) == {
        "network_ports": 2,
        "vms": 1,
        "firewall_rules": 1,
        "deletable": False,
        "not_considered": ["launch templates", "rules of other accounts"],
    }
    assert use(admin_client, production.web)["deletable"] is True


@pytest.mark.parametrize("value", ["", "maybe", "1"])
def test_another_value_is_refused(admin_client: Client, cast_: Cast, value: str) -> None:
    answer = admin_client.get(f"/api/security_groups?unused={value}")
    assert answer.status_code == 400
    assert "unused" in answer.json()["error"]["message"]
