"""A world in the inventory and in what enforces its rules, and what both say about a packet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Protocol

from django.test import Client

from inventory.drivers.boundary import PARTS
from inventory.drivers.file.document import dumped
from inventory.drivers.protocols import WITH_TYPES
from inventory.drivers.values import Inventory, Rule
from inventory.models import NetworkPort, Provider
from inventory.refresh import refresh
from secgroups.models import SecurityGroup
from tests import cast
from tests.cast import FILE
from tests.clouds import Grip
from tests.oracles.worlds import Packet, packets, pairs, random_world

#: A code of ICMP that rules name, and one that none does.
CODES = (0, 1)


#: A packet with the verdicts of the API and of the oracle.
Compared = tuple[Packet, dict[str, str], dict[str, str]]


class Oracle(Protocol):
    """What enforces rules."""

    def load(self, world: Inventory) -> None:
        """Replace the world."""

    def add_rules(self, rules: Iterable[Rule]) -> None: ...

    def delete_rules(self, rules: Iterable[Rule]) -> None: ...

    def lets(self, packet: Packet, family: str, source: str, target: str, code: int) -> bool:
        """Whether the first packet of a connection arrives. `code` is that of ICMP."""


class World:
    """The same world in the inventory and in an oracle."""

    def __init__(self, inventory: Inventory, random: Random, oracle: Oracle, client: Client) -> None:
        self.inventory, self.random, self.oracle, self.client = inventory, random, oracle, client
        self.ports = dict(NetworkPort.objects.values_list("ems_ref", "pk"))
        self.groups = {str(pk): ref for pk, ref in SecurityGroup.objects.values_list("pk", "ems_ref")}

    @classmethod
    def of_file(cls, seed: int, oracle: Oracle, client: Client, folder: Path) -> World:
        """A random world that a provider of type file has."""
        random = Random(seed)  # noqa: S311 - the same world for each seed
        inventory = random_world(random)
        imported(inventory, folder)
        oracle.load(inventory)
        return cls(inventory, random, oracle, client)

    def packets(self) -> Iterator[Packet]:
        """More than anybody takes."""
        return packets(self.random, self.inventory)

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
        """The same as the oracle says."""
        verdicts = {
            family: self._verdict(packet, family, source, target)
            for family, source, target in pairs(packet.source, packet.target)
            if family in families(packet)
        }
        return {family: verdict for family, verdict in verdicts.items() if verdict != "blocked"}

    def missing(self, packet: Packet) -> list[Rule]:
        """The missing rules, each in the first group that can have it; none if they are of the other family."""
        rules = [
            Rule(
                f"missing-{rule['direction']}",
                self.groups[rule["security_groups"][0]["id"]],
                **rule["firewall_rule"],
            )
            for rule in self.ask(packet)["missing"]
        ]
        of_families = {rule.network_protocol for rule in rules}
        assert len(of_families) <= 1
        return rules if of_families <= families(packet) else []

    def differences(self, packets: Iterable[Packet]) -> list[Compared]:
        """The packets of which both say something else. Enough arrive, or it would prove nothing."""
        compared = [(packet, self.passing(packet), self.arriving(packet)) for packet in packets]
        assert sum(bool(arriving) for *_, arriving in compared) > len(compared) / 50
        return [each for each in compared if each[1] != each[2]]

    def assert_complete_and_minimal(self, packet: Packet, rules: list[Rule]) -> None:
        """With these rules the packet passes, and without any one of them it does not."""
        family = rules[0].network_protocol or ""
        self.oracle.add_rules(rules)
        assert self.arriving(packet)[family] == "allowed", packet
        for rule in rules:
            self.oracle.delete_rules([rule])
            assert self.arriving(packet).get(family) != "allowed", packet
            self.oracle.add_rules([rule])
        self.oracle.delete_rules(rules)

    def _verdict(self, packet: Packet, family: str, source: str, target: str) -> str:
        """Whether a packet between these addresses arrives: of ICMP with every code, with some or with none."""
        codes = CODES if packet.protocol in WITH_TYPES else CODES[:1]
        arriving = {self.oracle.lets(packet, family, source, target, code) for code in codes}
        return "partly" if len(arriving) > 1 else "allowed" if True in arriving else "blocked"


def imported(world: Inventory, folder: Path) -> Provider:
    """A provider of type file that has this world."""
    parts = {part: getattr(world, part) for part in PARTS}
    (folder / "world.json").write_bytes(b"".join(dumped(parts)))
    provider = cast.provider("world", vendor=FILE, url="file:///world.json")
    refresh(provider, Grip())
    return provider


def families(packet: Packet) -> set[str]:
    """The families that a packet can have."""
    return {"icmp": {"IPV4"}, "icmpv6": {"IPV6"}}.get(packet.protocol, {"IPV4", "IPV6"})
