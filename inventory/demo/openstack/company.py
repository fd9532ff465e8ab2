"""The company on OpenStack. Each of its networks is a project, and group names repeat in all projects."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from openstack.connection import Connection

from inventory.demo.account import Account
from inventory.demo.company import ADDRESS_LISTS, NETWORKS, PUBLIC, LoadBalancer, Network, Rule, Servers
from inventory.demo.openstack.plane import ControlPlane

#: The network outside.
INTERNET = "internet"
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
    internet = _internet(admin)
    for network in NETWORKS:
        if not admin.identity.find_project(network.name):
            project = admin.identity.create_project(name=network.name)
            role, user = admin.identity.find_role("admin"), admin.identity.find_user(access["userid"])
            admin.identity.assign_project_role_to_user(project, user, role)
            _Filling(_connect(access, network.name), network, internet).fill()


def _internet(admin: Any) -> str:
    """The network outside, from which floating addresses are."""
    if existing := admin.network.find_network(INTERNET):
        return str(existing.id)
    created = admin.network.create_network(name=INTERNET, is_router_external=True)
    admin.network.create_subnet(network_id=created.id, ip_version=4, cidr=PUBLIC, is_dhcp_enabled=False)
    return str(created.id)


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


class _Filling:
    """Fills the project of a network."""

    def __init__(self, cloud: Any, network: Network, internet: str) -> None:
        self.cloud = cloud
        self.network = network
        self.internet = internet
        self.image, self.flavor = cloud.image.find_image("nothing").id, cloud.compute.find_flavor("tiny").id
        self.lists: dict[str, str] = {}
        self.groups: dict[str, str] = {}

    def fill(self) -> None:
        self.inside = self._connected_network()
        self._create_groups()
        with ThreadPoolExecutor(HANDS) as executor:
            launches = [(servers, number) for servers in self.network.servers for number in range(servers.count)]
            list(executor.map(lambda launch: self._launch(*launch), launches))
        for balancer in self.network.load_balancers:
            self._balance(balancer)
        deadline = time.monotonic() + TIMEOUT
        while self._is_building() and time.monotonic() < deadline:
            time.sleep(0.5)

    def _is_building(self) -> bool:
        return any(server.status == "BUILD" for server in self.cloud.compute.servers())

    def _connected_network(self) -> str:
        """The network, with a router to the Internet."""
        neutron = self.cloud.network
        created = neutron.create_network(name=self.network.name)
        subnet = neutron.create_subnet(network_id=created.id, ip_version=4, cidr=self.network.cidr)
        router = neutron.create_router(name=self.network.name, external_gateway_info={"network_id": self.internet})
        neutron.add_interface_to_router(router, subnet_id=subnet.id)
        return str(created.id)

    def _create_groups(self) -> None:
        """Create groups, then rules, which refer to other groups and to lists of addresses."""
        neutron, groups = self.cloud.network, self.network.groups
        self.groups = {
            name: neutron.create_security_group(name=name, description=group.description).id
            for name, group in groups.items()
        }
        sources = {rule.source for group in groups.values() for rule in group.rules}
        self.lists = {
            name: neutron.create_address_group(name=name, addresses=entries).id
            for name, entries in ADDRESS_LISTS.items()
            if name in sources
        }
        for name, group in groups.items():
            for rule in group.rules:
                neutron.create_security_group_rule(security_group_id=self.groups[name], **self._rule(rule))

    def _rule(self, rule: Rule) -> dict[str, Any]:
        ports = {} if rule.first < 0 else {"port_range_min": rule.first, "port_range_max": rule.last}
        protocol = {} if rule.protocol == "-1" else {"protocol": rule.protocol}
        family = "IPv6" if ":" in rule.source else "IPv4"
        return {"direction": "ingress", "ether_type": family, **protocol, **ports, **self._source(rule.source)}

    def _source(self, source: str) -> dict[str, str]:
        if source in self.groups:
            return {"remote_group_id": self.groups[source]}
        if source in self.lists:
            return {"remote_address_group_id": self.lists[source]}
        return {"remote_ip_prefix": source}

    def _launch(self, servers: Servers, index: int) -> None:
        fixed = {"fixed_ips": [{"ip_address": servers.address}]} if servers.address else {}
        ports = [self._port(servers.groups, **fixed) for _ in range(servers.interfaces)]
        self.cloud.compute.create_server(
            name=f"{self.network.name}-{servers.role}-{index + 1}",
            image_id=self.image,
            flavor_id=self.flavor,
            networks=[{"port": port} for port in ports],
        )
        if servers.public:
            self._publish(ports[0])

    def _balance(self, balancer: LoadBalancer) -> None:
        """A port as Octavia has them for the addresses of its load balancers; there is no Octavia here."""
        port = self._port(
            balancer.groups,
            name=f"octavia-lb-{balancer.name}",
            device_owner="Octavia",
            device_id=f"lb-{balancer.name}",
        )
        self._publish(port)

    def _port(self, groups: Sequence[str], **attributes: Any) -> str:
        ids = [self.groups[name] for name in groups]
        created = self.cloud.network.create_port(network_id=self.inside, security_groups=ids, **attributes)
        return str(created.id)

    def _publish(self, port: str) -> None:
        self.cloud.network.create_ip(floating_network_id=self.internet, port_id=port)
