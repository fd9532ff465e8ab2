"""The company on OpenStack. Each of its networks is a project, and group names repeat in all projects."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from openstack.connection import Connection

from inventory.demo.account import Account
from inventory.demo.company import NETWORKS, Network, Rule, Servers
from inventory.demo.openstack.plane import ControlPlane

#: Number of servers to create at a time.
HANDS = 4
#: How long building the servers of a project may take, in seconds.
TIMEOUT = 120


@contextmanager
def account(known_url: str | None) -> Iterator[Account]:
    """The account of the control plane's administrator. Starts the control plane, and leaves it running."""
    folder = Path(os.environ.get("OPENSTACK") or settings.VAR / "openstack")
    access = ControlPlane(folder, lambda text: print(f"OpenStack: {text}", flush=True)).up()  # noqa: T201
    fill(access)
    yield Account(
        {
            "vendor": "openstack",
            "provider_region": access["region"],
            "url": access["url"],
            "project": access["project"],
            "credentials": {"userid": access["userid"], "password": access["password"]},
        },
        "a real OpenStack; `make openstack-down` ends it",
    )


def fill(access: dict[str, str]) -> None:
    """Create the company's projects, with everything in them, unless they exist."""
    admin = _connect(access, access["project"])
    for network in NETWORKS:
        if not admin.identity.find_project(network.name):
            project = admin.identity.create_project(name=network.name)
            role, user = admin.identity.find_role("admin"), admin.identity.find_user(access["userid"])
            admin.identity.assign_project_role_to_user(project, user, role)
            _fill_project(_connect(access, network.name), network)


def _connect(access: dict[str, str], project: str) -> Any:  # its type mixes all versions of the API
    return Connection(
        auth={
            "auth_url": f"{access['url']}/v3",
            "username": access["userid"],
            "password": access["password"],
            "user_domain_id": "default",
            "project_domain_id": "default",
            "project_name": project,
        },
        region_name=access["region"],
    )


def _fill_project(cloud: Any, network: Network) -> None:
    cloud_network = cloud.network.create_network(name=network.name)
    cloud.network.create_subnet(network_id=cloud_network.id, ip_version=4, cidr=network.cidr)
    groups = _create_groups(cloud, network)
    image, flavor = cloud.image.find_image("nothing").id, cloud.compute.find_flavor("tiny").id

    def launch(servers: Servers, number: int) -> None:
        group_ids = [groups[name] for name in servers.groups]
        ports = [
            cloud.network.create_port(network_id=cloud_network.id, security_groups=group_ids)
            for _ in range(servers.interfaces)
        ]
        cloud.compute.create_server(
            name=f"{network.name}-{servers.role}-{number}",
            image_id=image,
            flavor_id=flavor,
            networks=[{"port": port.id} for port in ports],
        )

    with ThreadPoolExecutor(HANDS) as executor:
        launches = [(servers, number) for servers in network.servers for number in range(1, servers.count + 1)]
        list(executor.map(lambda launch_args: launch(*launch_args), launches))
    deadline = time.monotonic() + TIMEOUT
    while any(server.status == "BUILD" for server in cloud.compute.servers()) and time.monotonic() < deadline:
        time.sleep(0.5)


def _create_groups(cloud: Any, network: Network) -> dict[str, str]:
    """Create groups, then rules, which refer to other groups. Returns the groups' ids by name."""
    ids = {
        name: cloud.network.create_security_group(name=name, description=group.description).id
        for name, group in network.groups.items()
    }
    for name, group in network.groups.items():
        for rule in group.rules:
            cloud.network.create_security_group_rule(security_group_id=ids[name], **_rule(rule, ids))
    return ids


def _rule(rule: Rule, ids: dict[str, str]) -> dict[str, Any]:
    source = {"remote_group_id": ids[rule.source]} if rule.source in ids else {"remote_ip_prefix": rule.source}
    ports = {} if rule.first < 0 else {"port_range_min": rule.first, "port_range_max": rule.last}
    protocol = {} if rule.protocol == "-1" else {"protocol": rule.protocol}
    family = "IPv6" if ":" in rule.source else "IPv4"
    return {"direction": "ingress", "ether_type": family, **protocol, **ports, **source}
