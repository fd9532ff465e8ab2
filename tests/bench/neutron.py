"""Neutron, in the control plane of `make openstack-up`: 1000 groups with five rules each, and one port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openstack.connection import Connection

from inventory.demo.openstack.plane import ControlPlane, NotUp
from tests.bench.peer import Peer, Unavailable

#: Beside those two with which Neutron makes each group.
RULES = tuple(
    {"direction": "ingress", "protocol": "tcp", "port_range_min": n, "port_range_max": n} for n in (22, 80, 443)
)


@contextmanager
def neutron(groups: int) -> Iterator[Peer]:
    """So many groups are made if they are not there yet; raises `Unavailable`."""
    plane = ControlPlane(Path(os.environ.get("OPENSTACK") or "var/openstack"))
    try:
        told = plane.up()
    except (NotUp, OSError) as failure:
        raise Unavailable(str(failure)) from failure
    try:
        cloud = Connection(
            auth={
                "auth_url": told["url"],
                "username": told["userid"],
                "password": told["password"],
                "project_name": told["project"],
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            region_name=told["region"],
            identity_api_version="3",
        )
        _fill(cloud.network, groups)
        port = next(iter(cloud.network.ports(name="bench")))
        yield Peer(
            "Neutron",
            urlsplit(cloud.network.get_endpoint()).port,
            {"X-Auth-Token": cloud.session.get_token()},
            {"with-rules": [f"/v2.0/security-groups?limit={groups}"], "one": [f"/v2.0/ports/{port.id}"]},
        )
    finally:
        plane.down()


def _fill(network: Any, groups: int) -> None:
    there = {group.name for group in network.security_groups()}

    def make(number: int) -> None:
        group = network.create_security_group(name=f"bench-{number}", description="a group")
        network.create_security_group_rules([{**rule, "security_group_id": group.id} for rule in RULES])

    with ThreadPoolExecutor(4) as hands:
        list(hands.map(make, [n for n in range(groups) if f"bench-{n}" not in there]))
    if not next(iter(network.ports(name="bench")), None):
        net = network.create_network(name="bench")
        network.create_subnet(network_id=net.id, ip_version=4, cidr="10.0.0.0/24")
        network.create_port(network_id=net.id, name="bench")
