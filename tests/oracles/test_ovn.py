"""Answers of the API beside OVN, packet by packet over random worlds. A provider of type file has each world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.test import Client

from inventory.drivers.boundary import PARTS
from inventory.drivers.file.document import dumped
from inventory.drivers.values import Rule
from inventory.models import NetworkPort
from inventory.refresh import refresh
from secgroups.models import SecurityGroup
from tests import cast
from tests.cast import FILE
from tests.clouds import Grip
from tests.oracles.ovn import Ovn
from tests.oracles.worlds import Packet, packets, pairs, random_world

pytestmark = [pytest.mark.oracle, pytest.mark.django_db]

#: How many worlds, packets of each, and packets of each whose missing rules are tried.
WORLDS, PACKETS, BLOCKED = 20, 500, 25


class World:
    """The same random world in the inventory and in OVN."""

    def __init__(self, seed: int, ovn: Ovn, client: Client, folder: Path) -> None:
        self.random = Random(seed)  # noqa: S311 - the same world for each seed
        self.ovn, self.client = ovn, client
        self.inventory = random_world(self.random)
        parts = {part: getattr(self.inventory, part) for part in PARTS}
        (folder / "world.json").write_bytes(b"".join(dumped(parts)))
        refresh(cast.provider("world", vendor=FILE, url="file:///world.json"), Grip())
        self.ports = dict(NetworkPort.objects.values_list("ems_ref", "pk"))
        self.groups = {str(pk): ref for pk, ref in SecurityGroup.objects.values_list("pk", "ems_ref")}
        ovn.load(self.inventory)

    def packets(self, number: int) -> Iterator[Packet]:
        return packets(self.random, self.inventory, number)

    def ask(self, packet: Packet) -> dict[str, Any]:
        sides = {"from": packet.source.ref, "to": packet.target.ref}
        parameters = {name: f"network_ports/{self.ports[ref]}" for name, ref in sides.items()}
        parameters |= {"protocol": packet.protocol} | ({} if packet.port is None else {"port": str(packet.port)})
        answer = self.client.get("/api/reachability", parameters)
        assert answer.status_code == 200, answer.content
        data: dict[str, Any] = answer.json()
        return data

    def passing(self, packet: Packet) -> dict[str, str]:
        """The verdict of each family of which some passes, as the API says."""
        answer = self.ask(packet)
        if answer["verdict"] not in ("allowed", "partly"):
            return {}
        passing = {"IPV6" if ":" in path["to_address"] else "IPV4" for path in answer["paths"]}
        return dict.fromkeys(passing & families(packet), answer["verdict"])

    def arriving(self, packet: Packet) -> dict[str, str]:
        """The same as OVN says."""
        verdicts = {
            family: self.ovn.verdict(packet, family, source, target)
            for family, source, target in pairs(packet.source, packet.target)
            if family in families(packet)
        }
        return {family: verdict for family, verdict in verdicts.items() if verdict != "blocked"}

    def rule(self, missing: dict[str, Any]) -> Rule:
        """A missing rule, in the first group that can have it."""
        group = self.groups[missing["security_groups"][0]["id"]]
        return Rule(f"missing-{missing['direction']}", group, **missing["firewall_rule"])


def families(packet: Packet) -> set[str]:
    """The families that a packet can have."""
    return {"icmp": {"IPV4"}, "icmpv6": {"IPV6"}}.get(packet.protocol, {"IPV4", "IPV6"})


@pytest.fixture(params=range(WORLDS))
def world(request: pytest.FixtureRequest, ovn: Ovn, admin_client: Client, settings: Any, tmp_path: Path) -> World:
    settings.INVENTORY_FILES = tmp_path
    return World(request.param, ovn, admin_client, tmp_path)


def test_what_passes_is_what_ovn_lets_through(world: World) -> None:
    verdicts = [(packet, world.passing(packet), world.arriving(packet)) for packet in world.packets(PACKETS)]
    assert [verdict for verdict in verdicts if verdict[1] != verdict[2]] == []
    assert sum(bool(arriving) for *_, arriving in verdicts) > PACKETS / 50  # or it would prove nothing


def test_missing_rules_are_complete_and_minimal(world: World) -> None:
    tried = 0
    for packet in world.packets(PACKETS):
        rules = [world.rule(missing) for missing in world.ask(packet)["missing"]] if tried < BLOCKED else []
        if not rules or (family := rules[0].network_protocol or "") not in families(packet):
            continue
        tried += 1
        world.ovn.add_rules(rules)
        assert world.arriving(packet)[family] == "allowed", packet
        for rule in rules:
            world.ovn.delete_rules([rule])
            assert world.arriving(packet).get(family) != "allowed", packet
            world.ovn.add_rules([rule])
        world.ovn.delete_rules(rules)
    assert tried == BLOCKED
