"""What uses groups and what is open to the public, to somebody who sees a part: as plain Python says."""

from __future__ import annotations

from http import HTTPStatus
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inventory.drivers.protocols import WITH_PORTS
from tests.examples import EXAMPLES
from tests.reach.judging import assert_nothing_outside
from tests.reach.model import Reach
from tests.reach.world import Builder, give

pytestmark = [pytest.mark.walk, pytest.mark.django_db]

PORTS = ("any", "22", "53", "100", "8080")


@settings(max_examples=max(EXAMPLES // 2, 1), phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_only_what_is_seen_uses_and_opens(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same inventory for each seed
    with transaction.atomic():
        world = Builder(random).build()
        user, superuser = world.users[0], User.objects.create_superuser("root")
        grants = [grant for of_team in give(world, random, user).values() for grant in of_team]
        client, control = Client(), Client()
        client.force_login(user)
        control.force_login(superuser)
        everything = Reach(world, superuser.pk, everything=True, is_superuser=True)
        whole = _listed(control, everything, "vms", attributes="exposed_services")
        _judge(control, everything, whole)
        if grants:
            _judge(client, Reach.by(world, user.pk, grants), whole)
        transaction.set_rollback(True)


def _judge(client: Client, reach: Reach, whole: dict[int, Any]) -> None:
    groups = _listed(client, reach, "security_groups", attributes="used_by")
    assert {pk: _without_cloud(group["used_by"]) for pk, group in groups.items()} == {
        pk: _used_by(reach, pk) for pk in reach.rows("security_groups")
    }
    unused = _listed(client, reach, "security_groups", unused="true")
    assert unused.keys() == {pk for pk in groups if not _is_used(reach, pk)}
    for port in PORTS:
        open_groups = _exposed_groups(reach, port)
        assert _listed(client, reach, "security_groups", exposed=port).keys() == open_groups & groups.keys(), port
        vms = {vm for vm in reach.rows("vms") if open_groups & _groups_on_seen_ports(reach, vm)}
        for collection in ("vms", "instances"):
            expected = vms & reach.world.rows[collection].keys()
            assert _listed(client, reach, collection, exposed=port).keys() == expected, (port, collection)
    for pk, vm in _listed(client, reach, "vms", attributes="exposed_services").items():
        expected = whole[pk]["exposed_services"] if _is_whole(reach, pk) else None
        assert vm["exposed_services"] == expected, pk


def _listed(client: Client, reach: Reach, collection: str, **query: str) -> dict[int, Any]:
    """The resources of a list by their ids."""
    url = f"/api/{collection}"
    answer = client.get(url, {"expand": "resources", "limit": "100", **query})
    assert answer.status_code == HTTPStatus.OK, (url, query, answer.content)
    assert_nothing_outside(reach, url, answer)
    found = answer.json()
    assert found.get("subquery_count", found["count"]) == len(found["resources"])
    return {int(resource["id"]): resource for resource in found["resources"]}


def _without_cloud(used_by: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in used_by.items() if name != "not_considered"}


def _used_by(reach: Reach, group: int) -> dict[str, Any]:
    world = reach.world
    ports = reach.related("security_groups", "network_ports", group)
    vms = {world.vm_of[port] for port in ports} - {None}
    return {
        "network_ports": len(ports),
        "vms": len([vm for vm in vms if vm is not None and reach.sees("vms", vm)]),
        "firewall_rules": len([rule for rule in _naming(reach, group) if reach.sees("firewall_rules", rule)]),
        "deletable": not world.ports[group] and not _naming(reach, group),
    }


def _naming(reach: Reach, group: int) -> list[int]:
    """The rules of other groups that name it, seen or not."""
    links = reach.world.links["firewall_rules"]
    sources = links["source_security_group"].ids
    return [rule for rule, named in sources.items() if named == [group] != links["security_group"].of(rule)]


def _is_used(reach: Reach, group: int) -> bool:
    used_by = _used_by(reach, group)
    return bool(used_by["network_ports"] or used_by["firewall_rules"])


def _exposed_groups(reach: Reach, port: str) -> set[int]:
    exposures = (pk for pk in reach.rows("exposures") if _opens(reach.world.rows["exposures"][pk].values, port))
    return {group for pk in exposures for group in reach.world.links["exposures"]["security_group"].of(pk)}


def _opens(exposure: dict[str, Any], port: str) -> bool:
    protocol, first, last = (exposure[name] for name in ("host_protocol", "port", "end_port"))
    if port == "any" or protocol is None:
        return True
    return protocol in WITH_PORTS and (first is None or first <= int(port) <= (last or first))


def _groups_on_seen_ports(reach: Reach, vm: int) -> set[int]:
    links = reach.world.links
    ports = reach.related("vms", "network_ports", vm)
    return {group for port in ports for group in links["network_ports"]["security_groups"].of(port)}


def _is_whole(reach: Reach, vm: int) -> bool:
    """Whether everything is seen that decides what is open at it."""
    links = reach.world.links
    ports = links["vms"]["network_ports"].of(vm)
    groups = {group for port in ports for group in links["network_ports"]["security_groups"].of(port)}
    rules = [rule for group in groups for rule in links["security_groups"]["firewall_rules"].of(group)]
    inbound = [rule for rule in rules if reach.world.rows["firewall_rules"][rule].values["direction"] == "inbound"]
    lists = {pk for rule in inbound for pk in links["firewall_rules"]["source_address_list"].of(rule)}
    needed = {"network_ports": ports, "security_groups": groups, "address_lists": lists}
    return all(reach.sees(collection, pk) for collection, pks in needed.items() for pk in pks)
