"""OVN with what Neutron's own driver makes of a random world, which the API of the cloud is asked to create."""

from __future__ import annotations

from random import Random

from inventory.drivers.values import Inventory, Rule
from tests.live.openstack import Plane
from tests.oracles.ovn import Ovn
from tests.oracles.worlds import random_world

PORTS, GROUPS, RULES = 20, 6, 50
CIDRS = {4: "10.0.0.0/24", 6: "fd00::/64"}
DIRECTIONS = {"inbound": "ingress", "outbound": "egress"}


class NeutronsOvn(Ovn):
    """OVN as Neutron leaves it."""

    def create(self, random: Random, plane: Plane, project: str) -> None:
        """Ask the cloud for a random world in a project."""
        world = random_world(random, PORTS, GROUPS, RULES)
        network = plane.network("networks", name="private", project_id=project)["id"]
        subnets = {
            version: plane.network(
                "subnets", network_id=network, ip_version=version, cidr=cidr, project_id=project
            )
            for version, cidr in CIDRS.items()
        }
        groups = {
            group.ref: plane.network("security-groups", name=group.name, project_id=project)["id"]
            for group in world.groups
        }
        for rule in world.rules:
            plane.sdk.network.post("/security-group-rules", json={"security_group_rule": _rule(rule, groups)})
        for port in world.ports:
            addresses = [
                {"subnet_id": subnets[6 if ":" in address else 4]["id"], "ip_address": address}
                for address in port.ip_addresses
            ]
            plane.network(
                "ports",
                network_id=network,
                project_id=project,
                fixed_ips=addresses,
                security_groups=[groups[ref] for ref in port.group_refs],
                port_security_enabled=port.port_security_enabled,
            )
        self._switch = f"neutron-{network}"

    def load(self, world: Inventory) -> None:
        """Judge the ports of a world that is there."""
        self._macs = {port.ref: port.mac_address or "" for port in world.ports}
        self.settle()


def _rule(rule: Rule, groups: dict[str, str]) -> dict[str, object]:
    given = {
        "security_group_id": groups[rule.group_ref],
        "direction": DIRECTIONS[rule.direction],
        "ethertype": (rule.network_protocol or "").replace("IPV", "IPv"),
        "protocol": rule.host_protocol,
        "port_range_min": rule.port,
        "port_range_max": rule.end_port,
        "remote_ip_prefix": rule.source_ip_range,
        "remote_group_id": rule.source_group_ref and groups[rule.source_group_ref],
    }
    return {name: value for name, value in given.items() if value is not None}
